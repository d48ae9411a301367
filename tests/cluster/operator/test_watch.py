"""A watch that is refused, cut, silent or without a valid token never stops the operator without a word."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.identity import Json
from tests.support.installation import Installation
from tests.support.operators import Fleet, Running, fleet
from tests.support.scene import Scene, scaling
from tests.support.waiting import eventually
from tests.support.wire import Wire

from interlock.crds.names import OPERATOR_ACCOUNT, SYSTEM_NAMESPACE

SECRETS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets"


@pytest.fixture
def ours(operated: Installation, tmp_path: Path) -> Iterator[Fleet]:
    """Operators of a shard of this test's own."""
    with fleet(operated, tmp_path) as made:
        yield made


@pytest.fixture
def wire(ours: Fleet) -> Iterator[Wire]:
    """The wire to the lab's API server."""
    with Wire(ours.installation.lab.server, ours.installation.operator.tls).serving() as made:
        yield made


def kubeconfig(ours: Fleet, wire: Wire | None, **user: str) -> Path:
    """A kubeconfig of the operator's account whose requests go over the wire."""
    made = ours.installation.lab.token_kubeconfig(ours.token(), f"wired-{ours.shard}")
    document = yaml.safe_load(made.read_text())
    if wire is not None:
        document["clusters"][0]["cluster"] = {"server": wire.url}
    if user:
        document["users"][0]["user"] = user
    own = ours.directory / "wired.kubeconfig"
    own.write_text(yaml.safe_dump(document))
    return own


def cures(scene: Scene) -> None:
    """The operator works from request to end."""
    scene.ask(scaling(), {"replicas": "2"})
    scene.approve()
    scene.reaches("Succeeded")


def restarts(of: Running) -> float:
    return of.metric("interlock_operator_watch_restarts_total")


def test_a_storm_of_410_is_waited_out(ours: Fleet, wire: Wire) -> None:
    running = ours.start("only", kubeconfig=kubeconfig(ours, wire), resync_seconds="600")
    eventually("it to lead", running.leads)
    scene = ours.scene()
    eventually("watches to run", lambda: wire.seen["none"] >= 2)
    wire.disturb("gone")
    eventually("the watch to be started anew", lambda: restarts(running) >= 1)
    eventually("it to say so", lambda: running.get("/readyz")[0] == 503)
    assert running.get("/livez")[0] == 200
    wire.disturb("none")
    cures(scene)
    eventually("it to be ready", lambda: running.get("/readyz")[0] == 200)
    assert "[+] watching: ok" in running.get("/readyz")[1]


def test_what_a_silent_watch_does_not_tell_a_list_does_and_the_watch_is_started_anew(ours: Fleet, wire: Wire) -> None:
    wire.watches = "silent"
    running = ours.start("only", kubeconfig=kubeconfig(ours, wire), resync_seconds="2")
    eventually("it to lead", running.leads)
    scene = ours.scene()
    eventually("watches to run", lambda: wire.seen["silent"] >= 2)
    scene.ask(scaling(), {"replicas": "2"})
    scene.offered()
    eventually("the miss to be noticed", lambda: running.metric("interlock_operator_watch_missed_total") >= 1)
    eventually("the watch to be started anew", lambda: restarts(running) >= 1)


def test_a_watch_that_is_cut_goes_on(ours: Fleet, wire: Wire) -> None:
    running = ours.start("only", kubeconfig=kubeconfig(ours, wire), resync_seconds="600")
    eventually("it to lead", running.leads)
    scene = ours.scene()
    eventually("watches to run", lambda: wire.seen["none"] >= 2)
    wire.disturb("none")
    cures(scene)


def test_a_token_that_was_replaced_on_disk_is_taken_up(ours: Fleet) -> None:
    """The first token ends with the Secret that it is bound to; the kubelet would write a new one in time."""
    bound = ours.admin.post(SECRETS, {"metadata": {"generateName": "token-"}, "type": "Opaque"}).body
    reference: Json = {"apiVersion": "v1", "kind": "Secret", "name": bound["metadata"]["name"]}
    token_file = ours.directory / "token"
    token_file.write_text(ours.token({**reference, "uid": bound["metadata"]["uid"]}))
    running = ours.start("only", kubeconfig=kubeconfig(ours, None, tokenFile=str(token_file)))
    eventually("it to lead", running.leads)
    scene = ours.scene()
    ours.admin.delete(f"{SECRETS}/{bound['metadata']['name']}")
    eventually("the token to be refused", lambda: "Unauthenticated" in running.text)
    eventually("it to stop leading", lambda: not running.leads())
    token_file.write_text(ours.token())
    eventually("it to lead again", running.leads)
    cures(scene)
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", running.text), "no token is ever logged"


def test_no_name_becomes_a_label_of_a_metric(ours: Fleet) -> None:
    running = ours.start("only")
    eventually("it to lead", running.leads)
    scene = ours.scene()
    cures(scene)
    _, text = running.get("/metrics")
    assert 'interlock_operator_phases_entered_total{family="test-scale",phase="Succeeded"} 1.0' in text
    uid = scene.execution().uid
    for name in (scene.namespace, "fix", "web", uid, OPERATOR_ACCOUNT, f"rbx-{uid}"):
        assert f'"{name}' not in text
    lease = 'interlock_operator_api_requests_total{code="200",resource="leases",verb="patch"}'
    assert lease in text
