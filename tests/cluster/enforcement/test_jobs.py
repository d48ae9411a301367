"""The Jobs that a runner may create: a program of known content without rights, and nothing beside it."""

import copy
import secrets
from typing import Any

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import Identity, Json

from interlock.crds.names import AGENTS_GROUP, AGENTS_USER, RUNNERS_GROUP, RUNNERS_NAMESPACE
from interlock.crds.runbook import Runbook

FAMILY = "jobs"
DIGEST = f"registry.example/tool@sha256:{'a' * 64}"
JOB: Json = {
    "metadata": {"annotations": {"interlock.dev/last-step": "uid/run/1"}},
    "spec": {
        "activeDeadlineSeconds": 60,
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "job",
                        "image": DIGEST,
                        "env": [{"name": "MODE", "value": "on"}],
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    }
                ],
            }
        },
    },
}

HOST = "has no access to its host"
PLACE = "does not choose its node, priority, runtime or devices"
ACCOUNT = "runs as the default account, without its token"
RESTRICTED = "is restricted"
PLAIN = "has plain variables only, and no Secrets"
MOUNTS = "mounts nothing but emptyDir"
SHAPE = "is one pod that ends"
OF = {"name": "s", "key": "k"}

POD_CHANGES: dict[str, tuple[Json, str]] = {
    "the host's network": ({"hostNetwork": True}, HOST),
    "the host's processes": ({"hostPID": True}, HOST),
    "the host's memory": ({"hostIPC": True}, HOST),
    "names of its own": ({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["registry.example"]}]}, HOST),
    "a node": ({"nodeName": "node-1"}, PLACE),
    "kinds of nodes": ({"nodeSelector": {"role": "control-plane"}}, PLACE),
    "tainted nodes": ({"tolerations": [{"operator": "Exists"}]}, PLACE),
    "company": ({"affinity": {"nodeAffinity": {}}}, PLACE),
    "another account": ({"serviceAccountName": "admin"}, ACCOUNT),
    "another account by its old name": ({"serviceAccount": "admin"}, ACCOUNT),
    "a token": ({"automountServiceAccountToken": True}, ACCOUNT),
    "root of its choice": ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, RESTRICTED),
    "any system call": ({"securityContext": {"runAsNonRoot": True}}, RESTRICTED),
    "another label of SELinux": (
        {
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
                "seLinuxOptions": {"type": "spc_t"},
            }
        },
        RESTRICTED,
    ),
    "pull secrets": ({"imagePullSecrets": [{"name": "s"}]}, PLAIN),
    "the host's files": ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, MOUNTS),
    "a Secret": ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, MOUNTS),
    "a Secret among others": (
        {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]},
        MOUNTS,
    ),
    "a claim": ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}, MOUNTS),
    "to start again and again": ({"restartPolicy": "OnFailure"}, SHAPE),
}
CONTAINER_CHANGES: dict[str, tuple[Json, str]] = {
    "a tag": ({"image": "registry.example/tool:1"}, "names its images by digest"),
    "a port of the host": ({"ports": [{"containerPort": 80, "hostPort": 80}]}, HOST),
    "privileges": ({"securityContext": {"privileged": True}}, RESTRICTED),
    "more privileges": ({"securityContext": {"capabilities": {"drop": ["ALL"]}}}, RESTRICTED),
    "capabilities": ({"securityContext": {"allowPrivilegeEscalation": False}}, RESTRICTED),
    "one capability": (
        {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}},
        RESTRICTED,
    ),
    "root": (
        {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 0}},
        RESTRICTED,
    ),
    "a Secret's key": ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": OF}}]}, PLAIN),
    "a ConfigMap's key": ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": OF}}]}, PLAIN),
    "a whole Secret": ({"envFrom": [{"secretRef": {"name": "s"}}]}, PLAIN),
}


def runbook() -> Runbook:
    spec: dict[str, Any] = {
        "family": FAMILY,
        "version": "1.0.0",
        "title": "Run a program",
        "risk": "High",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": [
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "create", "delete"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ],
        "steps": [{"name": "scale", "action": "scale", "with": {"replicas": "1"}}],
        "verification": {"checks": [{"name": "true", "expression": "true"}]},
    }
    return Runbook.model_validate({"metadata": {"name": f"{FAMILY}-1.0.0"}, "spec": spec})


@pytest.fixture(scope="module")
def runner(shop: Place) -> Identity:
    shop.installation.opt_in(shop.namespace, [runbook()])
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{FAMILY}.{shop.namespace}"
    shop.installation.wait_for_right(user, "create", "jobs.batch", shop.namespace)
    return shop.installation.runner(FAMILY, shop.namespace)


def path(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def job(pod: Json | None = None, container: Json | None = None, **spec: object) -> Json:
    body = copy.deepcopy(JOB)
    body["metadata"]["name"] = f"job-{secrets.token_hex(4)}"
    body["spec"] |= spec
    body["spec"]["template"]["spec"] |= pod or {}
    body["spec"]["template"]["spec"]["containers"][0] |= container or {}
    return body


def test_a_program_without_rights_may_run(shop: Place, runner: Identity) -> None:
    body = job({"volumes": [{"name": "tmp", "emptyDir": {}}]})
    allowed(runner.post(path(shop.namespace), body))
    allowed(runner.delete(f"{path(shop.namespace)}/{body['metadata']['name']}?propagationPolicy=Background"))


@pytest.mark.parametrize("change", POD_CHANGES)
def test_its_pod_is_not_given(shop: Place, runner: Identity, change: str) -> None:
    pod, words = POD_CHANGES[change]
    refused(runner.post(path(shop.namespace), job(pod)), words)


@pytest.mark.parametrize("change", CONTAINER_CHANGES)
def test_its_container_is_not_given(shop: Place, runner: Identity, change: str) -> None:
    changes, words = CONTAINER_CHANGES[change]
    refused(runner.post(path(shop.namespace), job(container=changes)), words)


def test_an_init_container_is_judged_like_any_other(shop: Place, runner: Identity) -> None:
    init = {**JOB["spec"]["template"]["spec"]["containers"][0], "name": "init", "image": "registry.example/tool:1"}
    refused(runner.post(path(shop.namespace), job({"initContainers": [init]})), "names its images by digest")


@pytest.mark.parametrize("spec", [{"parallelism": 2}, {"completions": 2}, {"activeDeadlineSeconds": None}])
def test_it_is_one_pod_that_ends(shop: Place, runner: Identity, spec: Json) -> None:
    refused(runner.post(path(shop.namespace), job(**spec)), SHAPE)


def test_it_says_which_step_created_it(shop: Place, runner: Identity) -> None:
    body = job()
    body["metadata"]["annotations"] = {}
    refused(runner.post(path(shop.namespace), body), "says which step created it")


def test_it_runs_in_the_runners_own_namespace(shop: Place, runner: Identity) -> None:
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{FAMILY}.{shop.namespace}"
    almighty = shop.installation.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    refused(almighty.post(path("default"), job()), "this namespace has not opted in")


def test_a_runner_for_the_cluster_creates_none(shop: Place) -> None:
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:cordon.cluster"
    almighty = shop.installation.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    refused(almighty.post(path(shop.namespace), job()), "it does not CREATE jobs")


def test_others_are_not_bound_and_gain_nothing(shop: Place) -> None:
    allowed(shop.installation.admin.post(f"{path(shop.namespace)}?dryRun=All", job(container={"image": "tool:1"})))
    agents = shop.installation.admin.impersonating(AGENTS_USER, AGENTS_GROUP, "system:masters")
    assert agents.post(path(shop.namespace), job()).status == 403
    assert shop.installation.operator.post(path(shop.namespace), job()).status == 403
