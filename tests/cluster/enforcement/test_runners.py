"""A runbook's account does what the runbook was granted, where and while its namespace is opted in, and never more."""

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import Answer, Identity, Json
from tests.support.stops import emergency_stop
from tests.support.waiting import eventually

from interlock.crds.manifests import folder
from interlock.crds.names import EXECUTION_UID_LABEL, RUNNER_SECRET_TYPE, RUNNERS_GROUP, RUNNERS_NAMESPACE
from interlock.crds.runbook import REFUSED_GROUPS, REFUSED_RESOURCES, REFUSED_SUBRESOURCES, Runbook

FAMILY = "tamper"
RUNNERS = f"/api/v1/namespaces/{RUNNERS_NAMESPACE}"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
HOST = "a runbook may not change a workload's access to its host"
ACCOUNT = "a runbook may not change the account that a workload runs as"
SECURITY = "a runbook may not change a workload's security context"
HOST_PARTS = "a runbook may not give a workload its host's files or ports"
MOUNTS = "a runbook may not change a workload's containers, volumes or mounts"


def runbook() -> Runbook:
    """A runbook that is granted all kinds of workload."""
    workloads = ["deployments", "deployments/scale", "statefulsets", "daemonsets", "replicasets"]
    writes = ["get", "list", "create", "patch", "delete"]
    spec: dict[str, Any] = {
        "family": FAMILY,
        "version": "1.0.0",
        "title": "Try everything",
        "risk": "High",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": [
            {"apiGroups": ["apps"], "resources": workloads, "verbs": writes},
            {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": writes},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]},
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
        ],
        "steps": [{"name": "scale", "action": "scale", "with": {"replicas": "1"}}],
        "verification": {"checks": [{"name": "true", "expression": "true"}]},
    }
    return Runbook.model_validate({"metadata": {"name": f"{FAMILY}-1.0.0"}, "spec": spec})


@dataclass(frozen=True)
class Runner:
    """The runner's account, and one with all rights there are under the same name."""

    shop: Place
    real: Identity
    almighty: Identity

    @property
    def admin(self) -> Identity:
        return self.shop.installation.admin

    def path(self, group: str, plural: str, name: str = "") -> str:
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return f"{base}/namespaces/{self.shop.namespace}/{plural}{f'/{name}' if name else ''}"


@pytest.fixture(scope="module")
def runner(shop: Place) -> Runner:
    shop.installation.opt_in(shop.namespace, [runbook()])
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{FAMILY}.{shop.namespace}"
    shop.installation.wait_for_right(user, "patch", "deployments.apps", shop.namespace)
    almighty = shop.installation.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    return Runner(shop, shop.installation.runner(FAMILY, shop.namespace), almighty)


POD: Json = {
    "containers": [
        {"name": "web", "image": "web:1", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
        {"name": "side", "image": "side:1"},
    ],
    "initContainers": [{"name": "init", "image": "init:1"}],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}
TEMPLATE: Json = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
JOB: Json = {"template": {"spec": POD | {"restartPolicy": "Never"}}}
SELECTED: Json = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
WORKLOADS: dict[str, tuple[str, str, Json]] = {
    "Deployment": ("apps/v1", "deployments", SELECTED | {"replicas": 0}),
    "StatefulSet": ("apps/v1", "statefulsets", SELECTED | {"replicas": 0, "serviceName": "web"}),
    "DaemonSet": ("apps/v1", "daemonsets", SELECTED),
    "ReplicaSet": ("apps/v1", "replicasets", SELECTED | {"replicas": 0}),
    "CronJob": ("batch/v1", "cronjobs", {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": JOB}}),
}


def manifest(kind: str) -> Json:
    version, _, spec = WORKLOADS[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": f"w-{secrets.token_hex(3)}"}, "spec": spec}


def pod_patch(kind: str, change: Json) -> Json:
    template = {"spec": {"template": {"spec": change}}}
    return {"spec": {"jobTemplate": template}} if kind == "CronJob" else template


def container(**changes: object) -> Json:
    first, second = copy.deepcopy(POD["containers"])
    return {"containers": [first | changes, second]}


CHANGES: dict[str, tuple[Json, str]] = {
    "another account": ({"serviceAccountName": "admin"}, ACCOUNT),
    "another account by its old name": ({"serviceAccount": "admin"}, ACCOUNT),
    "its token mounted or not": ({"automountServiceAccountToken": False}, ACCOUNT),
    "the host's processes": ({"hostPID": True}, HOST),
    "the host's memory": ({"hostIPC": True}, HOST),
    "the host's network": ({"hostNetwork": True}, HOST),
    "each other's processes": ({"shareProcessNamespace": True}, HOST),
    "a node of its choice": ({"nodeName": "node-1"}, HOST),
    "another user": ({"securityContext": {"runAsUser": 0}}, SECURITY),
    "privileges": (container(securityContext={"privileged": True}), SECURITY),
    "privileges of an init container": (
        {"initContainers": [{"name": "init", "image": "init:1", "securityContext": {"privileged": True}}]},
        SECURITY,
    ),
    "the host's files": ({"volumes": [{"name": "tmp", "hostPath": {"path": "/"}, "emptyDir": None}]}, HOST_PARTS),
    "a port of the host": (container(ports=[{"containerPort": 80, "hostPort": 80}]), HOST_PARTS),
    "devices": ({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}, HOST),
    "a Secret": ({"volumes": [*POD["volumes"], {"name": "s", "secret": {"secretName": "s"}}]}, MOUNTS),
    "another mount": (container(volumeMounts=[{"name": "tmp", "mountPath": "/etc"}]), MOUNTS),
    "one container more": ({"containers": [*POD["containers"], {"name": "more", "image": "more"}]}, MOUNTS),
    "one container less": ({"containers": POD["containers"][:1]}, MOUNTS),
    "one init container more": ({"initContainers": [*POD["initContainers"], {"name": "m", "image": "m"}]}, MOUNTS),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_workload_keeps_who_it_is(runner: Runner, change: str) -> None:
    """On a Deployment in full; that the other kinds are looked at too is the next test's."""
    patch, words = CHANGES[change]
    body = manifest("Deployment")
    path = runner.path("apps/v1", "deployments")
    allowed(runner.admin.post(path, body))
    answer = runner.real.patch(f"{path}/{body['metadata']['name']}", pod_patch("Deployment", patch))
    if answer.ok and (unknown := patch.keys() - answer.body["spec"]["template"]["spec"].keys()):
        pytest.skip(f"this API server has no {', '.join(sorted(unknown))}: nothing was changed")
    refused(answer, words)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_every_kind_of_workload_keeps_it(runner: Runner, kind: str) -> None:
    version, plural, _ = WORKLOADS[kind]
    body = manifest(kind)
    allowed(runner.admin.post(runner.path(version, plural), body))
    path = runner.path(version, plural, body["metadata"]["name"])
    refused(runner.real.patch(path, pod_patch(kind, {"serviceAccountName": "admin"})), ACCOUNT)
    refused(runner.real.patch(path, pod_patch(kind, {"hostPID": True})), HOST)
    refused(
        runner.real.patch(path, pod_patch(kind, {"volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}]})),
        MOUNTS,
    )
    refused(runner.real.post(runner.path(version, plural), manifest(kind)), f"no runbook creates a bare {kind}")


@pytest.fixture(scope="module")
def rollback(runner: Runner) -> Identity:
    """The account of a family that may bring back what a workload mounted, with all other rights there are."""
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:rollback-deployment.{runner.shop.namespace}"
    return runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")


ROLLED_BACK: dict[str, Json] = {
    "volumes and mounts": {
        "volumes": [*POD["volumes"], {"name": "s", "secret": {"secretName": "s"}}],
        **container(volumeMounts=[{"name": "s", "mountPath": "/s"}]),
    },
    "a claim": {"volumes": [*POD["volumes"], {"name": "c", "persistentVolumeClaim": {"claimName": "old"}}]},
    "a container more": {"containers": [*POD["containers"], {"name": "more", "image": "more"}]},
    "a container less": {"containers": POD["containers"][:1]},
}
BEYOND: dict[str, tuple[Json, str]] = {
    "its account": CHANGES["another account"],
    "its host": CHANGES["the host's network"],
    "its host's files": CHANGES["the host's files"],
    "a port of its host": CHANGES["a port of the host"],
    "its user": CHANGES["another user"],
    "a container's privileges": CHANGES["privileges"],
    "a freer container": (
        {"containers": [*POD["containers"], {"name": "m", "image": "m", "securityContext": {"privileged": True}}]},
        SECURITY,
    ),
}


@pytest.mark.parametrize("change", ROLLED_BACK)
def test_a_rollback_brings_back_what_was_mounted(runner: Runner, rollback: Identity, change: str) -> None:
    body, path = manifest("Deployment"), runner.path("apps/v1", "deployments")
    allowed(runner.admin.post(path, body))
    patch = pod_patch("Deployment", ROLLED_BACK[change])
    allowed(rollback.patch(f"{path}/{body['metadata']['name']}?dryRun=All", patch))
    refused(runner.real.patch(f"{path}/{body['metadata']['name']}?dryRun=All", patch), MOUNTS)


CLAIM: Json = {"name": "c", "persistentVolumeClaim": {"claimName": "new"}}


def claiming(**changes: object) -> Json:
    return {"volumes": [*POD["volumes"], CLAIM | changes]}


def test_one_family_says_which_claim_a_volume_has_and_nothing_else(runner: Runner) -> None:
    """With all other rights there are; the family of a rollback may, any other may not."""
    body, path = manifest("Deployment"), runner.path("apps/v1", "deployments")
    body["spec"] = copy.deepcopy(body["spec"])
    body["spec"]["template"]["spec"]["volumes"].append(CLAIM)
    allowed(runner.admin.post(path, body))
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:restore-pvc-reference.{runner.shop.namespace}"
    restorer = runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    where = f"{path}/{body['metadata']['name']}?dryRun=All"

    def patched(change: Json) -> Json:
        return pod_patch("Deployment", change)

    back = claiming(persistentVolumeClaim={"claimName": "old"})
    allowed(restorer.patch(where, patched(back)))
    refused(runner.almighty.patch(where, patched(back)), MOUNTS)
    for beyond in (
        claiming(persistentVolumeClaim={"claimName": "old", "readOnly": True}),
        claiming(persistentVolumeClaim=None, secret={"secretName": "s"}),
        {"volumes": [*POD["volumes"], CLAIM, {"name": "d", "persistentVolumeClaim": {"claimName": "old"}}]},
        {"volumes": [{"name": "tmp", "emptyDir": None, "persistentVolumeClaim": {"claimName": "old"}}, CLAIM]},
        container(volumeMounts=[{"name": "c", "mountPath": "/c"}]),
        {"containers": [*POD["containers"], {"name": "more", "image": "more"}]},
    ):
        refused(restorer.patch(where, patched(beyond)), MOUNTS)


@pytest.mark.parametrize("change", BEYOND)
def test_but_no_power_with_it(runner: Runner, rollback: Identity, change: str) -> None:
    patch, words = BEYOND[change]
    body, path = manifest("Deployment"), runner.path("apps/v1", "deployments")
    allowed(runner.admin.post(path, body))
    refused(rollback.patch(f"{path}/{body['metadata']['name']}", pod_patch("Deployment", patch)), words)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_what_a_rollback_changes_is_allowed(runner: Runner, kind: str) -> None:
    version, plural, _ = WORKLOADS[kind]
    body = manifest(kind)
    allowed(runner.admin.post(runner.path(version, plural), body))
    path = runner.path(version, plural, body["metadata"]["name"])
    change = container(image="web:0", env=[{"name": "A", "value": "b"}], resources={"limits": {"memory": "1Gi"}})
    allowed(runner.real.patch(path, pod_patch(kind, change)))
    allowed(runner.real.patch(path, {"metadata": {"annotations": {"interlock.dev/last-step": "x"}}}))
    if kind == "Deployment":
        allowed(runner.real.patch(f"{path}/scale", {"spec": {"replicas": 1}}))
    allowed(runner.real.delete(path))


def test_bare_pods_are_not_created(runner: Runner) -> None:
    pod = {"metadata": {"name": "pod"}, "spec": POD}
    refused(runner.almighty.post(runner.path("v1", "pods"), pod), "no runbook creates a bare Pod")


def test_only_a_pod_with_a_controller_is_deleted(runner: Runner) -> None:
    path = runner.path("v1", "pods")
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1b3c", "controller": True}
    pod = {"spec": {"nodeName": "nowhere", "containers": POD["containers"][1:]}}
    for name, owners in (("bare", []), ("owned", [owner])):
        allowed(runner.admin.post(path, {"metadata": {"name": name, "ownerReferences": owners}, **pod}))
    refused(runner.real.delete(f"{path}/bare"), "no runbook deletes a pod without a controller")
    answer = runner.real.delete(f"{path}/owned?dryRun=All")
    assert answer.ok or answer.status == 404, answer  # the garbage collector may be faster: it has no such owner


def test_a_runner_stays_in_its_namespace(runner: Runner) -> None:
    body = {"metadata": {"name": "x"}}
    refused(runner.almighty.post("/api/v1/namespaces/default/configmaps", body), "this namespace has not opted in")
    other = f"test-{secrets.token_hex(4)}"
    runner.shop.installation.opt_in(other)
    answer = runner.almighty.post(f"/api/v1/namespaces/{other}/configmaps", body)
    refused(answer, "this runner's account is for another namespace")
    refused(runner.almighty.patch("/api/v1/nodes/node-1", {"spec": {"unschedulable": True}}), "for another namespace")
    runner.admin.delete(f"/api/v1/namespaces/{other}")


def test_in_kube_system_one_family_writes_one_object(runner: Runner) -> None:
    def acting(account: str) -> Identity:
        user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{account}"
        return runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")

    here, only = (
        "/apis/apps/v1/namespaces/kube-system/deployments",
        "in kube-system no runbook acts but restart-coredns",
    )
    dns, touched = acting("restart-coredns.kube-system"), {"spec": {"paused": False}}
    pods, labels = "/api/v1/namespaces/kube-system/pods", {"app": "coredns"}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": POD},
    }
    for name in ("coredns", "metrics"):
        allowed(runner.admin.post(here, {"metadata": {"name": name}, "spec": {**spec, "paused": True}}))
    refused(dns.patch(f"{here}/coredns?dryRun=All", touched), "this namespace has not opted in")
    consent = {"metadata": {"labels": {"interlock.dev/remediation": "enabled"}}}
    allowed(runner.admin.patch("/api/v1/namespaces/kube-system", consent))
    try:
        eventually("consent", lambda: dns.patch(f"{here}/coredns?dryRun=All", touched).ok)
        refused(dns.patch(f"{here}/metrics", touched), only)
        refused(dns.patch(f"{here}/coredns/scale", {"spec": {"replicas": 1}}), only)
        refused(dns.delete(f"{here}/coredns"), only)
        refused(dns.post("/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "x"}}), only)
        refused(acting("restart-deployment.kube-system").patch(f"{here}/coredns", touched), only)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x"}}
        allowed(runner.admin.post(pods, {"metadata": {"name": "x"}, "spec": {**POD, "nodeName": "nowhere"}}))
        refused(acting("cordon-and-drain-node.cluster").post(f"{pods}/x/eviction", eviction), only)
    finally:
        withdrawn = {"metadata": {"labels": {"interlock.dev/remediation": None}}}
        allowed(runner.admin.patch("/api/v1/namespaces/kube-system", withdrawn))
        for path in (f"{here}/coredns", f"{here}/metrics", f"{pods}/x?gracePeriodSeconds=0"):
            runner.admin.delete(path)


def test_only_the_account_for_the_cluster_writes_what_has_no_namespace(runner: Runner) -> None:
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:cordon.cluster"
    for_cluster = runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    allowed(for_cluster.patch("/api/v1/nodes/node-1?dryRun=All", {"spec": {"unschedulable": True}}))
    marked = {"metadata": {"annotations": {"interlock.dev/last-step": "x"}}, "spec": {"unschedulable": True}}
    allowed(for_cluster.patch("/api/v1/nodes/node-1?dryRun=All", marked))


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("PATCH", "/api/v1/nodes/node-1", {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}, "unschedulable"),
        ("PATCH", "/api/v1/nodes/node-1", {"metadata": {"labels": {"a": "b"}}}, "unschedulable"),
        ("PATCH", "/api/v1/nodes/node-1", {"metadata": {"annotations": {"a": "b"}}}, "unschedulable"),
        ("PATCH", "/api/v1/nodes/node-1", {"metadata": {"finalizers": ["a.example/b"]}}, "unschedulable"),
        ("PATCH", "/api/v1/nodes/node-1/status", {"status": {"phase": "Running"}}, "it does not UPDATE nodes/status"),
        ("DELETE", "/api/v1/nodes/node-1", None, "it does not DELETE nodes"),
        ("POST", "/api/v1/nodes", {"metadata": {"name": "mine"}}, "it does not CREATE nodes"),
        (
            "POST",
            CLASSES,
            {"metadata": {"name": "x"}, "provisioner": "a.example/b"},
            "not CREATE storageclasses",
        ),
        ("POST", "/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "x"}}, "it does not CREATE configmaps"),
        ("DELETE", "/api/v1/namespaces/{ns}/configmaps/kube-root-ca.crt", None, "it does not DELETE configmaps"),
    ],
)
def test_for_the_cluster_a_runner_only_cordons_and_evicts(
    runner: Runner, method: str, path: str, body: Json | None, words: str
) -> None:
    """By dry run: with a rule neutralised, what came through would change the node for all tests after it."""
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:cordon.cluster"
    for_cluster = runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    tried = f"{path.format(ns=runner.shop.namespace)}?dryRun=All"
    refused(for_cluster.request(method, tried, body), words)


def cluster_runner(runner: Runner, family: str) -> Identity:
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{family}.cluster"
    return runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")


def taint(key: str, effect: str = "NoSchedule", value: str = "x") -> Json:
    return {"key": key, "value": value, "effect": effect}


def test_one_family_removes_taints_of_one_key_and_changes_nothing_else_of_a_node(runner: Runner) -> None:
    name = f"node-{secrets.token_hex(3)}"
    path = f"/api/v1/nodes/{name}"
    drives_away, own = taint("old", "NoExecute"), taint("node-role.kubernetes.io/control-plane")
    scaler = taint("ToBeDeletedByClusterAutoscaler")
    people, other = [taint("old"), taint("old", "PreferNoSchedule", "y")], taint("team.example/other")
    everything = [*people, other, drives_away, own, scaler]
    allowed(runner.admin.post("/api/v1/nodes", {"metadata": {"name": name}, "spec": {"taints": everything}}))
    family = cluster_runner(runner, "remove-taint")
    words = "changes taints of one key"

    def put(who: Identity, change: Callable[[list[Json]], list[Json]]) -> Answer:
        """Writes other taints than there are; again, when the node's controller has written some in between."""
        while True:
            live = runner.admin.get(path).body
            seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
            answer = who.patch(path, {"metadata": seen, "spec": {"taints": change(live["spec"]["taints"])}})
            if answer.status != 409:
                return answer

    def without(*gone: Json) -> Callable[[list[Json]], list[Json]]:
        names = {(one["key"], one["effect"]) for one in gone}
        return lambda live: [one for one in live if (one["key"], one["effect"]) not in names]

    def beside(more: Json) -> Callable[[list[Json]], list[Json]]:
        return lambda live: [*live, more]

    for gone in ([*people, other], [drives_away], [own], [scaler]):
        refused(put(family, without(*gone)), words)
    for more in (taint("node.kubernetes.io/x"), taint("new", "NoExecute")):
        refused(put(family, beside(more)), words)
    refused(family.patch(path, {"spec": {"unschedulable": True}}), "unschedulable")
    refused(family.patch(path, {"metadata": {"labels": {"a": "b"}}}), "unschedulable")
    for others in ("cordon", "x-remove-taint"):
        refused(put(cluster_runner(runner, others), without(*people)), "unschedulable")
    allowed(put(family, without(*people)))
    allowed(put(family, beside(people[0])))
    runner.admin.delete(path)


def test_no_pod_is_evicted_from_a_namespace_that_has_not_opted_in(runner: Runner) -> None:
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:cordon.cluster"
    for_cluster = runner.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x", "namespace": "default"}}
    pod = {"metadata": {"name": "x"}, "spec": {"nodeName": "nowhere", "containers": POD["containers"][1:]}}
    allowed(runner.admin.post("/api/v1/namespaces/default/pods", pod))
    answer = for_cluster.post("/api/v1/namespaces/default/pods/x/eviction", eviction)
    runner.admin.delete("/api/v1/namespaces/default/pods/x")
    refused(answer, "this namespace has not opted in")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "x"}}),
        ("POST", "/api/v1/namespaces/{ns}/serviceaccounts", {"metadata": {"name": "x"}}),
        ("POST", "/api/v1/namespaces/{ns}/serviceaccounts/default/token", {"spec": {}}),
        ("PATCH", "/api/v1/namespaces/{ns}", {"metadata": {"labels": {"a": "b"}}}),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles", {"metadata": {"name": "x"}, "rules": []}),
        ("PATCH", "/apis/interlock.dev/v1alpha1/guardrails/default", {"spec": {"mode": "Observe"}}),
        ("POST", "/api/v1/namespaces/{ns}/podtemplates", {"metadata": {"name": "x"}, "template": TEMPLATE}),
    ],
)
def test_what_guards_the_cluster_is_out_of_reach(runner: Runner, method: str, path: str, body: Json | None) -> None:
    refused(runner.almighty.request(method, path.format(ns=runner.shop.namespace), body), "no runbook writes")


def test_the_policy_refuses_all_that_no_runbook_may_be_granted() -> None:
    """Two lists of the same powers, one in the models and one in the manifest, must not part."""
    policy = (folder("install") / "26-policy-runners.yaml").read_text()
    for word in REFUSED_GROUPS | REFUSED_RESOURCES | REFUSED_SUBRESOURCES:
        assert f"'{word}'" in policy


def test_a_namespace_that_opts_out_is_left_at_once(runner: Runner) -> None:
    path, body = runner.path("v1", "configmaps"), {"metadata": {"generateName": "x-"}}
    tried = f"{path}?dryRun=All"
    allowed(runner.real.post(tried, body))
    consent(runner, "paused")
    eventually("the pause", lambda: "namespace paused: runbooks only make" in runner.real.post(path, body).message)
    allowed(runner.real.post(tried, body))
    consent(runner, "disabled")
    answer = eventually("the refusal", lambda: next((a for a in [runner.real.post(tried, body)] if not a.ok), None))
    refused(answer, "this namespace has not opted in")
    consent(runner, "enabled")
    eventually("the runner to be allowed again", lambda: runner.real.post(path, body).ok)


def consent(runner: Runner, value: str) -> None:
    """What the namespace's owner says."""
    labels = {"interlock.dev/remediation": value}
    allowed(runner.admin.patch(f"/api/v1/namespaces/{runner.shop.namespace}", {"metadata": {"labels": labels}}))


def test_the_emergency_stop_ends_all_writes_until_it_is_lifted(runner: Runner) -> None:
    path, body = runner.path("v1", "configmaps"), {"metadata": {"generateName": "x-"}}
    with emergency_stop(runner.shop.installation, runner.shop.namespace) as stop:
        allowed(runner.real.post(path, body))
        stop.pull()
        words = "emergency stop: runbooks only make dry runs"
        eventually("the emergency stop", lambda: words in runner.real.post(path, body).message)
        allowed(runner.real.post(f"{path}?dryRun=All", body))
        allowed(runner.admin.post(path, body))
        stop.lift()
        eventually("writes to go on", lambda: runner.real.post(path, body).ok)


class TestMinting:
    @pytest.fixture
    def mint(self, runner: Runner) -> Callable[..., Any]:
        operator = runner.shop.installation.operator
        name = f"rbx-{secrets.token_hex(4)}"
        secret = {"metadata": {"name": name, "labels": {EXECUTION_UID_LABEL: "1"}}, "type": RUNNER_SECRET_TYPE}
        allowed(operator.post(f"{RUNNERS}/secrets", secret))
        bound = {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": name}, "expirationSeconds": 600}

        def minted(account: str = f"{FAMILY}.{runner.shop.namespace}", **changes: object) -> Any:
            spec = {key: value for key, value in {**bound, **changes}.items() if value is not None}
            return operator.post(f"{RUNNERS}/serviceaccounts/{account}/token", {"spec": spec})

        return minted

    def test_a_bound_token_of_ten_minutes_is_minted(self, mint: Callable[..., Any]) -> None:
        allowed(mint())

    @pytest.mark.parametrize(
        "change", [{"expirationSeconds": 601}, {"expirationSeconds": None}, {"boundObjectRef": None}]
    )
    def test_a_longer_or_unbound_one_is_not(self, mint: Callable[..., Any], change: Json) -> None:
        refused(mint(**change), "tokens are bound to a Secret named rbx-... and live at most 600 seconds")

    def test_one_of_an_account_that_was_not_granted_is_not(self, mint: Callable[..., Any]) -> None:
        answer = mint("default")
        assert answer.status == 403
