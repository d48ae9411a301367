"""The record of a real run: signed heads leave the database, what is archived goes, and the API server's log agrees."""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from tests.support.identity import Identity, Json
from tests.support.installation import API
from tests.support.scene import DEPLOYMENTS, Scene, scaling
from tests.support.waiting import eventually
from typer.testing import CliRunner

from interlock.cli.main import app
from interlock.crds.audithead import AuditHeadSpec
from interlock.crds.names import (
    ARCHIVED_AT_ANNOTATION,
    AUDIT_FINALIZER,
    EXECUTION_UID_LABEL,
    RUNNER_SECRET_TYPE,
    RUNNERS_NAMESPACE,
    runner_account,
)
from interlock.operator.archive import Archive
from interlock.operator.archive.heads import valid

RUNNERS = f"/api/v1/namespaces/{RUNNERS_NAMESPACE}"


def run(*words: str) -> Json:
    """What an audit command answers a machine."""
    result = CliRunner().invoke(app, ["audit", *words])
    assert result.exit_code in {0, 1}, result.output
    answer: Json = json.loads(result.stdout)
    return answer


def verified(scene: Scene, *words: str) -> Json:
    """The verdict on the archive, as the administrator of the cluster."""
    kubeconfig = str(scene.installation.lab.kubeconfig)
    return run("verify", "--archive", str(scene.archive), "--live", "--kubeconfig", kubeconfig, "-o", "json", *words)


def about(flaws: Sequence[Json], *words: str) -> list[str]:
    """The flaws that name one of these: other tests have their own in the same log."""
    return [flaw["what"] for flaw in flaws if flaw["uid"] in words or any(word in flaw["what"] for word in words)]


def scaled(scene: Scene) -> str:
    """The uid of an execution that has scaled the Deployment, and is archived."""
    scene.ask(scaling(), {"replicas": "2"})
    scene.approve()
    uid = scene.reaches("Succeeded").uid
    scene.archived(uid)
    return uid


def with_log(scene: Scene) -> tuple[str, str]:
    return "--api-audit-log", str(scene.installation.lab.directory / "logs" / "audit.log")


def test_the_head_leaves_the_database_signed(scene: Scene) -> None:
    row = scene.archived(scaled(scene))

    def published() -> AuditHeadSpec | None:
        items = scene.admin.get(f"{API}/auditheads").body["items"]
        heads = [AuditHeadSpec.model_validate(item["spec"]) for item in items]
        return next((head for head in heads if head.seq >= row.seq), None)

    head = eventually("the head to be published", published)
    assert valid(head)
    verdict = verified(scene)
    assert verdict["signedHeads"] >= 1
    assert not about(verdict["flaws"], row.uid, "cut", "written anew")
    logs = scene.installation.lab.directory.glob("operator-*.log")
    printed = [line for log in logs for line in log.read_text().splitlines() if line.startswith('{"interlock"')]
    assert any(head.signature in line and '"audit-head"' in line for line in printed)


def test_each_effect_is_found_in_the_log_of_the_api_server(scene: Scene) -> None:
    uid = scaled(scene)
    verdict = verified(scene, *with_log(scene))
    assert about(verdict["flaws"], uid) == []
    assert verdict["effects"]["compared"] > verdict["effects"]["withoutRunbook"]
    (write,) = [w for w in verdict["apiServer"]["writes"] if uid in credential_owners(scene, w["credential"])]
    assert (write["verb"], write["resource"], write["name"], write["step"]) == ("patch", "deployments", "web", "scale")
    exported = CliRunner().invoke(app, ["audit", "export", "--archive", str(scene.archive), *with_log(scene)]).stdout
    line = next(line for line in map(json.loads, exported.splitlines()) if line["uid"] == uid)
    assert [request["auditID"] for request in line["apiRequests"]] == [write["auditID"]]
    (action,) = line["actions"]
    assert (action["step"], action["credential"]) == ("scale", write["credential"])
    assert action["outcome"]["event"] == "StepSucceeded"
    assert action["changes"] == [{"path": "/spec/replicas", "before": 1, "after": 2}]
    assert [(d["by"], d["ofThisPlan"]) for d in line["decisions"]] == [("bob", True)]


def credential_owners(scene: Scene, credential: str) -> list[str]:
    """The executions whose journal names a credential."""
    archive = Archive(f"sqlite:///{scene.archive}")
    with archive.snapshot() as snapshot:
        found = [row.uid for row in snapshot.rows() if credential in row.content]
    archive.close()
    return found


def minted(who: Identity, account: str, secret: str = "") -> Any:
    """A token of a runner's account, minted by hand."""
    spec: Json = {"expirationSeconds": 600}
    if secret:
        spec["boundObjectRef"] = {"kind": "Secret", "apiVersion": "v1", "name": secret}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = who.post(f"{RUNNERS}/serviceaccounts/{account}/token", body)
    assert answer.ok, answer
    return answer.body["status"]["token"]


def test_a_token_minted_by_somebody_else_is_named_and_so_is_what_it_did(scene: Scene) -> None:
    uid = scaled(scene)
    account = runner_account("test-scale", scene.namespace)
    token = minted(scene.admin, account)
    kubeconfig = scene.installation.lab.token_kubeconfig(token, f"thief-{scene.namespace}")
    patch = {"spec": {"replicas": 4}}
    done = Identity.load(kubeconfig).patch(f"{DEPLOYMENTS}/{scene.namespace}/deployments/web", patch)
    assert done.ok, done
    flaws = verified(scene, *with_log(scene))["flaws"]
    named, used = about(flaws, account)
    assert named.startswith(f"token minted without an intent: for {account} by ")
    assert "only the operator mints" in named
    assert "no execution explains the write" in used
    assert f"patch deployments {scene.namespace}/web" in used
    assert not [flaw for flaw in flaws if flaw["uid"] == uid]


def test_a_token_minted_with_the_operators_account_past_the_operator_is_named(scene: Scene) -> None:
    """By somebody who took over the operator's account, for an execution that there is not."""
    scaled(scene)
    operator, account = scene.installation.operator, runner_account("test-scale", scene.namespace)
    secret = f"rbx-{secrets.token_hex(8)}-1"
    labels = {EXECUTION_UID_LABEL: "0b3c"}
    body = {"metadata": {"name": secret, "labels": labels}, "type": RUNNER_SECRET_TYPE}
    assert operator.post(f"{RUNNERS}/secrets", body).ok
    minted(operator, account, secret)
    (named,) = about(verified(scene, *with_log(scene))["flaws"], account)
    assert f"there is no execution to its Secret {secret}" in named


def test_a_second_token_for_the_secret_of_an_execution_is_named(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "2"})
    scene.offered()
    account = runner_account("test-scale", scene.namespace)
    uid = scene.execution().uid
    minted(scene.installation.operator, account, f"rbx-{uid}-1")
    (named,) = about(verified(scene, *with_log(scene))["flaws"], account)
    assert f"the operator made no Secret rbx-{uid}-1 for it before" in named


def test_what_is_archived_goes_but_for_the_newest(scene: Scene) -> None:
    scene.use(scaling())
    names = [f"plan-{number}" for number in range(6)]
    uids = {}
    for name in names:  # one after the other, so that their age is known
        assert scene.request(scaling(), {"replicas": "3"}, name=name, dry_run=True).ok
        uids[name] = scene.execution(name).uid
        scene.archived(uids[name])

    def left() -> set[str]:
        return {item["metadata"]["name"] for item in scene.admin.get(scene.path()).body["items"]}

    eventually("the oldest to go", lambda: left() == set(names[-4:]))
    for uid in uids.values():
        scene.archived(uid)


def test_what_is_archived_goes_after_a_time(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"}, dry_run=True)
    scene.ends("Planned")
    eventually("the finalizer to go", lambda: AUDIT_FINALIZER not in scene.execution().finalizers)
    old = {"metadata": {"annotations": {ARCHIVED_AT_ANNOTATION: "2026-01-01T00:00:00.000Z"}}}
    assert scene.requester.patch(scene.path("fix"), old).status == 403, "the operator says when"
    assert scene.installation.operator.patch(scene.path("fix"), old).ok
    eventually("it to go", lambda: scene.admin.get(scene.path("fix")).status == 404)


def test_what_has_not_ended_stays(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"})
    scene.offered()
    old = {"metadata": {"annotations": {ARCHIVED_AT_ANNOTATION: "2026-01-01T00:00:00.000Z"}}}
    assert scene.installation.operator.patch(scene.path("fix"), old).ok
    for number in range(5):  # sweeps come by meanwhile
        assert scene.request(scaling(), {"replicas": "3"}, name=f"plan-{number}", dry_run=True).ok
        scene.archived(scene.execution(f"plan-{number}").uid)
    eventually("a sweep", lambda: scene.admin.get(scene.path("plan-0")).status == 404)
    assert scene.execution().status is not None
