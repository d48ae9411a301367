"""A cluster of which one node has failed, as an API server tells it, and what Alertmanager says of that."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.unit.agents.payloads import sent

from interlock.agents.cluster import Json
from interlock.agents.errors import AlreadyExistsError

CATALOGUE = Path(__file__).parents[3] / "runbooks" / "catalogue"
ME = "system:serviceaccount:interlock-agents:interlock-agents"
FAILED, OTHER = "n1", "n2"


class NodeFailure:
    """Workloads of two namespaces whose pods are all on a lost node, and one whose image does not exist."""

    def __init__(self, workloads: int = 50) -> None:
        self.reads = 0
        self.created: dict[str, Json] = {}
        self.names = [(("shop", "bank")[n % 2], f"w{n}") for n in range(workloads)]
        self.lists: dict[tuple[str, str | None], list[Json]] = {
            ("Node", None): [_node(FAILED, "Unknown"), _node(OTHER, "True")],
            ("Runbook", None): _catalogue(),
        }
        for namespace, name in self.names:
            self._workload(namespace, name, FAILED, {"ready": False})
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "shop:2: not found"}}
        self._workload("shop", "broken", OTHER, {"ready": False, "state": waiting, "image": "shop:2"})

    def _workload(self, namespace: str, name: str, node: str, status: Json) -> None:
        labels = {"app": name}
        template: Json = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "shop:2"}]}}
        place = {"namespace": namespace}
        self._put("Deployment", namespace, {
            "metadata": {"name": name, "uid": name, "generation": 1, **place},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
            "status": {"replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1},
        })  # fmt: skip
        self._put("ReplicaSet", namespace, {
            "metadata": {
                "name": f"{name}-1",
                "uid": f"{name}-1",
                "labels": {"pod-template-hash": "1"},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [_owner("Deployment", name, name)],
                **place,
            },
            "spec": {"replicas": 1, "template": template},
            "status": {"replicas": 1},
        })  # fmt: skip
        self._put("Pod", namespace, {
            "metadata": {
                "name": f"{name}-1-a",
                "labels": {**labels, "pod-template-hash": "1"},
                "ownerReferences": [_owner("ReplicaSet", f"{name}-1", f"{name}-1")],
                **place,
            },
            "spec": {**template["spec"], "nodeName": node},
            "status": {
                "phase": "Running",
                "conditions": [_ready("False", "NodeStatusUnknown")],
                "containerStatuses": [{"name": "app", "restartCount": 0, **status}],
            },
        })  # fmt: skip

    def _put(self, kind: str, namespace: str | None, body: Json) -> None:
        self.lists.setdefault((kind, namespace), []).append(body)

    def alerts(self, count: int) -> list[Json]:
        """So many alerts about the workloads, one about the node among them."""
        names = ("KubePodNotReady", "KubeDeploymentReplicasMismatch", "KubePodCrashLooping")
        found = [sent("KubeNodeNotReady", node=FAILED, severity="critical")]
        for n in range(count - 1):
            namespace, name = self.names[n % len(self.names)]
            label = {"deployment": name} if n % 3 == 1 else {"pod": f"{name}-1-a"}
            found.append(sent(names[n % 3], namespace=namespace, series=str(n), **label))
        return found

    def alert_of_its_own(self) -> Json:
        """About the workload that has nothing to do with the node."""
        return sent("KubeContainerWaiting", namespace="shop", deployment="broken")

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        self.reads += 1
        if kind == "Namespace":
            return {"metadata": {"name": name, "labels": {"interlock.dev/remediation": "enabled"}}}
        if kind == "RunbookExecution":
            return self.created.get(name)
        found = self.lists.get((kind, namespace), [])
        return next((body for body in found if body["metadata"]["name"] == name), None)

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        self.reads += 1
        found = self.lists.get((kind, namespace), [])
        if labels and kind == "Pod":
            key, _, value = labels.partition("=")
            found = [body for body in found if body["metadata"]["labels"].get(key) == value]
        return found

    async def served(self) -> frozenset[str]:
        self.reads += 1
        return frozenset()

    async def logs(self, *_: Any, **__: Any) -> str | None:
        self.reads += 1
        return None

    async def create(self, kind: str, namespace: str, body: Json) -> Json:
        name = body["metadata"]["name"]
        if name in self.created:
            raise AlreadyExistsError(f"{name} already exists")
        self.created[name] = body
        return body

    async def whoami(self) -> str:
        return ME


@cache
def _catalogue() -> list[Json]:
    return [yaml.safe_load(path.read_text()) for path in sorted(CATALOGUE.glob("*/runbook.yaml"))]


def _owner(kind: str, name: str, uid: str) -> Json:
    return {"kind": kind, "name": name, "uid": uid, "controller": True}


def _ready(status: str, reason: str) -> Json:
    said = "Kubelet stopped posting node status."
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": said,
        "lastTransitionTime": "2026-03-01T11:58:00Z",
    }


def _node(name: str, status: str) -> Json:
    return {"metadata": {"name": name}, "spec": {}, "status": {"conditions": [_ready(status, "NodeStatusUnknown")]}}
