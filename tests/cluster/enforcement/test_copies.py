"""The copies of Jobs that recreate-job creates: what a cautious namespace allows, and neither Secrets nor a token."""

import copy
import secrets

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import Identity, Json

from interlock.crds.names import RUNNERS_GROUP, RUNNERS_NAMESPACE
from interlock.runbooks.loading import load_catalogue

FAMILY = "recreate-job"
COPY: Json = {
    "metadata": {"annotations": {"interlock.dev/last-step": "uid/again/1", "interlock.dev/copy-of": "uid"}},
    "spec": {
        "activeDeadlineSeconds": 60,
        "parallelism": 2,
        "template": {
            "spec": {
                "restartPolicy": "OnFailure",
                "automountServiceAccountToken": False,
                "nodeSelector": {"pool": "batch"},
                "imagePullSecrets": [{"name": "registry"}],
                "containers": [
                    {
                        "name": "export",
                        "image": "registry.example/export:1",
                        "envFrom": [{"configMapRef": {"name": "settings"}}],
                        "env": [
                            {"name": "A", "value": "b"},
                            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                        ],
                    }
                ],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            }
        },
    },
}
HOST = "has no access to its host"
ACCOUNT = "runs as the default account, without its token"
PRIVILEGES = "has no privileges and no added capabilities"
SECRETS = "a copy of a Job gets no Secrets"
MOUNTS = "mounts nothing but emptyDir, configMap, downwardAPI and claims"
POD_CHANGES: dict[str, tuple[Json, str]] = {
    "the host's network": ({"hostNetwork": True}, HOST),
    "the host's processes": ({"hostPID": True}, HOST),
    "names of its own": ({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["registry.example"]}]}, HOST),
    "a node of its choice": ({"nodeName": "node-1"}, HOST),
    "another account": ({"serviceAccountName": "admin"}, ACCOUNT),
    "a token": ({"automountServiceAccountToken": True}, ACCOUNT),
    "another label of SELinux": ({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}, PRIVILEGES),
    "any system call": ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, PRIVILEGES),
    "the host's files": ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, MOUNTS),
    "a Secret's files": ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, MOUNTS),
    "a token among others": (
        {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
        MOUNTS,
    ),
}
OF = {"name": "s", "key": "k"}
CONTAINER_CHANGES: dict[str, tuple[Json, str]] = {
    "a port of the host": ({"ports": [{"containerPort": 80, "hostPort": 80}]}, HOST),
    "privileges": ({"securityContext": {"privileged": True}}, PRIVILEGES),
    "a capability": ({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, PRIVILEGES),
    "a Secret's key": ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": OF}}]}, SECRETS),
    "a whole Secret": ({"envFrom": [{"secretRef": {"name": "s"}}]}, SECRETS),
}


@pytest.fixture(scope="module")
def runner(shop: Place) -> Identity:
    """The account of the family as the catalogue's runbook has it."""
    books = [item.runbook for item in load_catalogue() if item.runbook.spec.family == FAMILY]
    shop.installation.opt_in(shop.namespace, books)
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{FAMILY}.{shop.namespace}"
    shop.installation.wait_for_right(user, "create", "jobs.batch", shop.namespace)
    return shop.installation.runner(FAMILY, shop.namespace)


def path(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs?dryRun=All"


def job(pod: Json | None = None, container: Json | None = None) -> Json:
    body = copy.deepcopy(COPY)
    body["metadata"]["name"] = f"copy-{secrets.token_hex(4)}"
    body["spec"]["template"]["spec"] |= pod or {}
    body["spec"]["template"]["spec"]["containers"][0] |= container or {}
    return body


def test_an_ordinary_job_may_be_copied_by_this_family_alone(shop: Place, runner: Identity) -> None:
    allowed(runner.post(path(shop.namespace), job()))
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:other.{shop.namespace}"
    other = shop.installation.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
    refused(other.post(path(shop.namespace), job()), "a runbook's Job")


@pytest.mark.parametrize("change", POD_CHANGES)
def test_its_pod_is_not_given(shop: Place, runner: Identity, change: str) -> None:
    pod, words = POD_CHANGES[change]
    refused(runner.post(path(shop.namespace), job(pod)), words)


@pytest.mark.parametrize("change", CONTAINER_CHANGES)
def test_its_container_is_not_given(shop: Place, runner: Identity, change: str) -> None:
    changes, words = CONTAINER_CHANGES[change]
    refused(runner.post(path(shop.namespace), job(container=changes)), words)


def test_it_says_whose_it_is_and_ends(shop: Place, runner: Identity) -> None:
    for name in COPY["metadata"]["annotations"]:
        body = job()
        del body["metadata"]["annotations"][name]
        refused(runner.post(path(shop.namespace), body), "says which step created it and whose it is")
    body = job()
    del body["spec"]["activeDeadlineSeconds"]
    refused(runner.post(path(shop.namespace), body), "ends by a deadline")
