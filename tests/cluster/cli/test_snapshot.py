"""`interlock snapshot` on a real API server: what its caller may see and no more, and never a secret value."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.cli.conftest import Run
from tests.support.executions import Place
from tests.support.waiting import eventually

from interlock.agents.cluster import Cluster
from interlock.agents.evidence.around import look_around
from interlock.agents.evidence.survey import Surveyed
from interlock.agents.model import utc_now

VALUE = "correct-horse-battery"


def test_a_snapshot_holds_what_its_taker_may_see_and_no_secret(shop: Place, interlock: Run, tmp_path: Path) -> None:
    admin, inside = shop.installation.admin, f"/api/v1/namespaces/{shop.namespace}"
    encoded = base64.b64encode(VALUE.encode()).decode()
    applied = json.dumps({"kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": VALUE}})
    notes = {"kubectl.kubernetes.io/last-applied-configuration": applied}
    secret = {"metadata": {"name": "login", "annotations": notes}, "data": {"password": encoded}}
    assert admin.post(f"{inside}/secrets", secret).status == 201
    ports = [{"port": 80}]
    assert admin.post(f"{inside}/services", {"metadata": {"name": "web"}, "spec": {"ports": ports}}).status == 201

    done = interlock("admin", "snapshot", shop.namespace, "--out", str(tmp_path / "all"))
    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / f"all/{shop.namespace}/secrets.json").read_text())["items"]
    assert {item["metadata"]["name"]: item.get("data") for item in kept}["login"] == {"password": ""}
    written = "".join(file.read_text() for file in (tmp_path / "all").rglob("*") if file.is_file())
    assert VALUE not in written
    assert encoded not in written
    assert (tmp_path / f"all/{shop.namespace}/services.json").stat().st_mode & 0o077 == 0
    judged = interlock("admin", "diagnose", str(tmp_path / "all"), "-o", "json")
    assert judged.returncode == 0, judged.stderr
    assert set(json.loads(judged.stdout)) == {"hypotheses", "proposal"}

    shop.installation.bind("erin", "view", shop.namespace)
    done = interlock("erin", "snapshot", shop.namespace, "--out", str(tmp_path / "some"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"some/{shop.namespace}/services.json").exists()
    assert not (tmp_path / f"some/{shop.namespace}/secrets.json").exists()
    assert not (tmp_path / "some/nodes.json").exists()
    assert "secrets" in done.stderr
    again = interlock("admin", "snapshot", shop.namespace, "--out", str(tmp_path / "all"))
    assert again.returncode == 2
    assert "not empty" in again.stderr


DELAY = {"action": "delay", "delay": {"latency": "200ms"}, "selector": {"labelSelectors": {"app": "web"}}}


@pytest.fixture
def chaos(shop: Place) -> Iterator[None]:
    """A kind of another project, an object of it that makes the way to web slow, and a web that no node takes."""
    admin, group = shop.installation.admin, "chaos-mesh.org"
    loose = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = {
        "metadata": {"name": f"networkchaos.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "networkchaos", "singular": "networkchaos", "kind": "NetworkChaos"},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": loose}],
        },
    }
    assert admin.post(definitions, definition).status == 201
    path = f"/apis/{group}/v1alpha1/namespaces/{shop.namespace}/networkchaos"
    eventually("the kind is served", lambda: admin.get(path).ok)
    slow = {"apiVersion": f"{group}/v1alpha1", "kind": "NetworkChaos", "metadata": {"name": "slow"}, "spec": DELAY}
    assert admin.post(path, slow).status == 201
    labels = {"app": "web"}
    pod = {"containers": [{"name": "app", "image": "registry.example/web:1"}], "nodeSelector": {"disk": "none"}}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    deployments = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments"
    assert admin.post(deployments, {"metadata": {"name": "web"}, "spec": spec}).status == 201
    about = f"/api/v1/namespaces/{shop.namespace}/events?fieldSelector=reason%3DFailedScheduling"
    eventually("its pod was refused by the nodes", lambda: admin.get(about).body.get("items"))
    yield
    admin.delete(f"{definitions}/networkchaos.{group}")


def _agents_see(shop: Place) -> Surveyed:
    async def look() -> Surveyed:
        async with await Cluster.connect(shop.installation.agents_kubeconfig, 60) as eyes:
            return await look_around(eyes, shop.namespace, now=utc_now(), calls=100, seconds=120, logs=True)

    return asyncio.run(look())


def _told(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["cause"], one["object"]["name"]) for one in answer["hypotheses"]]


@pytest.mark.usefixtures("chaos")
def test_files_a_live_look_and_the_agents_see_the_same(shop: Place, interlock: Run, tmp_path: Path) -> None:
    out = tmp_path / "files"
    done = interlock("admin", "snapshot", shop.namespace, "--out", str(out))
    assert done.returncode == 0, done.stderr
    kept = json.loads((out / shop.namespace / "networkchaos.json").read_text())["items"]
    assert [item["metadata"]["name"] for item in kept] == ["slow"]
    assert (out / "kube-node-lease/leases.json").exists()
    assert (out / "default/events.json").exists()

    judged = interlock("admin", "diagnose", str(out), "-o", "json")
    labels = f"alertname=KubePodNotReady,namespace={shop.namespace},deployment=web"
    live = interlock("admin", "diagnose", "--alert", labels, "-o", "json")
    assert live.returncode == 0, live.stderr
    assert ("workload.network.delay", "web") in _told(json.loads(judged.stdout))
    assert _told(json.loads(live.stdout)) == _told(json.loads(judged.stdout))

    seen = _agents_see(shop)
    files = {(plural, place) for plural, place in seen.bodies if place in ("", shop.namespace)}
    assert ("networkchaos", shop.namespace) in files
    written = {(path.stem, "" if path.parent == out else shop.namespace) for path in _lists(out, shop.namespace)}
    assert written - files == {("secrets", shop.namespace), ("leases", shop.namespace)}


def _lists(out: Path, namespace: str) -> Iterator[Path]:
    yield from (path for path in out.glob("*.json") if path.stem not in ("snapshot", "changes"))
    yield from (out / namespace).glob("*.json")
