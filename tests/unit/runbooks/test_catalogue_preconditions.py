"""Every precondition of the catalogue refuses something: by a Control that is tried on a cluster, or a scene here."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.runbooks.test_catalogue import CATALOGUE, NOW, Object, broken_rollout, healthy, pod, unmet
from tests.unit.runbooks.test_catalogue_platform import REFUSED

from interlock.runbooks.scenario import load_scenarios

Change = Callable[[Object], Any]
ACTING = {family: loaded for family, loaded in CATALOGUE.items() if loaded.runbook.spec.type != "Handover"}
DEPLOYMENT: Object = {
    "metadata": {"generation": 4},
    "spec": {"replicas": 2, "template": {"spec": {"containers": []}}},
    "status": {"observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
}
DAEMONSET: Object = {
    "metadata": {"generation": 4},
    "spec": {"updateStrategy": {"type": "RollingUpdate"}},
    "status": {"observedGeneration": 4, "desiredNumberScheduled": 3},
}


def rollout() -> Object:
    return {"target": copy.deepcopy(DEPLOYMENT)}


def daemons() -> Object:
    return {"target": copy.deepcopy(DAEMONSET)}


def single() -> Object:
    """One pod of two that a Deployment has."""
    one, other = (
        {
            "metadata": {"uid": uid, "labels": {"controller-revision-hash": "h"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        for uid in ("a", "b")
    )
    return {"target": one, "owner": {"kind": "Deployment"}, "pods": [one, other]}


def waiting_for_a_claim() -> Object:
    pending = pod(3, ready=False)
    pending["status"]["phase"] = "Pending"
    return broken_rollout() | {"pods": [pending]}


def told_nobody() -> Object:
    """The revision before is told an address that no Service has."""
    found = broken_rollout()
    container = found["revisions"][1]["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "ORDERS_ADDR", "value": "orders:8080"}]
    return found


def nowhere_to_stand() -> Object:
    """A pod of the newest revision waits for a node that has what only this revision asks for."""
    waits: Object = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    waiting = pod(3)
    waiting["status"] = {"conditions": [{**waits, "lastTransitionTime": "2026-03-01T11:50:00Z"}]}
    found = broken_rollout() | {"pods": [waiting, pod(2)], "services": []}
    found["revisions"][0]["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    return found


def leaking() -> Object:
    """One was killed a minute ago, the other is older than that."""
    killed = {"terminated": {"reason": "OOMKilled", "finishedAt": "2026-03-01T11:59:00Z"}}
    pods = [pod(2, container={"restartCount": 1, "lastState": killed}), pod(2)]
    for each in pods:
        each["metadata"]["creationTimestamp"] = "2026-03-01T09:00:00Z"
    return {"target": copy.deepcopy(DEPLOYMENT), "pods": pods, "now": NOW}


def secrets() -> Object:
    return rollout() | {"parameters": {"secret": "registry"}}


def settings() -> Object:
    return {"target": {"data": {}}}


def of(part: str, **values: Any) -> Change:
    """Sets something in a part of the target."""

    def change(scene: Object) -> None:
        scene["target"].setdefault(part, {}).update(values)

    return change


BEHIND, PAUSED, ZERO = of("status", observedGeneration=3), of("spec", paused=True), of("spec", replicas=0)
CAN_ROLL_OUT = [
    *(BEHIND, PAUSED, ZERO),
    of("spec", updateStrategy={"type": "OnDelete"}),
    of("spec", updateStrategy={"rollingUpdate": {"partition": 1}}),
]
OF_A_WORKLOAD: list[Change] = [
    lambda s: s.update(owner=None),
    lambda s: s.update(owner={"kind": "Job"}),
    of("metadata", deletionTimestamp=NOW),
]
NO_REASON_TO_GO_BACK: list[Change] = [
    lambda s: s["pods"].pop(0),
    lambda s: s["pods"][0]["metadata"].update(ownerReferences=[{"uid": "rs-2"}]),
    lambda s: s["pods"][0]["status"]["conditions"][0].update(lastTransitionTime="2026-03-01T11:59:50Z"),
    lambda s: s["pods"][0]["status"]["conditions"][0].update(reason="SchedulingGated"),
    # It waits for what the revision before asked for as well.
    lambda s: s["revisions"][1]["spec"]["template"]["spec"].update(nodeSelector={"disk": "ssd"}),
]
SCENES: dict[tuple[str, str], tuple[Callable[[], Object], list[Change]]] = {
    ("attach-pull-secret", "rollout-is-observed"): (rollout, [BEHIND, PAUSED, ZERO]),
    ("attach-pull-secret", "is-not-attached-yet"): (
        secrets,
        [lambda s: s["target"]["spec"]["template"]["spec"].update(imagePullSecrets=[{"name": "registry"}])],
    ),
    ("delete-stuck-pod", "belongs-to-a-workload"): (single, OF_A_WORKLOAD),
    ("evict-pod", "belongs-to-a-workload"): (single, OF_A_WORKLOAD),
    ("evict-pod", "another-of-the-same-revision-is-ready"): (
        single,
        [
            lambda s: s["pods"].pop(),
            lambda s: s["pods"][1]["metadata"].update(deletionTimestamp=NOW),
            lambda s: s["pods"][1]["status"].update(conditions=[]),
            lambda s: s["pods"][1]["metadata"].update(labels={"controller-revision-hash": "other"}),
        ],
    ),
    ("fix-probe", "rollout-is-observed"): (rollout, [BEHIND, PAUSED, ZERO]),
    ("pause-rollout", "newest-revision-fails"): (broken_rollout, [lambda s: s.update(pods=[pod(3), pod(2)])]),
    ("raise-cpu-limit", "can-roll-out"): (rollout, CAN_ROLL_OUT),
    ("raise-memory-limit", "can-roll-out"): (rollout, CAN_ROLL_OUT),
    ("restart-deployment", "no-rollout-under-way"): (healthy, [BEHIND, PAUSED, ZERO, of("status", updatedReplicas=1)]),
    ("restart-deployment", "no-container-fails-to-start"): (
        healthy,
        [lambda s: s["pods"].append(pod(2, container={"state": {"waiting": {"reason": "CrashLoopBackOff"}}}))],
    ),
    ("restore-config", "may-be-changed"): (settings, [lambda s: s["target"].update(immutable=True)]),
    ("restore-pvc-reference", "rollout-is-observed"): (rollout, [BEHIND, PAUSED, ZERO]),
    ("restore-pvc-reference", "a-pod-waits-for-it"): (
        waiting_for_a_claim,
        [
            lambda s: s["pods"][0]["status"].update(phase="Running"),
            lambda s: s["pods"][0]["metadata"].update(deletionTimestamp=NOW),
            lambda s: s["revisions"].pop(0),
        ],
    ),
    ("rollback-daemonset", "rollout-is-observed"): (
        daemons,
        [BEHIND, of("status", desiredNumberScheduled=0), of("spec", updateStrategy={"type": "OnDelete"})],
    ),
    ("rollback-deployment", "rollout-is-observed"): (rollout, [BEHIND, PAUSED, ZERO]),
    ("rollback-deployment", "newest-revision-fails"): (nowhere_to_stand, NO_REASON_TO_GO_BACK),
    ("rollback-deployment", "older-revision-calls-somebody"): (broken_rollout, [lambda s: s.update(told_nobody())]),
    ("rollback-deployment", "older-revision-exists"): (
        broken_rollout,
        [lambda s: s.update(revisions=s["revisions"][:1]), lambda s: s["parameters"].update(toRevision=7)],
    ),
    ("rotate-leaking-pods", "no-rollout-under-way"): (
        rollout,
        [BEHIND, of("status", updatedReplicas=1), of("status", replicas=3), of("status", availableReplicas=1)],
    ),
    ("rotate-leaking-pods", "older-pods-are-left"): (
        leaking,
        [
            lambda s: s["pods"][1]["metadata"].update(creationTimestamp=NOW),
            lambda s: s["pods"][0]["status"]["containerStatuses"][0].update(lastState={}),
        ],
    ),
}
MARKS: dict[str, list[Change]] = {
    "not-managed-by-gitops": [
        of("metadata", annotations={"argocd.argoproj.io/tracking-id": "shop"}),
        of("metadata", labels={"argocd.argoproj.io/instance": "shop"}),
        of("metadata", labels={"kustomize.toolkit.fluxcd.io/name": "shop"}),
        of("metadata", labels={"helm.toolkit.fluxcd.io/name": "shop"}),
    ],
    "not-on-purpose": [of("metadata", annotations={"interlock.dev/on-purpose": ""})],
}
"""What somebody says of an object, whatever the runbook."""
MARKED = [
    (family, precondition.name)
    for family, loaded in ACTING.items()
    for precondition in loaded.runbook.spec.preconditions
    if precondition.name in MARKS
]


@pytest.mark.parametrize(("family", "name"), SCENES)
def test_it_refuses_what_it_would_not_help(family: str, name: str) -> None:
    scene, changes = SCENES[family, name]
    assert name not in unmet(family, scene())
    for number, change in enumerate(changes):
        other = scene()
        change(other)
        assert name in unmet(family, other), f"change {number}"


@pytest.mark.parametrize(("family", "name"), MARKED)
def test_it_leaves_alone_what_somebody_has_marked(family: str, name: str) -> None:
    plain: Object = {"target": {"metadata": {"name": "web"}}}
    assert name not in unmet(family, plain)
    for change in MARKS[name]:
        marked = copy.deepcopy(plain)
        change(marked)
        assert name in unmet(family, marked)


def test_no_precondition_is_left_out() -> None:
    tried = {*SCENES, *MARKED, *((family, name) for family, name, _ in REFUSED)}
    for family, loaded in ACTING.items():
        tried |= {(family, item.scenario.refused_by or "") for item in load_scenarios(loaded)}
    # What one test takes by itself beside this table.
    tried.add(("recreate-job", "no-later-run-is-well"))
    declared = {(family, p.name) for family, loaded in ACTING.items() for p in loaded.runbook.spec.preconditions}
    assert declared - tried == set()
