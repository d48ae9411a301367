"""What the runbooks on workloads, configuration and pods decide by, where trials on a cluster would be slow to tell."""

import json
from typing import Any

import pytest
import yaml
from tests.unit.runbooks.test_catalogue import CATALOGUE, NOW, unmet

from interlock.crds.actions import TEMPLATE
from interlock.crds.cel import evaluate

Object = dict[str, Any]
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def step(family: str, name: str) -> Any:
    return next(s for s in CATALOGUE[family].runbook.spec.steps if s.name == name)


def items(family: str, name: str, scene: Object) -> Any:
    return evaluate(step(family, name).for_each, scene)


def pod(name: str, *, ready: bool = True, restarts: int = 0, created: str = NOW, **more: Any) -> Object:
    status = {"name": "app", "ready": ready, "restartCount": restarts, **more}
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": created, "labels": {}},
        "spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "96Mi"}}}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [status],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def killed(reason: str = "OOMKilled", at: str = "2026-03-01T11:55:00Z") -> Object:
    ended = {"reason": reason, "exitCode": 137, "startedAt": "2026-03-01T11:00:00Z", "finishedAt": at}
    return {"restarts": 1, "lastState": {"terminated": ended}}


def of_revision(found: Object, revision: str) -> Object:
    found["metadata"]["labels"]["controller-revision-hash"] = revision
    return found


@pytest.mark.parametrize(("policy", "taken"), [("OrderedReady", ["db-1"]), ("Parallel", [])])
def test_only_failing_pods_of_the_replaced_revision_are_in_the_way(policy: str, taken: list[str]) -> None:
    pods = [of_revision(pod("db-2"), "new"), of_revision(pod("db-1", ready=False), "new"), pod("db-0", ready=False)]
    target = {"spec": {"podManagementPolicy": policy}, "status": {"updateRevision": "new"}}
    assert items("rollback-statefulset", "unblock", {"target": target, "pods": pods}) == taken


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_only_a_statefulset_has_pods_in_its_way(kind: str) -> None:
    target: Object = {"kind": kind, "spec": {}}
    scene = {"target": target, "pods": [pod("a", **killed())], "parameters": {"container": "app"}}
    assert items("raise-memory-limit", "unblock", scene) == []
    assert items("raise-memory-limit", "unblock", {**scene, "target": {**target, "kind": "StatefulSet"}}) == ["a"]


def limited(memory: str, **changes: Any) -> Object:
    """A Deployment whose pod was killed for memory."""
    container = {"name": "app", "resources": {"limits": {"memory": "96Mi"}}}
    target = {
        "kind": "Deployment",
        "metadata": {"generation": 1},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": 1},
    }
    parameters = {"container": "app", "memory": memory}
    return {"target": target, "pods": [pod("a", **killed())], "parameters": parameters, "now": NOW, **changes}


@pytest.mark.parametrize(
    ("scene", "refused_by"),
    [
        (limited("256Mi"), []),
        (limited("384Mi"), []),
        (limited("385Mi"), ["limit-rises-at-most-fourfold"]),
        (limited("96Mi"), ["limit-rises-at-most-fourfold"]),
        (limited("256Mi", parameters={"container": "b", "memory": "1Gi"}), ["limit-rises", "is-killed"]),
        (limited("256Mi", pods=[pod("a", **killed("Error"))]), ["is-killed-for-memory"]),
        (limited("256Mi", pods=[pod("a", **killed(at="2026-03-01T11:00:00Z"))]), ["is-killed-for-memory"]),
        (limited("256Mi", pods=[pod("a")]), ["is-killed-for-memory"]),
    ],
)
def test_a_memory_limit_rises_where_it_helps_and_not_too_far(scene: Object, refused_by: list[str]) -> None:
    found = unmet("raise-memory-limit", scene)
    assert len(found) == len(refused_by)
    assert all(name.startswith(words) for name, words in zip(found, refused_by, strict=True))


def test_a_limit_that_was_raised_already_is_not_raised_again() -> None:
    """The pod that was killed had another limit."""
    scene = limited("384Mi")
    scene["target"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "128Mi"
    assert unmet("raise-memory-limit", scene) == ["is-killed-for-memory"]


def config_map(data: Object, applied: Object | None) -> Object:
    annotations = {} if applied is None else {APPLIED: json.dumps({"data": applied})}
    return {"metadata": {"name": "settings-v2", "annotations": annotations}, "data": data}


@pytest.mark.parametrize(
    ("live", "applied", "older", "restored"),
    [
        ({"a": "2"}, {"a": "1"}, [{"a": "0"}], {"a": "1"}),
        ({"a": "1"}, {"a": "1"}, [{"a": "0"}], {"a": "0"}),
        ({"a": "1"}, None, [{"a": "0"}], {"a": "0"}),
        ({"a": "1"}, {"a": "1"}, [{"a": "1"}], None),
        ({"a": "1"}, None, [], None),
    ],
)
def test_configuration_comes_from_a_named_source(
    live: Object, applied: Object | None, older: list[Object], restored: Object | None
) -> None:
    scene: Object = {
        "target": config_map(live, applied),
        "configMaps": [{"data": data} for data in older],
        "pods": [pod("a", ready=False, state={"waiting": {"reason": "CreateContainerConfigError"}})],
        "warnings": [],
        "now": NOW,
    }
    assert unmet("restore-config", scene) == ([] if restored else ["has-a-last-good-source"])
    if restored:
        operation = yaml.safe_load(step("restore-config", "restore").with_["ops"])[0]
        found = TEMPLATE.fullmatch(operation["value"])
        assert found is not None
        assert evaluate(found[1], scene) == restored


def test_a_program_that_runs_on_is_not_helped_by_its_configuration() -> None:
    running: Object = {"state": {"running": {"startedAt": NOW}}}
    scene = {
        "target": config_map({"a": "2"}, {"a": "1"}),
        "configMaps": [],
        "pods": [pod("a", ready=False, **running)],
        "warnings": [],
        "now": NOW,
    }
    assert unmet("restore-config", scene) == ["a-pod-cannot-use-it"]


def test_pods_that_are_older_than_the_last_kill_are_rotated() -> None:
    before, after = "2026-03-01T11:00:00Z", "2026-03-01T11:58:00Z"
    pods = [
        pod("killed", created=before, **killed()),
        pod("old", created=before),
        pod("young", created=after),
        pod("restarted", created=before, restarts=1),
    ]
    assert items("rotate-leaking-pods", "rotate", {"pods": pods}) == ["old"]


@pytest.mark.parametrize("family", ["delete-stuck-pod", "evict-pod"])
@pytest.mark.parametrize(
    ("others", "refused"),
    [
        ([pod("b")], False),
        ([pod("b", ready=False)], True),
        ([of_revision(pod("b"), "another")], True),
        ([], True),
    ],
)
def test_a_single_pod_is_taken_only_beside_a_ready_one_of_its_revision(
    family: str, others: list[Object], refused: bool
) -> None:
    target = pod("a", ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}})
    scene = {"target": target, "pods": [target, *others], "owner": {"kind": "StatefulSet"}, "now": NOW}
    assert ("another-of-the-same-revision-is-ready" in unmet(family, scene)) is refused


@pytest.mark.parametrize("owner", [None, {"kind": "Job"}])
def test_a_pod_that_no_workload_makes_again_stays(owner: Object | None) -> None:
    target = pod("a", ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}})
    scene = {"target": target, "pods": [target, pod("b")], "owner": owner, "now": NOW}
    assert "belongs-to-a-workload" in unmet("delete-stuck-pod", scene)
