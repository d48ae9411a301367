"""Rules about what controllers, nodes and deliveries do to workloads, each with what it must not take for it."""

from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, at, running, waiting
from tests.unit.agents.conftest import Look

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence.parts import events_of
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine


@pytest.fixture
def shop() -> Cluster:
    """An application that is well."""
    return deployed(APPS["shop"])


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("pull access denied, repository does not exist or may require authorization", "workload.image"),
        (
            "pull access denied, repository does not exist or may require authorization: authorization failed: "
            "no basic auth credentials",
            "workload.image.unauthorized",
        ),
    ],
)
def test_who_had_no_credentials_to_show_is_told_from_who_may_have_asked_for_nothing(
    look: Look, shop: Cluster, words: str, cause: str
) -> None:
    shop.state("payments", waiting("ImagePullBackOff", f"failed to pull image: {words}"))
    assert look(shop)[0] == (cause, "Deployment", "payments")


def guarded(shop: Cluster, cordoned: float) -> None:
    """A budget that lets no pod of payments go, and one of them on a node that was cordoned so many seconds ago."""
    selector = {"matchLabels": {"app": "payments"}}
    status = {"disruptionsAllowed": 0, "expectedPods": 2}
    body = {"metadata": {"name": "keep"}, "spec": {"minAvailable": 2, "selector": selector}, "status": status}
    shop.put("shop", "poddisruptionbudgets", body)
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": at(cordoned)}
    shop.get("nodes", "node-2", None)["spec"] = {"unschedulable": True, "taints": [taint]}
    shop.pod_edits["payments"] = lambda pod, index: pod["spec"].update(nodeName="node-2")


@pytest.mark.parametrize(("cordoned", "stuck"), [(3600, True), (60, False)])
def test_a_budget_keeps_a_node_from_being_drained_once_it_takes_too_long(
    look: Look, shop: Cluster, cordoned: float, *, stuck: bool
) -> None:
    guarded(shop, cordoned)
    assert (("disruption.budget.blocks-drain", "PodDisruptionBudget", "keep") in look(shop)) is stuck


@pytest.mark.parametrize(("named", "stuck"), [("keep", True), ("another", False)])
def test_a_drain_that_is_refused_counts_for_the_budget_that_it_names(
    look: Look, shop: Cluster, named: str, *, stuck: bool
) -> None:
    guarded(shop, 60)
    words = f"Pdb prevents pod evictions (PodDisruptionBudget=[shop/{named}])"
    shop.event("Node", "node-2", "DisruptionBlocked", words, namespace="default")
    assert (("disruption.budget.blocks-drain", "PodDisruptionBudget", "keep") in look(shop)) is stuck


@pytest.mark.parametrize(("times", "missed"), [(6, True), (1, False)])
def test_runs_that_wait_for_one_that_never_ends_are_missed(
    look: Look, shop: Cluster, times: int, *, missed: bool
) -> None:
    spec = {"schedule": "0 * * * *", "concurrencyPolicy": "Forbid"}
    shop.put("shop", "cronjobs", {"metadata": {"name": "sums"}, "spec": spec})
    owner = [{"kind": "CronJob", "name": "sums", "uid": "c"}]
    job = {"metadata": {"name": "sums-1", "ownerReferences": owner}, "status": {"active": 1, "startTime": at(20_000)}}
    shop.put("shop", "jobs", job)
    words = "Not starting job because prior execution is running and concurrency policy is Forbid"
    shop.event("CronJob", "sums", "JobAlreadyActive", words, type_="Normal", count=times)
    assert (("job.cron.missed", "CronJob", "sums") in look(shop)) is missed


def change(who: str, minutes: int, before: int, after: int) -> dict[str, Any]:
    about = {"kind": "Deployment", "namespace": "shop", "name": "payments"}
    diff = f"-  replicas: {before}\n+  replicas: {after}"
    return {"at": at(60 * minutes), "who": who, "object": about, "summary": "replicas", "diff": diff}


@pytest.mark.parametrize(
    ("after", "reverted"), [(2, True), (4, False)], ids=["back to what it was", "to something new"]
)
def test_what_a_delivery_takes_back_each_time_is_a_drift(
    look: Look, shop: Cluster, after: int, *, reverted: bool
) -> None:
    delivers = "argocd-application-controller"
    pairs = [(change("ann", 20 - n, 2, 6), change(delivers, 19 - n, 6, after)) for n in (0, 5)]
    shop.files["changes.json"] = [entry for pair in pairs for entry in pair]
    shop.alert("PaymentsSlow", service="payments")
    assert (("gitops.drift.reverted", "Deployment", "payments") in look(shop)) is reverted


@pytest.mark.parametrize(("age", "well"), [(30, True), (600, False)])
def test_a_pod_that_was_made_a_moment_ago_may_be_on_its_way(
    look: Look, shop: Cluster, age: float, *, well: bool
) -> None:
    shop.state("payments", lambda index: running(ready=index != 0, since=min(age, 20)))

    def edit(pod: dict[str, Any], index: int) -> None:
        pod["metadata"]["creationTimestamp"] = at(age)

    shop.pod_edits["payments"] = edit
    shop.get("deployments", "payments")["status"] = {"conditions": [{"type": "Available", "status": "True"}]}
    assert (("none.healthy", "Namespace", "shop") in look(shop)) is well


def test_a_pod_that_outgrows_its_own_scratch_room_is_not_evicted_for_its_node(look: Look, shop: Cluster) -> None:
    words = 'Usage of EmptyDir volume "spool" exceeds the limit "1Gi". '

    def edit(pod: dict[str, Any], index: int) -> None:
        pod["status"].update(phase="Failed", reason="Evicted", message=words)

    shop.deploy("packer", 7000, replicas=3)
    shop.pod_edits["packer"] = edit
    shop.state("packer", waiting("Evicted"))
    assert look(shop)[0] == ("workload.volume.full", "Deployment", "packer")


def test_of_events_in_a_series_the_last_counts_and_either_api_is_read() -> None:
    series = {"count": 9, "lastObservedTime": "2026-03-01T11:59:00Z"}
    about = {"kind": "Pod", "name": "a"}
    event = {"metadata": {}, "regarding": about, "note": "x", "eventTime": "2026-03-01T09:00:00Z", "series": series}
    (view,) = events_of([event])
    assert view["last"] == "2026-03-01T11:59:00Z"
    assert view["object"]["name"] == "a"
    assert view["count"] == 9


COREFILE_SAYS = "/etc/coredns/Corefile:8 - Error during parsing: Unknown directive 'foward'"


@pytest.mark.parametrize(
    ("says", "found"),
    [
        (COREFILE_SAYS, ("control-plane.coredns.misconfigured", "ConfigMap", "coredns")),
        ("[INFO] SIGTERM: Shutting down servers", ("control-plane.coredns.down", "Deployment", "coredns")),
    ],
)
def test_a_name_service_that_refuses_its_configuration_says_so(
    look: Look, shop: Cluster, says: str, found: tuple[str, str, str]
) -> None:
    def stops() -> None:
        for name, pod in shop.objects["kube-system", "pods"].items():
            pod["status"]["conditions"][0]["status"] = "False"
            shop.logs["kube-system", name, False] = {"coredns": says}

    shop.after = stops
    shop.alert("OrdersSlow", service="orders")
    assert look(shop)[0] == found


def test_what_is_not_ready_on_a_lost_node_is_not_at_fault(look: Look, shop: Cluster) -> None:
    proxy = {"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.31.7"}
    shop.deploy("kube-proxy", None, namespace="kube-system", kind="DaemonSet", container=proxy)
    lost = shop.get("nodes", "node-2", None)["status"]["conditions"][0]
    lost.update(status="Unknown", reason="NodeStatusUnknown", message="Kubelet stopped posting node status.")

    def loses() -> None:
        for pod in shop.objects["kube-system", "pods"].values():
            if pod["metadata"]["name"].startswith("kube-proxy") and pod["spec"]["nodeName"] == "node-2":
                pod["status"]["conditions"][0]["status"] = "False"

    shop.after = loses
    causes = [cause for cause, *_ in look(shop)]
    assert causes[0] == "node.kubelet.down"
    assert "node.kube-proxy.down" not in causes


def test_a_pod_that_was_evicted_and_replaced_is_past(look: Look, shop: Cluster) -> None:
    shop.settle()
    pod = next(p for p in shop.objects["shop", "pods"].values() if p["metadata"]["name"].startswith("payments"))
    gone = {**pod, "metadata": {**pod["metadata"], "name": f"{pod['metadata']['name'][:-5]}xxxxx", "uid": "gone"}}
    gone["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    shop.put("shop", "pods", gone)
    assert look(shop) == [("none.healthy", "Namespace", "shop")]


def run(shop: Cluster, name: str, how: str, began: float) -> None:
    """A run of a CronJob, of which one pod failed."""
    owner = [{"kind": "CronJob", "name": "sums", "uid": "c"}]
    status = {"startTime": at(began), "conditions": [{"type": how, "status": "True", "reason": "BackoffLimitExceeded"}]}
    job = shop.put("shop", "jobs", {"metadata": {"name": name, "ownerReferences": owner}, "status": status})
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": at(began), "finishedAt": at(began - 9)}}
    pod: dict[str, Any] = {
        "metadata": {
            "name": f"{name}-x",
            "labels": {},
            "ownerReferences": [{"kind": "Job", "name": name, "uid": job["metadata"]["uid"]}],
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "sums:1"}]},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "image": "sums:1", "state": ended}]},
    }
    shop.put("shop", "pods", pod)
    shop.logs["shop", f"{name}-x", False] = {"main": "KeyError: 'amount'"}


@pytest.mark.parametrize("later", ["", "Complete"])
def test_a_run_that_failed_counts_until_a_later_one_succeeds(look: Look, shop: Cluster, later: str) -> None:
    run(shop, "sums-1", "Failed", 3000)
    if later:
        run(shop, "sums-2", later, 1000)
    shop.alert("KubeJobFailed", status="resolved" if later else "firing", job_name="sums-1")
    assert look(shop)[0] == (
        ("none.recovered", "Namespace", "shop") if later else ("job.failed.application", "Job", "sums-1")
    )


@pytest.mark.parametrize(("hurt", "is_told"), [("payments", True), ("orders", False)])
def test_an_autoscaler_without_metrics_is_told_where_what_it_scales_hurts(
    look: Look, shop: Cluster, hurt: str, *, is_told: bool
) -> None:
    why = "failed to get cpu utilization: missing request for cpu in container proxy of Pod payments-x"
    active = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": why}
    spec = {"maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "payments"}}
    body = {"metadata": {"name": "payments"}, "spec": spec, "status": {"conditions": [active]}}
    shop.put("shop", "horizontalpodautoscalers", body)
    shop.alert("Slow", service=hurt)
    found = ("autoscaling.hpa.metrics-missing", "HorizontalPodAutoscaler", "payments")
    assert (found in look(shop)) is is_told


@pytest.mark.parametrize(
    ("others", "is_told"),
    [("1 Insufficient cpu", True), ("1 node(s) didn't match Pod's node affinity/selector", False)],
)
def test_nodes_that_are_full_because_most_are_closed_are_not_the_reason(
    tmp_path: Path, shop: Cluster, others: str, *, is_told: bool
) -> None:
    words = f"0/3 nodes are available: {others}, 2 node(s) were unschedulable."

    def waits(pod: dict[str, Any], index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    for name in ("node-1", "node-2"):
        shop.get("nodes", name, None)["spec"]["unschedulable"] = True
    shop.state("payments", lambda index: None)
    shop.pod_edits["payments"] = waits
    shop.settle()
    shop.write(tmp_path)
    verdict = examine(Landscape(Snapshot(tmp_path)), 0.75).verdict
    assert (verdict == "scheduling.node.cordoned") is is_told


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (
            "InvalidArgument desc = Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only"
            " AccessModes[ReadWriteOnce] supported.",
            "storage.claim.access-mode-mismatch",
        ),
        ("OutOfRange desc = volume size 20 TiB is above the maximum", "storage.claim.capacity-mismatch"),
        ("Unavailable desc = connection error", "storage.provisioner.down"),
    ],
)
def test_a_provisioner_that_refuses_is_not_down(look: Look, shop: Cluster, words: str, cause: str) -> None:
    spec = {"accessModes": ["ReadWriteMany"], "storageClassName": "fast", "resources": {"requests": {"storage": "9Gi"}}}
    claim = {"metadata": {"name": "posters"}, "spec": spec, "status": {"phase": "Pending"}}
    shop.put("shop", "persistentvolumeclaims", claim)
    shop.put(None, "storageclasses", {"metadata": {"name": "fast"}, "provisioner": "ebs.csi.aws.com"})
    said = f'failed to provision volume with StorageClass "fast": rpc error: code = {words}'
    shop.event("PersistentVolumeClaim", "posters", "ProvisioningFailed", said)
    assert look(shop)[0][:3:2] == (cause, "posters")


def test_a_path_within_a_volume_that_is_not_there_keeps_a_container_from_its_mount(look: Look, shop: Cluster) -> None:
    words = 'failed to prepare subPath for volumeMount "models" of container "payments"'
    shop.state("payments", waiting("CreateContainerConfigError", words))
    assert look(shop)[0] == ("workload.volume.mount-failed", "Deployment", "payments")


def test_nodes_that_hold_as_many_volumes_as_they_can_lack_capacity(look: Look, shop: Cluster) -> None:
    words = "0/3 nodes are available: 3 node(s) exceed max volume count."

    def waits(pod: dict[str, Any], index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    shop.state("payments", lambda index: None)
    shop.pod_edits["payments"] = waits
    assert look(shop)[0] == ("scheduling.capacity", "Deployment", "payments")
