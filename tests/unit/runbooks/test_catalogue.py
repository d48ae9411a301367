"""Each runbook of the catalogue acts where its fault is, refuses where it is not, and knows a cure when it sees one."""

from collections.abc import Callable
from typing import Any

import pytest

from interlock.crds.actions import TEMPLATE
from interlock.crds.cel import ExpressionError, evaluate
from interlock.crds.manifests import documents
from interlock.runbooks.lint import lint
from interlock.runbooks.loading import Loaded, load_catalogue

NOW = "2026-03-01T12:00:00.000Z"
Object = dict[str, Any]


def replica_set(revision: int, image: str, **annotations: str) -> Object:
    template: Object = {
        "metadata": {"labels": {"app": "web", "pod-template-hash": f"h{revision}"}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    if annotations:
        template["metadata"]["annotations"] = annotations
    return {
        "metadata": {
            "name": f"web-{revision}",
            "uid": f"rs-{revision}",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        },
        "spec": {"template": template},
    }


def pod(revision: int, *, ready: bool = True, container: Object | None = None) -> Object:
    running = {"state": {"running": {"startedAt": "2026-03-01T11:00:00Z"}}, "ready": ready, "restartCount": 0}
    return {
        "metadata": {"name": f"web-{revision}-x", "ownerReferences": [{"uid": f"rs-{revision}"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "app", **running, **(container or {})}],
        },
    }


def waiting(reason: str) -> Object:
    return {"state": {"waiting": {"reason": reason}}, "ready": False}


def crashed_at(time: str, *, ready: bool = False) -> Object:
    return {"restartCount": 3, "lastState": {"terminated": {"exitCode": 1, "finishedAt": time}}, "ready": ready}


def deployment(*, image: str, replicas: int = 2, **status: int) -> Object:
    healthy = {
        "observedGeneration": 4,
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
    }
    return {
        "metadata": {"name": "web", "generation": 4, "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
        "status": {**healthy, **status},
    }


def broken_rollout(container: Object | None = None) -> Object:
    """Revision 3 fails, revision 2 still serves: what a rollout with a wrong image looks like."""
    return {
        "target": deployment(image="shop/web:3", updatedReplicas=1, unavailableReplicas=1),
        "pods": [pod(3, ready=False, container=container or waiting("ImagePullBackOff")), pod(2), pod(2)],
        "revisions": [replica_set(3, "shop/web:3"), replica_set(2, "shop/web:2"), replica_set(1, "shop/web:1")],
        "parameters": {"toRevision": 0},
        "services": [],
        "now": NOW,
    }


def healthy(replicas: int = 2) -> Object:
    return {
        "target": deployment(image="shop/web:2", replicas=replicas),
        "pods": [pod(2) for _ in range(replicas)],
        "revisions": [replica_set(2, "shop/web:2"), replica_set(1, "shop/web:1")],
        "parameters": {"toRevision": 0, "replicas": 3},
        "services": [],
        "now": NOW,
    }


CATALOGUE = {item.runbook.spec.family: item for item in load_catalogue()}


def unmet(family: str, scene: Object) -> list[str]:
    """The preconditions that do not hold; an error counts as not holding."""

    def holds(expression: str) -> bool:
        try:
            return evaluate(expression, scene) is True
        except ExpressionError:
            return False

    return [p.name for p in CATALOGUE[family].runbook.spec.preconditions if not holds(p.expression)]


def failed_checks(family: str, scene: Object) -> list[str]:
    verification = CATALOGUE[family].runbook.spec.verification
    assert verification is not None
    return [c.name for c in verification.checks if c.expression and evaluate(c.expression, scene) is not True]


def argument(family: str, step: int, name: str, scene: Object) -> Any:
    match = TEMPLATE.fullmatch(CATALOGUE[family].runbook.spec.steps[step].with_[name])
    assert match is not None
    return evaluate(match[1], scene)


def changed(scene: Object, change: Callable[[Object], Any]) -> Object:
    change(scene)
    return scene


@pytest.mark.parametrize("loaded", CATALOGUE.values(), ids=CATALOGUE)
def test_lint_finds_nothing(loaded: Loaded) -> None:
    assert lint(loaded) == ()


@pytest.mark.parametrize("loaded", CATALOGUE.values(), ids=CATALOGUE)
def test_the_page_answers_what_the_on_call_asks(loaded: Loaded) -> None:
    for question in ("When", "What it does", "What it will not do", "How to undo it by hand", "What if it fails"):
        assert f"## {question}\n" in loaded.page


@pytest.mark.parametrize(
    "container",
    [
        waiting("ImagePullBackOff"),
        waiting("InvalidImageName"),
        waiting("CreateContainerConfigError"),
        waiting("CrashLoopBackOff"),
        {"state": {"terminated": {"exitCode": 1}}, "ready": False},
        crashed_at("2026-03-01T11:59:00Z"),
        crashed_at("2026-03-01T11:59:00Z", ready=True),
        {"ready": False},
    ],
    ids=["pull", "name", "config", "loop", "crashed", "restarting", "between-two-crashes", "probe"],
)
def test_rollback_accepts_a_failing_newest_revision(container: Object) -> None:
    assert unmet("rollback-deployment", broken_rollout(container)) == []


def test_rollback_accepts_a_failing_init_container() -> None:
    scene = broken_rollout({"state": {"waiting": {"reason": "PodInitializing"}}, "ready": False})
    scene["pods"][0]["status"]["initContainerStatuses"] = [waiting("CrashLoopBackOff")]
    assert unmet("rollback-deployment", scene) == []


def told(address: str, before: str) -> Object:
    """All pods are ready, and the newest revision is told another address than the one before."""
    scene = broken_rollout() | {"pods": [pod(3), pod(2)], "services": [ORDERS]}
    for revision, value in zip(scene["revisions"], (address, before, before), strict=True):
        revision["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "ORDERS_ADDR", "value": value}]
    return scene


ORDERS: Object = {"metadata": {"name": "orders"}, "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 8080}]}}


def test_an_address_that_leads_nowhere_is_reason_enough_to_go_back() -> None:
    assert unmet("rollback-deployment", told("ordres:8080", "orders:8080")) == []
    for address, before in (("ordres:8080", "ordres:8080"), ("pay.example:1", "orders:8080")):
        assert unmet("rollback-deployment", told(address, before)) == ["newest-revision-fails"]


def test_nobody_goes_back_to_an_address_that_leads_nowhere() -> None:
    failing = {"pods": [pod(3, ready=False, container=waiting("CrashLoopBackOff")), pod(2)]}
    assert unmet("rollback-deployment", told("orders:8080", "ordres:8080") | failing) == [
        "older-revision-calls-somebody"
    ]
    assert unmet("rollback-deployment", told("ordres:8080", "ordres:8080") | failing) == []


def test_a_rollback_is_proven_by_the_address_that_leads_somewhere() -> None:
    assert "no-address-leads-nowhere" in failed_checks("rollback-deployment", told("ordres:8080", "orders:8080"))
    assert "no-address-leads-nowhere" not in failed_checks("rollback-deployment", told("orders:8080", "ordres:8080"))


def test_a_mount_that_fails_is_reason_enough_to_go_back() -> None:
    scene = broken_rollout(waiting("ContainerCreating"))
    scene["pods"][0]["metadata"]["uid"] = "p"
    failed = {"reason": "FailedMount", "involvedObject": {"uid": "p"}}
    assert unmet("rollback-deployment", scene | {"warnings": [failed], "services": []}) == []
    assert unmet("rollback-deployment", scene | {"warnings": [], "services": []}) == ["newest-revision-fails"]


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        (lambda s: s.update(healthy()), "newest-revision-fails"),
        (lambda s: s.update(pods=[pod(3), *s["pods"][1:]]), "newest-revision-fails"),
        (lambda s: s["pods"][0]["metadata"].update(deletionTimestamp=NOW), "newest-revision-fails"),
        (
            lambda s: s.update(pods=[pod(2, ready=False, container=waiting("CrashLoopBackOff"))]),
            "newest-revision-fails",
        ),
        (
            lambda s: s["pods"][0]["status"].update(
                containerStatuses=[{"ready": False, "state": {"running": {"startedAt": "2026-03-01T11:59:30Z"}}}]
            ),
            "newest-revision-fails",
        ),
        (
            lambda s: s["pods"][0]["status"].update(
                containerStatuses=[{**crashed_at("2026-03-01T09:00:00Z", ready=True), "state": {}}]
            ),
            "newest-revision-fails",
        ),
        (lambda s: s.update(revisions=s["revisions"][:1]), "older-revision-exists"),
        (lambda s: s["parameters"].update(toRevision=7), "older-revision-exists"),
        (lambda s: s["parameters"].update(toRevision=3), "older-revision-exists"),
        (lambda s: s["target"]["spec"].update(paused=True), "rollout-is-observed"),
        (lambda s: s["target"]["metadata"].update(generation=5), "rollout-is-observed"),
        (lambda s: s["target"]["spec"].update(replicas=0), "rollout-is-observed"),
        (
            lambda s: s["target"]["metadata"]["labels"].update({"kustomize.toolkit.fluxcd.io/name": "shop"}),
            "not-managed-by-gitops",
        ),
        (
            lambda s: s["target"]["metadata"].update(annotations={"argocd.argoproj.io/tracking-id": "shop"}),
            "not-managed-by-gitops",
        ),
    ],
)
def test_rollback_refuses_where_it_would_not_help(change: Callable[[Object], Any], refused_by: str) -> None:
    assert refused_by in unmet("rollback-deployment", changed(broken_rollout(), change))


def test_rollback_goes_to_the_last_revision_with_another_pod_spec() -> None:
    scene = broken_rollout()
    assert argument("rollback-deployment", 0, "toRevision", scene) == 2
    restarted = [replica_set(4, "shop/web:3", restartedAt="now"), *scene["revisions"]]
    assert argument("rollback-deployment", 0, "toRevision", {**scene, "revisions": restarted}) == 2


def test_rollback_goes_to_the_revision_that_was_named() -> None:
    scene = broken_rollout() | {"parameters": {"toRevision": 1}}
    assert unmet("rollback-deployment", scene) == []
    assert argument("rollback-deployment", 0, "toRevision", scene) == 1


def test_rollback_knows_the_cure() -> None:
    scene = healthy()
    assert failed_checks("rollback-deployment", scene) == []
    until = CATALOGUE["rollback-deployment"].runbook.spec.steps[1].with_["until"]
    assert evaluate(until, scene) is True
    assert evaluate(until, broken_rollout()) is False


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda s: s["target"]["status"].update(availableReplicas=1), "all-replicas-updated-and-available"),
        (lambda s: s["target"]["status"].update(unavailableReplicas=1), "all-replicas-updated-and-available"),
        (lambda s: s["pods"].append(pod(2, ready=False)), "no-pod-fails"),
        (lambda s: s["pods"].append(pod(1)), "only-the-restored-revision-runs"),
    ],
)
def test_rollback_is_not_content_with_less(change: Callable[[Object], Any], check: str) -> None:
    assert failed_checks("rollback-deployment", changed(healthy(), change)) == [check]


def unready() -> Object:
    scene = healthy()
    scene["pods"][0] = pod(2, ready=False)
    return scene


def test_restart_accepts_a_running_pod_that_became_unready() -> None:
    assert unmet("restart-deployment", unready()) == []


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        (lambda s: s.update(healthy()), "a-running-pod-has-become-unready"),
        (
            lambda s: s["pods"][0]["status"]["containerStatuses"][0].update(
                state={"running": {"startedAt": "2026-03-01T11:58:30Z"}}
            ),
            "a-running-pod-has-become-unready",
        ),
        (
            lambda s: s["pods"].append(pod(2, ready=False, container=waiting("CrashLoopBackOff"))),
            "no-container-fails-to-start",
        ),
        (lambda s: s["target"]["status"].update(updatedReplicas=1), "no-rollout-under-way"),
        (lambda s: s["target"]["spec"].update(paused=True), "no-rollout-under-way"),
    ],
)
def test_restart_refuses_where_it_would_not_help(change: Callable[[Object], Any], refused_by: str) -> None:
    assert refused_by in unmet("restart-deployment", changed(unready(), change))


def test_restart_knows_the_cure() -> None:
    assert failed_checks("restart-deployment", healthy()) == []
    assert failed_checks("restart-deployment", unready()) == ["no-pod-is-unready"]


@pytest.mark.parametrize("replicas", [0, 1, 2])
def test_scale_accepts_a_well_deployment_with_fewer_replicas(replicas: int) -> None:
    assert unmet("scale-deployment", healthy(replicas)) == []
    assert argument("scale-deployment", 0, "replicas", healthy(replicas)) == 3


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        (lambda s: s["parameters"].update(replicas=2), "fewer-replicas-than-asked-for"),
        (lambda s: s["parameters"].update(replicas=1), "fewer-replicas-than-asked-for"),
        (lambda s: s["pods"].append(pod(2, ready=False)), "existing-pods-are-well"),
        (lambda s: s["target"]["status"].update(readyReplicas=1), "existing-pods-are-well"),
    ],
)
def test_scale_refuses_where_it_would_not_help(change: Callable[[Object], Any], refused_by: str) -> None:
    assert refused_by in unmet("scale-deployment", changed(healthy(), change))


def test_scale_knows_the_cure() -> None:
    assert failed_checks("scale-deployment", healthy(3)) == []
    assert "all-replicas-available" in failed_checks("scale-deployment", healthy(2))


def test_escalate_changes_nothing() -> None:
    spec = CATALOGUE["escalate"].runbook.spec
    assert (spec.type, spec.risk, spec.steps, spec.permissions) == ("Handover", "Low", [], [])


def test_the_agents_may_ask_for_every_family_and_hand_over_where_nothing_is_done() -> None:
    roles = {role["metadata"]["name"]: role["rules"] for role in documents("install") if role["kind"] == "ClusterRole"}
    catalogue = [loaded.runbook.spec for loaded in load_catalogue()]
    assert named(roles["interlock-agents"], "execute") == {spec.family for spec in catalogue}
    handovers = {spec.family for spec in catalogue if spec.type == "Handover"}
    assert named(roles["interlock-agents-system"], "handover") == handovers


def named(rules: list[Object], verb: str) -> set[str]:
    return {name for rule in rules if verb in rule["verbs"] for name in rule["resourceNames"]}
