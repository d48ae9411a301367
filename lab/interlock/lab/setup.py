"""Puts the first objects into a new cluster (nodes, the developers' rights) and waits until pods can be scheduled."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from interlock.lab.api import Api, Json
from interlock.lab.errors import ApiError, LabError

DEVELOPERS = "developers"
DEADLINE_SECONDS = 60.0
HTTP_NOT_FOUND = 404


def main() -> None:
    """Run as `python -m interlock.lab.setup KUBECONFIG NODES REAL METRICS_PORT` by the supervisor."""
    api, (nodes, real_nodes, metrics_port) = Api(Path(sys.argv[1])), map(int, sys.argv[2:])
    version = str(api.request("GET", "/version")["gitVersion"])
    for number in range(1, nodes + 1):
        api.create("/api/v1/nodes", node(f"node-{number}", version))
    api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", developers_may_edit())
    _wait("all nodes Ready", lambda: sum(map(is_ready, _nodes(api))) == nodes + real_nodes)
    for path, item in () if real_nodes else metrics(metrics_port):
        api.create(path, item)
    _wait("the default ServiceAccount", lambda: _exists(api, "/api/v1/namespaces/default/serviceaccounts/default"))


def node(name: str, version: str) -> Json:
    """A Node as a kubelet of this version registers it; the label hands it to kwok, else nobody renews its lease."""
    capacity = {"cpu": "8", "memory": "16Gi", "pods": "250", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "type": "kwok",
            },
        },
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.2.1",
                "kernelVersion": "6.12.0",
                "kubeProxyVersion": version,
                "kubeletVersion": version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 13 (trixie)",
                "systemUUID": "",
            },
        },
    }


def developers_may_edit() -> Json:
    """What the people of a team may do; faults are injected as one of them."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "developers-edit"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": DEVELOPERS}],
    }


def metrics(port: int) -> Iterator[tuple[str, Json]]:
    """Lets the API server answer for metrics.k8s.io with what the kubelets' port says; its client proves who asks."""
    service = {"namespace": "kube-system", "name": "metrics"}
    yield (
        "/api/v1/namespaces/kube-system/services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": service,
            "spec": {"type": "ExternalName", "externalName": "127.0.0.1"},
        },
    )
    yield (
        "/apis/apiregistration.k8s.io/v1/apiservices",
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {**service, "port": port},
            },
        },
    )


def is_ready(item: Json) -> bool:
    """Whether pods can be placed on the node: Ready, and the start-up taint is gone."""
    conditions = {condition["type"]: condition["status"] for condition in item["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and not item["spec"].get("taints")


def _nodes(api: Api) -> list[Json]:
    items: list[Json] = api.request("GET", "/api/v1/nodes")["items"]
    return items


def _exists(api: Api, path: str) -> bool:
    try:
        api.request("GET", path)
    except ApiError as refusal:
        if refusal.status == HTTP_NOT_FOUND:
            return False
        raise
    return True


def _wait(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"waited {DEADLINE_SECONDS:.0f} s in vain for {what}")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
