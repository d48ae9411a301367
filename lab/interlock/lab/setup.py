"""Puts the first objects into a new cluster (nodes, the developers' rights) and waits until pods can be scheduled."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from interlock.lab.api import Api, Json
from interlock.lab.errors import ApiError, LabError

KUBELET_VERSION = "v1.36.4"
DEVELOPERS = "developers"
DEADLINE_SECONDS = 60.0
HTTP_NOT_FOUND = 404


def main() -> None:
    """Run as `python -m interlock.lab.setup KUBECONFIG NODES` by the supervisor."""
    api, nodes = Api(Path(sys.argv[1])), int(sys.argv[2])
    for number in range(1, nodes + 1):
        api.create("/api/v1/nodes", node(f"node-{number}"))
    api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", developers_may_edit())
    _wait("all nodes Ready", lambda: all(is_ready(item) for item in api.request("GET", "/api/v1/nodes")["items"]))
    _wait("the default ServiceAccount", lambda: _exists(api, "/api/v1/namespaces/default/serviceaccounts/default"))


def node(name: str) -> Json:
    """A Node as its kubelet registers it; the label hands it to kwok, without it nobody renews its lease."""
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
                "kubeProxyVersion": KUBELET_VERSION,
                "kubeletVersion": KUBELET_VERSION,
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


def is_ready(item: Json) -> bool:
    """Whether pods can be placed on the node: Ready, and the start-up taint is gone."""
    conditions = {condition["type"]: condition["status"] for condition in item["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and not item["spec"].get("taints")


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
