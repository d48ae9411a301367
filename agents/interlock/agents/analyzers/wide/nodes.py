"""A node is not well: what its kubelet reports, what systemd says of its services, what events tell of it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Node
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.model import ObjectRef

# A systemd unit, the cause when it is down, and how sure that alone makes.
_UNITS: tuple[tuple[str, str, float], ...] = (
    (r"kubelet", "node.kubelet.down", 0.97),
    (r"containerd|cri-?o|docker(?!-)|container-?runtime", "node.container-runtime.down", 0.97),
    (r"kube-?proxy", "node.kube-proxy.down", 0.96),
    (r"scheduler", "control-plane.scheduler.down", 0.96),
    (r"controller-?manager", "control-plane.controller-manager.down", 0.96),
    (r"api-?server", "control-plane.api-server.down", 0.96),
    (r"etcd", "control-plane.etcd", 0.9),
    (r"chrony|ntp|timesync", "node.clock.skewed", 0.55),
)
_PRESSURES = {
    "DiskPressure": "node.disk.pressure",
    "MemoryPressure": "node.memory.pressure",
    "PIDPressure": "node.pid.pressure",
}
_OTHERS = {
    "NetworkUnavailable": "node.network.unavailable",
    "KernelDeadlock": "node.kernel.deadlock",
    "ContainerRuntimeUnhealthy": "node.container-runtime.down",
    "KubeletUnhealthy": "node.kubelet.down",
    "ClockSkew": "node.clock.skewed",
    "NTPProblem": "node.clock.skewed",
    "ReadonlyFilesystem": "node.disk",
}
# What the condition Ready says, in the kubelet's and the node controller's words.
_NOT_READY: tuple[tuple[str, str, float], ...] = (
    (r"certificate has expired|x509: certificate", "node.certificate.expired", 0.92),
    (
        r"container runtime (?:is down|not ready)|runtime is not running|containerd|PLEG is not healthy",
        "node.container-runtime.down",
        0.9,
    ),
    (r"cni|network plugin|NetworkPluginNotReady", "node.network.unavailable", 0.88),
    (r"Kubelet stopped posting node status|NodeStatusUnknown", "node.kubelet.down", 0.78),
)
# What the kernel says, as a watcher of its log passes it on in events about the node.
_KERNEL: tuple[tuple[str, str, float], ...] = (
    (r"(?:nf_conntrack|neighbou?r|arp_cache)\S*:? .*table (?:full|overflow)", "node.network.packet-loss", 0.88),
    (r"blocked for more than \d+ seconds|soft lockup|rcu_sched self-detected stall", "node.kernel.deadlock", 0.82),
    (r"Remounting filesystem read-only|Buffer I/O error|I/O error, dev", "node.disk", 0.8),
)
_LATELY = timedelta(minutes=30)
_STOPPED = frozenset({"inactive", "failed", "dead", "deactivating", "unknown", "activating"})


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each node, and about what runs on it beside pods."""
    told: set[str] = set()
    for name, units in land.source.documents("node-services").items():
        for finding in _units(land, name, records(units)):
            told.add(name)
            yield finding
    for node in land.within(Node).values():
        if node.metadata.partial and not node.status.conditions:
            continue
        yield from _conditions(land, node, name_told=node.name in told)
        yield from _kernel(land, node)


def _kernel(land: Landscape, node: Node) -> Iterator[Finding]:
    for event in (e for place in ("default", *land.focus) for e in land.events_in(place)):
        if (event.object.kind, event.object.name) != ("Node", node.name):
            continue
        known = next(((c, s) for words, c, s in _KERNEL if re.search(words, event.message, re.I)), None)
        if known is not None and event.last is not None and land.now - event.last < _LATELY:
            yield _finding(land, node, *known, event.message)


def _units(land: Landscape, node: str, units: list[dict[str, Any]]) -> Iterator[Finding]:
    for unit in units:
        name, active = str(unit.get("service", "")), unit.get("active")
        if _runs(active) or str(unit.get("raw", "")).lower().strip() in ("not-found", "could not be found"):
            continue
        known = next(((cause, sure) for words, cause, sure in _UNITS if re.search(words, name, re.I)), None)
        if known is None or "could not be found" in str(unit.get("raw", "")):
            continue
        shown = f"{name}: {active} ({unit.get('sub')})"
        yield Finding(
            cause=known[0],
            object=ObjectRef(kind="Node", namespace=None, name=node),
            confidence=known[1],
            summary=f"{name} does not run on node {node}: {active}.",
            quotes=(Quote(id=f"node-services/{node}.json", excerpt=shown),),
        )


def _runs(active: Any) -> bool:
    if isinstance(active, bool):
        return active
    return str(active).split(" ")[0].lower() not in _STOPPED


def _conditions(land: Landscape, node: Node, *, name_told: bool) -> Iterator[Finding]:
    for condition in node.status.conditions:
        cause = _PRESSURES.get(condition.type) or _OTHERS.get(condition.type)
        if cause is not None and condition.status == "True":
            yield _finding(land, node, cause, 0.9, f"{condition.type}: {condition.message or condition.reason}")
    ready = node.condition("Ready")
    if ready is not None and ready.status != "True":
        said = f"{ready.reason}: {ready.message}"
        cause, sure = next(
            ((c, s) for words, c, s in _NOT_READY if re.search(words, said, re.I)), ("node.not-ready", 0.75)
        )
        sure = 0.5 if name_told else sure
        yield _finding(land, node, cause, sure, f"Ready is {ready.status}: {said}")
    elif ready is not None:
        yield from _tainted(land, node)


def _tainted(land: Landscape, node: Node) -> Iterator[Finding]:
    for taint in node.spec.taints:
        if taint.key.endswith(("unreachable", "network-unavailable")) and taint.effect != "PreferNoSchedule":
            yield _finding(land, node, "node.network.unavailable", 0.6, f"taint {taint.key}:{taint.effect}")
    pending = [p for p in land.pods if not p.spec.node_name and p.condition("PodScheduled") is not None]
    if node.spec.unschedulable and not pending:
        yield _finding(land, node, "node.cordoned.forgotten", 0.45, "spec.unschedulable: true")


def _finding(land: Landscape, node: Node, cause: str, sure: float, words: str) -> Finding:
    return Finding(
        cause=cause,
        object=node.ref,
        confidence=sure,
        summary=f"{node.ref}: {words[:250]}",
        quotes=land.quote(node, words),
    )
