"""What runbooks on quotas, budgets, Services, Jobs and nodes decide by: each precondition has a scene it refuses."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.runbooks.test_catalogue import CATALOGUE, NOW, failed_checks, unmet

Object = dict[str, Any]
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ON_PURPOSE = {"interlock.dev/on-purpose": "because"}
BY_ARGO = {"argocd.argoproj.io/tracking-id": "shop:v1/x"}
LONG_AGO = "2026-03-01T09:00:00Z"


def conditions(**of: str) -> list[Object]:
    return [{"type": kind, "status": status, "lastTransitionTime": LONG_AGO} for kind, status in of.items()]


def meta(name: str, **more: Any) -> Object:
    return {"name": name, "uid": name, "generation": 1, "creationTimestamp": LONG_AGO, "annotations": {}, **more}


def pod(name: str, *, node: str = "node-1", ready: bool = True, said: str = "", **more: Any) -> Object:
    scheduled = {"type": "PodScheduled", "status": "True" if node else "False", "message": said}
    spec = {"containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8080}]}], **more}
    return {
        "metadata": meta(name),
        "spec": {**spec, **({"nodeName": node} if node else {})},
        "status": {
            "phase": "Running" if node else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready and bool(node))}, scheduled],
            "containerStatuses": [{"name": "app", "restartCount": 0}],
        },
    }


def workload(name: str = "web", *, wanted: int = 2, available: int = 2, failure: str = "") -> Object:
    found = conditions(ReplicaFailure="True") if failure else []
    template = {"metadata": {"labels": {"app": name}}, "spec": pod("x")["spec"]}
    return {
        "kind": "Deployment",
        "metadata": meta(name),
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": name}}, "template": template},
        "status": {
            "availableReplicas": available,
            "readyReplicas": available,
            "conditions": [{**c, "message": failure} for c in found],
        },
    }


REFUSAL = 'pods "web-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2'


def quota() -> Object:
    return {
        "target": {"metadata": meta("team"), "spec": {"hard": {"pods": "2"}}},
        "workloads": [workload(wanted=3, failure=REFUSAL)],
        "parameters": {"resource": "pods", "hard": "4"},
        "steps": {"measure": {"refused": ["web"]}},
        "now": NOW,
    }


def budget() -> Object:
    status = {"observedGeneration": 1, "expectedPods": 2, "currentHealthy": 2, "desiredHealthy": 2}
    return {
        "target": {"metadata": meta("web"), "spec": {"minAvailable": 2}, "status": {**status, "disruptionsAllowed": 0}},
        "pods": [pod("a"), pod("b", node="node-2")],
        "nodes": [node("node-1", unschedulable=True), node("node-2")],
        "now": NOW,
    }


def node(name: str = "node-1", *, taints: list[Object] | None = None, more: str = "", **spec: Any) -> Object:
    found = conditions(Ready="True", DiskPressure="False", **({more: "True"} if more else {}))
    labels = {"pool": "web", "kubernetes.io/hostname": name}
    return {
        "metadata": meta(name, labels=labels),
        "spec": {**spec, **({"taints": taints} if taints else {})},
        "status": {"conditions": found},
    }


def cordoned() -> Object:
    waiting = pod(
        "w", node="", said="0/2 nodes are available: 1 node(s) were unschedulable", nodeSelector={"pool": "web"}
    )
    return {"target": node(unschedulable=True), "pods": [waiting], "now": NOW}


def tainted(effect: str = "NoSchedule", key: str = "old") -> Object:
    said = f"0/2 nodes are available: 1 node(s) had untolerated taint {{{key}: x}}"
    waiting = pod("w", node="", said=said)
    taints = [{"key": key, "effect": effect}]
    return {"target": node(taints=taints), "pods": [waiting], "parameters": {"key": key}, "now": NOW}


def sick() -> Object:
    return {
        "target": node(more="KernelDeadlock"),
        "nodes": [node(more="KernelDeadlock"), node("node-2")],
        "pods": [pod("a")],
        "now": NOW,
    }


def service(selector: Object | None = None, port: Any = "http") -> Object:
    applied = {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}}
    reached = selector is None
    return {
        "target": {
            "metadata": meta("web", annotations={APPLIED: json.dumps(applied)}),
            "spec": {"selector": selector or {"app": "web"}, "ports": [{"port": 80, "targetPort": port}]},
        },
        "endpointSlices": [{"endpoints": [{"conditions": {"ready": True}}] if reached else []}],
        "pods": [pod("a")] if reached else [],
        "workloads": [workload()],
        "now": NOW,
    }


def never_recorded() -> Object:
    found = service({"app": "wbe"})
    found["target"]["metadata"]["annotations"] = {}
    return found


def job(name: str = "export", *, ended: str = "Failed", **status: int) -> Object:
    return {
        "metadata": meta(name),
        "spec": {"suspend": False},
        "status": {"conditions": conditions(**{ended: "True"}) if ended else [], **status},
    }


def failed() -> Object:
    return {"target": job(), "jobs": [job()], "now": NOW}


def runaway() -> Object:
    return {"target": job(ended="", active=3, failed=9), "pods": [pod("a")], "workloads": [workload()], "now": NOW}


def of_cron(name: str, ended: str = "") -> Object:
    made = job(name, ended=ended)
    made["metadata"]["ownerReferences"] = [{"uid": "report"}]
    return made


def piling_up() -> Object:
    jobs = [of_cron("a"), of_cron("b"), of_cron("c"), of_cron("d", "Complete")]
    return {"target": {"metadata": meta("report"), "spec": {}}, "jobs": jobs, "now": NOW}


LIMITED = {"conditions": [{"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}]}


def maxed() -> Object:
    status = {"currentReplicas": 4, "desiredReplicas": 4, **LIMITED}
    return {
        "target": {"metadata": meta("web"), "spec": {"maxReplicas": 4}, "status": status},
        "pods": [pod(name) for name in "abcd"],
        "parameters": {"maxReplicas": 6},
        "steps": {"measure": {"replicas": 4}},
        "now": NOW,
    }


def policy(port: int = 81) -> Object:
    """A policy as the API server keeps it, beside what was applied; they differ in the port."""
    callers = [{"podSelector": {"matchLabels": {"app": "api"}}}]
    applied = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": callers, "ports": [{"port": 80}]}]}
    kept = [{"from": callers, "ports": [{"port": port, "protocol": "TCP"}]}]
    running = pod("a")
    running["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": LONG_AGO}}
    short = workload(available=0)
    short["status"]["updatedReplicas"] = 2
    return {
        "target": {
            "metadata": meta("web", annotations={APPLIED: json.dumps({"spec": applied})}),
            "spec": {**applied, "policyTypes": ["Ingress"], "ingress": kept},
        },
        "pods": [running],
        "workloads": [short],
        "services": [],
        "steps": {"measure": {"short": ["web"], "blocked": [], "edited": True}},
        "now": NOW,
    }


def deaf() -> Object:
    hangs = pod("a", ready=False)
    hangs["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": LONG_AGO}}
    counts = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 0, "observedGeneration": 1}
    return {
        "target": {
            "metadata": meta("coredns", labels={"k8s-app": "kube-dns"}),
            "spec": {"replicas": 2, "strategy": {"type": "RollingUpdate"}},
            "status": counts,
        },
        "pods": [hangs],
        "now": NOW,
    }


def new_policy(created: str = "2026-03-01T11:50:00Z") -> Object:
    """One that nobody has edited since it was made."""
    found = policy(80)
    found["target"]["metadata"]["creationTimestamp"] = created
    return found


def born_late() -> Object:
    found = workload(available=0)
    found["metadata"]["creationTimestamp"] = "2026-03-01T11:50:00Z"
    return found


FAULTS: dict[str, Callable[[], Object]] = {
    "raise-hpa-max": maxed,
    "revert-network-policy": policy,
    "restart-coredns": deaf,
    "raise-quota": quota,
    "relax-pdb-temporarily": budget,
    "uncordon-node": cordoned,
    "remove-taint": tainted,
    "cordon-and-drain-node": sick,
    "restore-service-spec": lambda: service({"app": "wbe"}),
    "recreate-job": failed,
    "stop-runaway-job": runaway,
    "suspend-cronjob": piling_up,
}


@pytest.mark.parametrize("family", FAULTS)
def test_it_acts_on_its_fault(family: str) -> None:
    assert unmet(family, FAULTS[family]()) == []


def test_a_policy_that_is_new_is_taken_back_as_well() -> None:
    assert unmet("revert-network-policy", new_policy()) == []


Change = Callable[[Object], Any]
REFUSED: list[tuple[str, str, Change]] = [
    ("raise-hpa-max", "at-most-twofold", lambda s: s["parameters"].update(maxReplicas=9)),
    ("raise-hpa-max", "at-most-twofold", lambda s: s["parameters"].update(maxReplicas=4)),
    ("raise-hpa-max", "its-maximum-holds-it-back", lambda s: s["target"]["status"].update(currentReplicas=3)),
    ("raise-hpa-max", "its-maximum-holds-it-back", lambda s: s["target"]["status"].update(conditions=[])),
    ("raise-hpa-max", "its-pods-serve", lambda s: s["pods"].append(pod("e", ready=False))),
    ("raise-hpa-max", "its-pods-serve", lambda s: s.update(pods=[])),
    ("raise-hpa-max", "not-on-purpose", lambda s: s["target"]["metadata"].update(annotations=ON_PURPOSE)),
    ("revert-network-policy", "is-new-or-was-otherwise", lambda s: s["target"]["metadata"].update(annotations={})),
    ("revert-network-policy", "is-new-or-was-otherwise", lambda s: s.update(policy(80))),
    ("revert-network-policy", "is-new-or-was-otherwise", lambda s: s.update(new_policy("2026-03-01T09:59:00Z"))),
    ("revert-network-policy", "is-new-or-was-otherwise", lambda s: s.update(new_policy(), workloads=[born_late()])),
    ("revert-network-policy", "keeps-workloads-apart", lambda s: s.update(workloads=[workload()])),
    ("revert-network-policy", "what-it-selects-runs", lambda s: s.update(pods=[pod("a", node="")])),
    ("revert-network-policy", "not-on-purpose", lambda s: s["target"]["metadata"]["annotations"].update(ON_PURPOSE)),
    (
        "revert-network-policy",
        "not-managed-by-gitops",
        lambda s: s["target"]["metadata"]["annotations"].update(BY_ARGO),
    ),
    ("restart-coredns", "is-the-dns-of-the-cluster", lambda s: s["target"]["metadata"].update(name="web")),
    ("restart-coredns", "is-the-dns-of-the-cluster", lambda s: s["target"]["metadata"].update(labels={})),
    ("restart-coredns", "is-replaced-one-by-one", lambda s: s["target"]["spec"]["strategy"].update(type="Recreate")),
    ("restart-coredns", "no-rollout-under-way", lambda s: s["target"]["status"].update(updatedReplicas=1)),
    ("restart-coredns", "a-running-pod-has-become-unready", lambda s: s.update(pods=[pod("a")])),
    (
        "restart-coredns",
        "no-container-fails-to-start",
        lambda s: s["pods"][0]["status"]["containerStatuses"].append({"state": {"waiting": {"reason": "x"}}}),
    ),
    ("raise-quota", "at-most-twofold", lambda s: s["parameters"].update(hard="5")),
    ("raise-quota", "at-most-twofold", lambda s: s["parameters"].update(hard="2")),
    ("raise-quota", "at-most-twofold", lambda s: s["parameters"].update(resource="cpu")),
    ("raise-quota", "refuses-a-deployment", lambda s: s.update(workloads=[workload()])),
    ("raise-quota", "refuses-a-deployment", lambda s: s["target"]["metadata"].update(name="other")),
    ("raise-quota", "not-on-purpose", lambda s: s["target"]["metadata"].update(annotations=ON_PURPOSE)),
    ("raise-quota", "not-on-purpose", lambda s: s["target"]["metadata"].update(name="interlock")),
    ("raise-quota", "not-managed-by-gitops", lambda s: s["target"]["metadata"].update(annotations=BY_ARGO)),
    ("relax-pdb-temporarily", "all-its-pods-are-well", lambda s: s["target"]["status"].update(currentHealthy=1)),
    ("relax-pdb-temporarily", "all-its-pods-are-well", lambda s: s["target"]["status"].update(expectedPods=1)),
    ("relax-pdb-temporarily", "lets-no-pod-go", lambda s: s["target"]["status"].update(disruptionsAllowed=1)),
    ("relax-pdb-temporarily", "keeps-a-node-from-being-drained", lambda s: s["nodes"].pop(0)),
    ("relax-pdb-temporarily", "not-on-purpose", lambda s: s["target"]["metadata"].update(annotations=ON_PURPOSE)),
    ("uncordon-node", "cordoned-and-nothing-else", lambda s: s["target"]["spec"].update(unschedulable=False)),
    (
        "uncordon-node",
        "cordoned-and-nothing-else",
        lambda s: s["target"]["spec"].update(taints=[{"key": "x", "effect": "NoExecute"}]),
    ),
    ("uncordon-node", "the-node-is-well", lambda s: s.update(target=node(unschedulable=True, more="PIDPressure"))),
    ("uncordon-node", "pods-wait-for-it", lambda s: s.update(pods=[pod("a")])),
    ("uncordon-node", "pods-wait-for-it", lambda s: s["pods"][0]["spec"].update(nodeSelector={"pool": "other"})),
    ("uncordon-node", "not-on-purpose", lambda s: s["target"]["metadata"].update(annotations=ON_PURPOSE)),
    ("remove-taint", "a-taint-that-people-set", lambda s: s["parameters"].update(key="other")),
    ("remove-taint", "a-taint-that-people-set", lambda s: s.update(tainted("NoExecute"))),
    ("remove-taint", "a-taint-that-people-set", lambda s: s.update(tainted(key="node.kubernetes.io/not-ready"))),
    ("remove-taint", "a-taint-that-people-set", lambda s: s.update(tainted(key="ToBeDeletedByClusterAutoscaler"))),
    ("remove-taint", "the-node-is-well", lambda s: s["target"]["spec"].update(unschedulable=True)),
    ("remove-taint", "pods-wait-for-it", lambda s: s.update(pods=[pod("a")])),
    ("remove-taint", "pods-wait-for-it", lambda s: s["pods"][0]["spec"].update(tolerations=[{"key": "old"}])),
    ("cordon-and-drain-node", "the-node-has-a-problem", lambda s: s.update(target=node())),
    ("cordon-and-drain-node", "its-kubelet-answers", lambda s: s["target"]["status"]["conditions"].pop(0)),
    ("cordon-and-drain-node", "others-are-well", lambda s: s["nodes"].pop()),
    ("cordon-and-drain-node", "others-are-well", lambda s: s["nodes"][1]["spec"].update(unschedulable=True)),
    (
        "cordon-and-drain-node",
        "nobody-waits-for-a-node",
        lambda s: s["pods"].append(pod("w", node="", said="0/2 nodes are available: 2 Insufficient cpu.")),
    ),
    ("restore-service-spec", "differs-from-what-is-meant", lambda s: s.update(service())),
    (
        "restore-service-spec",
        "selects-nobody-or-stood-otherwise",
        lambda s: s.update(never_recorded(), pods=[pod("a")]),
    ),
    (
        "restore-service-spec",
        "reaches-nobody",
        lambda s: s.update(service({"app": "wbe"}), endpointSlices=service()["endpointSlices"], pods=[pod("a")]),
    ),
    ("restore-service-spec", "what-is-meant-is-known", lambda s: s.update(workloads=[workload(available=0)])),
    ("restore-service-spec", "what-is-meant-is-known", lambda s: s.update(workloads=[workload("other")])),
    ("recreate-job", "failed", lambda s: s.update(target=job(ended="Complete"))),
    (
        "recreate-job",
        "not-run-again-yet",
        lambda s: s["jobs"].append(
            {**job("copy"), "metadata": meta("copy", annotations={"interlock.dev/copy-of": "export"})}
        ),
    ),
    (
        "recreate-job",
        "not-run-again-yet",
        lambda s: s["target"]["metadata"].update(annotations={"interlock.dev/copy-of": "x"}),
    ),
    ("stop-runaway-job", "runs", lambda s: s["target"]["spec"].update(suspend=True)),
    ("stop-runaway-job", "runs-away", lambda s: s["target"]["status"].update(succeeded=1)),
    ("stop-runaway-job", "runs-away", lambda s: s["target"]["status"].update(failed=2)),
    ("stop-runaway-job", "runs-away", lambda s: s["target"]["status"].update(failed=0, active=30)),
    ("suspend-cronjob", "its-jobs-pile-up", lambda s: s["jobs"].pop(0)),
    ("suspend-cronjob", "not-suspended", lambda s: s["target"]["spec"].update(suspend=True)),
]


@pytest.mark.parametrize(
    ("family", "by", "change"), REFUSED, ids=[f"{f}-{by}-{i}" for i, (f, by, _) in enumerate(REFUSED)]
)
def test_it_refuses_where_it_would_not_help(family: str, by: str, change: Change) -> None:
    scene = FAULTS[family]()
    change(scene)
    assert by in unmet(family, scene)


def test_every_precondition_has_a_scene_that_it_refuses() -> None:
    common = {"not-managed-by-gitops", "not-on-purpose", "no-later-run-is-well"}
    for family in FAULTS:
        named = {p.name for p in CATALOGUE[family].runbook.spec.preconditions} - common
        assert named <= {by for of, by, _ in REFUSED if of == family}


def test_a_job_of_a_cronjob_is_not_run_again_when_a_later_one_is_well() -> None:
    mine, later = of_cron("mine", "Failed"), of_cron("later", "Complete")
    later["metadata"]["creationTimestamp"] = NOW
    assert unmet("recreate-job", {"target": mine, "jobs": [later, mine], "now": NOW}) == ["no-later-run-is-well"]
    later["status"] = job()["status"]
    assert unmet("recreate-job", {"target": mine, "jobs": [later, mine], "now": NOW}) == []


def test_a_crowd_runs_away_where_others_go_short() -> None:
    scene = runaway()
    scene["target"]["status"] = {"active": 30}
    scene["workloads"] = [workload(wanted=3)]
    assert unmet("stop-runaway-job", scene) == []


def cured(family: str) -> Object:
    scene = copy.deepcopy(FAULTS[family]())
    match family:
        case "raise-hpa-max":
            within = [{"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"}]
            scene["target"]["status"] = {"currentReplicas": 5, "desiredReplicas": 5, "conditions": within}
        case "revert-network-policy":
            scene["workloads"] = [workload()]
        case "restart-coredns":
            scene["target"]["status"]["availableReplicas"] = 2
            scene["pods"] = [pod("b")]
        case "raise-quota":
            scene["workloads"] = [workload(wanted=3, available=3)]
        case "relax-pdb-temporarily":
            scene["target"]["status"] |= {"desiredHealthy": 1, "disruptionsAllowed": 1}
        case "uncordon-node" | "remove-taint":
            scene |= {"target": node(), "pods": [pod("w")]}
        case "cordon-and-drain-node":
            scene |= {"target": node(unschedulable=True), "pods": []}
        case "restore-service-spec":
            scene = service()
        case "recreate-job":
            copied = job("copy", ended="Complete")
            copied["metadata"]["annotations"] = {"interlock.dev/copy-of": "export"}
            scene |= {"jobs": [copied], "steps": {"again": {"job": "copy"}}}
        case "stop-runaway-job":
            scene |= {"target": job(ended="Suspended"), "pods": []}
        case "suspend-cronjob":
            scene["target"]["spec"] = {"suspend": True}
    return scene


@pytest.mark.parametrize("family", FAULTS)
def test_it_knows_a_cure_when_it_sees_one(family: str) -> None:
    assert failed_checks(family, cured(family)) == []


@pytest.mark.parametrize(
    ("family", "check", "change"),
    [
        ("raise-quota", "the-refused-have-their-replicas", lambda s: s.update(workloads=[workload(wanted=3)])),
        ("raise-hpa-max", "more-pods-than-before", lambda s: s["target"]["status"].update(currentReplicas=4)),
        ("raise-hpa-max", "every-pod-is-ready", lambda s: s["pods"].append(pod("e", ready=False))),
        ("raise-hpa-max", "nothing-is-held-back", lambda s: s["target"]["status"].update(LIMITED)),
        ("revert-network-policy", "nobody-goes-short", lambda s: s.update(workloads=[workload(available=1)])),
        ("revert-network-policy", "nobody-goes-short", lambda s: s["steps"]["measure"].update(short=[])),
        ("restart-coredns", "no-pod-is-unready", lambda s: s["pods"].append(pod("c", ready=False))),
        ("raise-quota", "nobody-is-refused", lambda s: s["workloads"].append(workload("api", failure=REFUSAL))),
        ("relax-pdb-temporarily", "the-others-serve", lambda s: s.update(pods=[])),
        ("uncordon-node", "nobody-waits-for-it", lambda s: s["pods"].extend(cordoned()["pods"])),
        ("uncordon-node", "pods-are-ready-on-it", lambda s: s["pods"].append(pod("b", ready=False))),
        ("remove-taint", "pods-are-ready-on-it", lambda s: s.update(pods=[])),
        ("cordon-and-drain-node", "no-pod-is-left", lambda s: s["pods"].append(pod("a"))),
        ("restore-service-spec", "reaches-ready-pods", lambda s: s.update(endpointSlices=[])),
        (
            "restore-service-spec",
            "every-port-is-served",
            lambda s: s["target"]["spec"].update(ports=[{"port": 1, "targetPort": 1}]),
        ),
        ("recreate-job", "the-copy-has-completed", lambda s: s["jobs"][0]["status"].update(conditions=[])),
        ("stop-runaway-job", "no-pod-runs", lambda s: s["pods"].append(pod("a"))),
        ("suspend-cronjob", "starts-nothing", lambda s: s["jobs"][0]["metadata"].update(creationTimestamp=NOW)),
    ],
)
def test_it_is_not_content_with_less(family: str, check: str, change: Change) -> None:
    scene = cured(family)
    change(scene)
    assert failed_checks(family, scene) == [check]
