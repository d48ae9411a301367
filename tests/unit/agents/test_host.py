"""Of a node its heartbeat, its events and its pods are seen, as far as they may be read, and what may not is said."""

from datetime import UTC, datetime

from interlock.agents.cluster import Json
from interlock.agents.errors import AccessDeniedError
from interlock.agents.evidence.collect import collect
from interlock.agents.evidence.host import most_common_namespace
from interlock.agents.evidence.model import Evidence
from interlock.agents.model import ObjectRef

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NODE = ObjectRef(kind="Node", namespace=None, name="n1")
ON_IT = {"kube-system": ["proxy"], "shop": ["web-1", "web-2"], "bank": ["ledger-1"]}
READY = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}


class Host:
    """An API server with one node, on which pods of three namespaces run, one of which did not opt in."""

    def __init__(self, *refused: tuple[str, str | None]) -> None:
        self._refused = refused
        self.asked: list[tuple[str, str | None, str]] = []

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        if kind == "Lease":
            return {"metadata": {"name": name}, "spec": {"renewTime": "2026-03-01T11:50:00Z"}}
        taints = [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]
        return {"metadata": {"name": name}, "spec": {"taints": taints}, "status": {"conditions": [READY]}}

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        self.asked.append((kind, namespace, fields))
        if (kind, namespace) in self._refused:
            raise AccessDeniedError(f"{kind} of {namespace}")
        if kind == "Namespace":
            assert labels == "interlock.dev/remediation=enabled"
            return [{"metadata": {"name": name}} for name in ("shop", "bank")]
        if kind == "Event":
            return [
                {"metadata": {"name": "e"}, "reason": "NodeNotReady", "message": "Node n1 status is now: NodeNotReady"}
            ]
        return [{"metadata": {"name": p, "namespace": namespace}, "spec": {}} for p in ON_IT.get(namespace or "", ())]

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        raise AssertionError("a node has no log")

    async def served(self) -> frozenset[str]:
        return frozenset()


async def seen(host: Host) -> Evidence:
    return await collect(host, None, NODE, (), now=lambda: NOW, calls=50, seconds=10)


async def test_a_node_is_seen_with_all_that_tells_of_it() -> None:
    host = Host()
    evidence = await seen(host)
    content = {item.kind: item.content for item in evidence.items}
    assert isinstance(content["node-pods"], list)
    assert len(content["node-pods"]) == sum(map(len, ON_IT.values()))
    assert "NodeNotReady" in str(content["node-events"])
    assert "renewTime" in str(content["node-lease"])
    assert "unreachable" in str(content["target"])
    assert not evidence.missing
    assert ("Pod", "shop", "spec.nodeName=n1") in host.asked
    assert ("Event", "default", "involvedObject.kind=Node,involvedObject.name=n1") in host.asked
    assert most_common_namespace(evidence) == "shop"


async def test_what_may_not_be_read_of_a_node_is_missing_and_the_rest_is_seen() -> None:
    evidence = await seen(Host(("Event", "default"), ("Pod", "bank")))
    assert evidence.lacks("node-events")
    assert evidence.first("node-events") is None
    assert {gap.source for gap in evidence.missing} == {"Events about Node n1", "Pods on Node n1 in bank"}
    assert "web-1" in str(evidence.of("node-pods"))


async def test_pods_of_a_node_are_not_taken_for_its_faults() -> None:
    assert most_common_namespace(Evidence(target=NODE, collected_at=NOW)) is None
    assert {item.kind for item in (await seen(Host())).items} & {"pods", "events", "log"} == set()
