"""What the doctor makes of what runs; what a real API server answers is asked in tests/cluster."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client

from interlock.cli.cluster import Cluster
from interlock.cli.errors import Refused
from interlock.cli.manifests import COUNTED
from interlock.cli.running import _WORKLOADS, running
from interlock.crds.names import AUDIT_FINALIZER

Json = dict[str, Any]
RBX = "/apis/interlock.dev/v1alpha1/runbookexecutions"
DEPLOYMENTS = "/apis/apps/v1/namespaces/interlock-system/deployments"
PODS = "/api/v1/namespaces/interlock-system/pods"
CLOSED = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/interlock-uninstall"


class Recorded(Cluster):
    """Answers as they were recorded; what was not is not there."""

    def __init__(self) -> None:
        super().__init__(client.ApiClient(), "default")
        self.answers: dict[str, Json] = {"/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.4"}}
        self.refused: set[str] = set()

    def request(self, method: Any, path: str, body: Any = None, **_: Any) -> Json:
        if path.endswith("/subjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            return {"status": {"allowed": f"{asked['verb']} {asked['resource']}" not in self.refused}}
        if path in self.answers:
            return self.answers[path]
        if method == "GET" and path.endswith(
            ("/namespaces", "/deployments", "/pods", "/auditheads", "/runbookexecutions")
        ):
            return {"items": []}
        raise Refused(404, path)


def found(cluster: Cluster) -> dict[str, tuple[bool, str, str]]:
    return {finding.subject: (finding.ok, finding.says, finding.fix) for finding in running(cluster)}


@pytest.mark.parametrize(
    ("major", "minor", "ok"),
    [("1", "36", True), ("1", "32+", True), ("2", "0", True), ("1", "31", False), ("", "", False)],
)
def test_kubernetes_is_new_enough(major: str, minor: str, ok: bool) -> None:
    cluster = Recorded()
    cluster.answers["/version"] = {"major": major, "minor": minor, "gitVersion": "v"}
    assert found(cluster)["kubernetes"][0] is ok


def test_a_missing_right_of_the_operator_is_named() -> None:
    cluster = Recorded()
    assert found(cluster)["operator may work"][0]
    cluster.refused = {"patch leases"}
    ok, says, fix = found(cluster)["operator may work"]
    assert (ok, says) == (False, "may not patch leases in interlock-system")
    assert fix.startswith("interlock install")


def test_where_the_chart_runs_nothing_that_is_no_fault() -> None:
    shown = found(Recorded())
    assert all(shown[part][0] for part, _, _ in _WORKLOADS)


def test_a_workload_that_is_not_ready_says_why_in_the_kubelets_words() -> None:
    cluster = Recorded()
    meta = {"name": "interlock-operator", "labels": {"app.kubernetes.io/version": "0.0.1"}}
    cluster.answers[DEPLOYMENTS] = {"items": [{"metadata": meta, "spec": {"replicas": 2}, "status": {}}]}
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    cluster.answers[PODS] = {"items": [{"metadata": {"name": "p"}, "status": {"containerStatuses": [waiting]}}]}
    shown = found(cluster)
    assert shown["interlock-operator"][:2] == (False, "0 of 2 ready; p: ImagePullBackOff not found")
    assert "describe deployment,pods" in shown["interlock-operator"][2]
    assert shown["interlock-operator version"][0] is False


@pytest.mark.parametrize(
    ("age", "finalizers", "ok"), [(5, [AUDIT_FINALIZER], True), (600, [AUDIT_FINALIZER], False), (600, [], True)]
)
def test_what_has_ended_is_archived_soon(age: int, finalizers: list[str], ok: bool) -> None:
    cluster = Recorded()
    ended = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    body = {"metadata": {"finalizers": finalizers}, "status": {"phase": "Succeeded", "completedAt": ended}}
    cluster.answers |= {"/apis/interlock.dev/v1alpha1": {}, RBX: {"items": [body]}}
    assert found(cluster)["archive"][0] is ok


@pytest.mark.parametrize(
    ("status", "ok"),
    [({"hard": {COUNTED: "200"}, "used": {COUNTED: "3"}}, True), ({"hard": {COUNTED: "200"}}, False), ({}, False)],
)
def test_a_namespace_admits_requests_only_where_they_are_counted(status: Json, ok: bool) -> None:
    cluster = Recorded()
    cluster.answers["/api/v1/namespaces"] = {"items": [{"metadata": {"name": "shop"}}]}
    cluster.answers["/api/v1/namespaces/shop/resourcequotas/interlock"] = {"status": status}
    assert found(cluster)["quota of shop"][0] is ok


def test_an_interrupted_uninstall_shows() -> None:
    cluster = Recorded()
    assert "requests" not in found(cluster)
    cluster.answers[CLOSED] = {}
    ok, _, fix = found(cluster)["requests"]
    assert not ok
    assert fix.endswith("kubectl delete validatingadmissionpolicybindings interlock-uninstall")
