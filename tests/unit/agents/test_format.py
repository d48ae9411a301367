"""Every file of a snapshot: it is read, something uses it, and it is said who writes it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.agents.analyzers.wide import Landscape, measures
from interlock.agents.analyzers.world import loaded
from interlock.agents.cluster import ADDED, KINDS
from interlock.agents.evidence import around
from interlock.agents.evidence.metrics import _dependencies, queries_around
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.evidence.source import DOCUMENTS, FOLDERS, RunLog
from interlock.agents.evidence.survey import NAMESPACED, OF_THE_CLUSTER, Surveyed
from interlock.agents.model import ObjectRef
from interlock.cli.snapshot import write

NAMESPACED_FILES = frozenset(
    re.findall(
        r"\w+",
        """pods events services endpoints endpointslices deployments replicasets statefulsets daemonsets jobs cronjobs
        configmaps secrets persistentvolumeclaims resourcequotas limitranges networkpolicies ingresses leases
        horizontalpodautoscalers poddisruptionbudgets serviceaccounts roles rolebindings controllerrevisions""",
    )
)
CLUSTER_FILES = frozenset({"nodes", "persistentvolumes", "storageclasses", "namespaces"})
WITHOUT_TYPE = {
    "controllerrevisions": "revisions of StatefulSets and DaemonSets, in looks.py",
    "events": "read as what was told, in world.py",
    "validatingwebhookconfigurations": "named by what a webhook refused, in controlplane.py",
    "mutatingwebhookconfigurations": "named by what a webhook refused, in controlplane.py",
}
FROM_ELSEWHERE = {"log-patterns", "connectivity", "node-services"}
"""What neither the API server nor Prometheus knows: folded logs, connections that were tried, systemd's view."""
NEVER_LIVE = {"secrets", "leases"}
ANALYZERS = Path(around.__file__).parents[1]


def test_every_kind_of_the_format_is_written_read_and_used() -> None:
    assert set(NAMESPACED) == NAMESPACED_FILES
    assert set(OF_THE_CLUSTER) >= CLUSTER_FILES
    typed = {kind.plural for kind in loaded()}
    assert {*NAMESPACED, *OF_THE_CLUSTER} - typed == set(WITHOUT_TYPE)


def test_the_live_look_asks_for_what_a_snapshot_holds() -> None:
    asked = {(KINDS[kind][1], place) for kind, place, _ in around._wanted("shop")}
    assert {plural for plural, place in asked if place == "shop"} == NAMESPACED_FILES - NEVER_LIVE
    assert {plural for plural, place in asked if place is None} == set(OF_THE_CLUSTER)
    assert ("leases", "kube-node-lease") in asked
    assert ("events", "default") in asked
    assert ("secrets", "shop") not in asked
    assert not any(plural == "secrets" for plural, _ in asked)


def _source_of_analyzers() -> str:
    return "".join(path.read_text() for path in sorted(ANALYZERS.rglob("*.py")))


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_document_is_asked_for_by_somebody(name: str) -> None:
    assert f'document("{name}")' in _source_of_analyzers()


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_every_folder_is_asked_for_by_somebody(name: str) -> None:
    assert f'documents("{name}")' in _source_of_analyzers()


def test_kinds_of_other_projects_are_read_in_both_ways() -> None:
    rules = (ANALYZERS / "analyzers/wide/deliveries.py").read_text() + (
        ANALYZERS / "analyzers/wide/injected.py"
    ).read_text()
    faults = {"virtualservices", "networkchaos", "httpchaos"}
    assert all(f'"{plural}"' in rules for _, plural in ADDED.values() if plural not in faults)
    role = (ANALYZERS.parents[2] / "charts/interlock/templates/11-roles-agents.yaml").read_text()
    for root, plural in ADDED.values():
        group = root.removeprefix("/apis/").rpartition("/")[0]
        assert re.search(rf"apiGroups: \[{re.escape(group)}\], resources: \[[^]]*\b{plural}\b", role), plural


def test_what_was_seen_is_the_same_when_it_is_read_back(tmp_path: Path) -> None:
    found = Surveyed(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), "shop")
    for plural in NAMESPACED:
        found.keep(plural, "shop", [{"metadata": {"name": "one"}}])
    for plural in OF_THE_CLUSTER:
        found.keep(plural, None, [{"metadata": {"name": "one"}}])
    found.keep(
        "networkchaos", "shop", [{"kind": "NetworkChaos", "metadata": {"name": "slow"}, "spec": {"action": "delay"}}]
    )
    found.keep("leases", "kube-node-lease", [{"metadata": {"name": "n1"}}])
    found.texts["shop", "one"] = tuple(RunLog("shop", "one", "app", previous, "x", "") for previous in (True, False))
    for name in DOCUMENTS:
        found.papers[name] = [{"namespace": "shop"}]
    for folder in FOLDERS:
        found.folders[folder] = {"one": [{"kind": "Service"}]}
    write(found, tmp_path / "out")
    read = Snapshot(tmp_path / "out")
    assert read.unknown() == ()
    for (plural, place), bodies in found.bodies.items():
        assert read.objects(plural, place or None) == bodies
    assert {name: read.document(name) for name in DOCUMENTS} == found.papers
    assert {folder: read.documents(folder) for folder in FOLDERS} == found.folders
    assert [log.previous for log in read.logs("shop", "one")] == [True, False]
    assert "networkchaos" in read.plurals("shop")


def test_who_was_traced_to_call_whom_makes_ways() -> None:
    found = Surveyed(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), "shop")
    found.keep("deployments", "shop", [{"metadata": {"name": name}} for name in ("web", "db")])
    found.papers["service-dependencies"] = _dependencies("shop", [("web", "db"), ("web", "web")])
    web, db = (ObjectRef(kind="Deployment", namespace="shop", name=name) for name in ("web", "db"))
    assert Landscape(found).callees == {web: frozenset({db})}


def test_what_is_asked_of_prometheus_is_read_by_its_analyzers() -> None:
    words = (
        measures._THROTTLED,
        measures._PROCESSOR,
        measures._MEMORY,
        measures.NETWORK,
        measures._ERRORS,
        measures._LATENCY,
    )
    for name, query in queries_around('a"b'):
        assert any(word.search(f"{name} {query}") for word in words), name
        assert 'a\\"b' in query


def _managed(manager: str, at: str, fields: Any, **more: str) -> Any:
    return {"manager": manager, "operation": "Update", "time": at, "fieldsV1": fields, **more}


def test_changes_by_hand_are_kept_and_those_of_programs_and_of_whole_manifests_are_not() -> None:
    image: Any = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {".": {}, "f:image": {}}}}}}
    }
    many: Any = {"f:spec": {f"f:part{n}": {} for n in range(20)}}
    applied = {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}}}, **image}
    restarted: Any = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:restartedAt": {}}}}}}
    later = "2026-03-01T11:00:00Z"
    managed = [
        _managed("kubectl-create", "2026-03-01T10:00:00Z", many),
        _managed("kubectl-patch", later, image),
        _managed("kubectl", "2026-03-01T11:30:00Z", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        _managed("kubectl-client-side-apply", later, applied),
        _managed("kubectl-rollout", later, restarted),
        _managed("argocd-controller", later, image),
        _managed("kube-controller-manager", later, {"f:status": {"f:replicas": {}}}, subresource="status"),
        _managed("helm", later, many),
    ]
    meta = {"name": "web", "namespace": "shop", "creationTimestamp": "2026-03-01T10:00:00Z", "managedFields": managed}
    found = Surveyed(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), "shop")
    found.remember("deployments", [{"metadata": meta}])
    found.remember("secrets", [{"metadata": {**meta, "name": "login"}}])
    told = found.papers["changes"]
    assert isinstance(told, list)
    assert [(one["who"], one["object"], one["summary"]) for one in told] == [  # type: ignore[index,call-overload]
        ("kubectl", "Deployment shop/web", "set spec.replicas"),
        ("kubectl-patch", "Deployment shop/web", "set spec.template.spec.containers.app.image"),
    ]
    assert "managedFields" not in json.dumps(found.bodies.get(("deployments", "shop")))
