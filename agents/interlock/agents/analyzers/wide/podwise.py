"""What pods say beyond their own revision: security, ports of the node, sandboxes, evictions, their resolver, CPU.

Each rule is a line of a table where the words are enough, a function where two things are compared.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Node
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.objects import ContainerStatus, Pod
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

# Words of the kubelet, the runtime or the scheduler; the cause; the part of the spec; how sure.
_WORDS: tuple[tuple[str, str, str, float], ...] = (
    (
        r"runAsNonRoot and image (?:will run as root|has non-numeric user)|breaks runAsUser|runAsNonRoot",
        "workload.security.context-denied",
        "securityContext",
        0.94,
    ),
    (r"seccomp", "workload.security.seccomp-blocked", "securityContext", 0.85),
    (r"apparmor|selinux", "workload.security.context-denied", "securityContext", 0.8),
    (
        r"free ports for the requested pod ports|host ?port .*(?:in use|conflict)|NodePorts|address already in use",
        "workload.port.conflict",
        "hostPort",
        0.9,
    ),
    (r"serviceaccount \"[^\"]+\" not found", "workload.service-account.not-found", "serviceAccount", 0.93),
    (r"failed to prepare subPath for volumeMount", "workload.volume.mount-failed", "volumeMounts", 0.88),
    (r"violates PodSecurity", "namespace.pod-security.rejected", "securityContext", 0.93),
    (r"Predicate NodeAffinity failed|NodeAffinity", "scheduling.node-affinity.mismatch", "affinity", 0.7),
    (r"OutOfcpu", "scheduling.capacity.cpu-insufficient", "requests", 0.75),
    (r"OutOfmemory", "scheduling.capacity.memory-insufficient", "requests", 0.75),
    (r"no space left on device", "node.disk.pressure", "", 0.6),
    (
        r"failed to (?:setup|set up) network for sandbox|networkPlugin cni failed|cni plugin not initialized",
        "node.network.unavailable",
        "",
        0.75,
    ),
    (
        r"containerd\.sock|container runtime is down|rpc error: code = Unavailable desc = connection error",
        "node.container-runtime.down",
        "",
        0.7,
    ),
)
_LEVEL = re.compile(r"violates PodSecurity")
_LEVELS = frozenset({"workload.security.context-denied", "workload.security.seccomp-blocked"})
"""What the words of a refusal by a namespace's level also sound like, as they list what the pod should have said."""
_EVENTS = frozenset(
    {
        "Failed",
        "FailedCreatePodSandBox",
        "FailedScheduling",
        "FailedCreate",
        "FailedKillPod",
        "NetworkNotReady",
        "NodePorts",
        "NodeNotReady",
    }
)
RECENT = timedelta(hours=1)
_EVICTED = re.compile(r"low on resource: (?P<what>[\w-]+)")
_OUTGROWN = re.compile(
    r"(?i)usage of emptydir volume|local ephemeral storage usage exceeds|exceeded its local ephemeral storage"
)
_NODE = frozenset({"node.disk.pressure", "node.network.unavailable", "node.container-runtime.down"})


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each workload's pods."""
    for group in land.groups:
        yield from _said(land, group)
        yield from _resolver(land, group)
        yield from _init(land, group)
        yield from _outgrown(land, group)
        yield from _sidecars(land, group)
        yield from _host_ports(land, group)
        yield from _killed_between(land, group)
        yield from _nowhere(land, group)
    yield from _evicted(land)
    yield from _preempted(land)


def _said(land: Landscape, group: Group) -> Iterator[Finding]:
    if group.whole and group.wanted and not group.refused:
        return
    names = {group.ref.name, *(p.name for p in group.pods)}
    names |= {name for name in land.said_of if name.rpartition("-")[0] == group.ref.name}
    said = [
        (f"event about {e.object.kind} {name}", e.message)
        for name in sorted(names)
        for e in land.said_of.get(name, ())
        if e.reason in _EVENTS
    ]
    said += [
        (str(pod.ref), s.waiting.message or s.waiting.reason)
        for pod, s in group.statuses()
        if s.waiting.reason not in ("", "CrashLoopBackOff")
    ]
    said += [(str(pod.ref), f"{pod.status.reason}: {pod.status.message}") for pod in group.pods if pod.status.reason]
    for pattern, cause, part, sure in _WORDS:
        found = next(((where, text) for where, text in said if re.search(pattern, text, re.I)), None)
        if found is not None and not (cause in _LEVELS and _LEVEL.search(found[1])):
            drifted = land.drifted(group.ref, part) if part else ()
            yield Finding(
                cause=cause,
                object=_node_of(group) if cause in _NODE else group.ref,
                confidence=min(0.97, sure + (0.03 if drifted else 0)),
                summary=f"Pods of {group.ref} cannot start: {found[1][:200]}",
                quotes=(
                    Quote(id=found[0], excerpt=found[1][:300]),
                    *(q for d in drifted[:2] for q in land.quote(group.ref, d.words)),
                ),
            )


def _node_of(group: Group) -> ObjectRef:
    node = next((p.spec.node_name for p in group.pods if not p.ready and p.spec.node_name), "*")
    return ObjectRef(kind="Node", namespace=None, name=node)


def _resolver(land: Landscape, group: Group) -> Iterator[Finding]:
    """A pod that does not ask the cluster's name service finds no Service."""
    spec, config = group.spec, group.spec.dns_config
    calls = [c for c in land.calls_of.get(group.ref, ()) if not c.outside]
    policy = spec.dns_policy or "ClusterFirst"
    servers = tuple(config.nameservers) if config is not None else ()
    odd = policy in ("None", "Default") and not spec.host_network
    inside = {s.spec.cluster_ip for s in land.within(Service, "kube-system").values()}
    if not odd and not (servers and not set(servers) & inside) and not (spec.host_network and policy == "ClusterFirst"):
        yield from _search(land, group)
        return
    if spec.host_network and not servers and policy == "ClusterFirst" and group.whole:
        return
    if not calls and not _unresolved(land, group):
        return
    drifted = land.drifted(group.ref, "dnsPolicy", "dnsConfig")
    said = _unresolved(land, group)
    cluster_server = bool(inside) and bool(set(servers) & inside)
    sure = (
        0.4
        if cluster_server
        else 0.93
        if said or drifted
        else 0.82
        if odd and (servers or policy == "Default")
        else 0.6
    )
    yield Finding(
        cause="workload.dns.misconfigured",
        object=group.ref,
        confidence=sure,
        summary=f"Pods of {group.ref} ask {', '.join(servers) or 'the resolver of their node'} (dnsPolicy {policy}), which knows no Services.",
        quotes=(
            *land.quote(group.ref, f"dnsPolicy {policy}, nameservers {', '.join(servers) or 'none'}"),
            *said,
            *(q for d in drifted[:2] for q in land.quote(group.ref, d.words)),
        ),
    )


def _search(land: Landscape, group: Group) -> Iterator[Finding]:
    config = group.spec.dns_config
    if config is None:
        return
    wrong = [
        s for s in config.searches if s.endswith("local") and not s.endswith(("svc.cluster.local", "cluster.local"))
    ]
    ndots = next((o.get("value", "") for o in config.options if o.get("name") == "ndots"), "")
    short = any("." in c.address.host and not c.outside for c in land.calls_of.get(group.ref, ()))
    said = _unresolved(land, group)
    if wrong or ((ndots == "0" or (ndots == "1" and short)) and said):
        yield Finding(
            cause="workload.dns.search-domain-wrong",
            object=group.ref,
            confidence=0.85 if said else 0.6,
            summary=f"Pods of {group.ref} complete names wrongly: search {', '.join(config.searches)}, ndots {ndots or 'default'}.",
            quotes=(*land.quote(group.ref, f"searches {', '.join(config.searches)}, ndots {ndots}"), *said),
        )


def _unresolved(land: Landscape, group: Group) -> tuple[Quote, ...]:
    words = re.compile(
        r"(?i)no such host|name resolution|ENOTFOUND|EAI_AGAIN|name or service not known|could not resolve|server misbehaving"
    )
    found = [line for line in land.lines_of.get(group.ref, ()) if words.search(line.text)]
    return tuple(Quote(id=line.where, excerpt=line.text[:300]) for line in found[:2])


def _init(land: Landscape, group: Group) -> Iterator[Finding]:
    for pod in group.pods:
        for status in pod.status.init_container_statuses:
            past = status.ended
            container = pod.spec.container(status.name)
            if (
                status.ready
                or past is None
                or past.exit_code == 0
                or (container is not None and container.restart_policy == "Always")
            ):
                continue
            yield Finding(
                cause="workload.crash.init-container-failed",
                object=group.ref,
                confidence=0.8,
                summary=f"The init container {status.name} of {group.ref} ends with exit code {past.exit_code}.",
                quotes=land.quote(pod, f"{status.name}: {past.reason} {past.exit_code} {past.message}"),
            )
            return


def _sidecars(land: Landscape, group: Group) -> Iterator[Finding]:
    """Two containers of a pod on one port: the second cannot listen."""
    taken: dict[tuple[int, str], str] = {}
    for container in group.spec.containers:
        for port in container.ports:
            key = (port.container_port, port.protocol)
            other = taken.setdefault(key, container.name)
            if other != container.name:
                crashed = any(s.restart_count > 0 or not s.ready for _, s in group.statuses())
                yield Finding(
                    cause="workload.port.sidecar-conflict",
                    object=group.ref,
                    confidence=0.93 if crashed else 0.45,
                    summary=f"Containers {other} and {container.name} of {group.ref} both want port {port.container_port}.",
                    quotes=land.quote(group.ref, f"{other} and {container.name}: containerPort {port.container_port}"),
                )


def _host_ports(land: Landscape, group: Group) -> Iterator[Finding]:
    wanted = {p.host_port for c in group.spec.containers for p in c.ports if p.host_port}
    if not wanted or group.whole:
        return
    for other in land.groups:
        clash = wanted & {p.host_port for c in other.spec.containers for p in c.ports if p.host_port}
        if other.ref != group.ref and clash:
            yield Finding(
                cause="workload.port.conflict",
                object=group.ref,
                confidence=0.85,
                summary=f"{group.ref} and {other.ref} both want port {min(clash)} of their node.",
                quotes=(
                    *land.quote(group.ref, f"hostPort {min(clash)}"),
                    *land.quote(other.ref, f"hostPort {min(clash)}"),
                ),
            )


def _killed_between(land: Landscape, group: Group) -> Iterator[Finding]:
    """Killed for memory and ready again: a moment of calm in a loop."""
    if not group.whole:
        return
    for pod, status in group.statuses():
        past = status.last_state.terminated
        if past is not None and past.reason == "OOMKilled" and _recent(land, status):
            yield Finding(
                cause="workload.memory.oom-killed",
                object=group.ref,
                confidence=0.85 if status.restart_count >= 2 else 0.7,
                summary=f"{status.name} of {group.ref} was killed for its memory limit {status.restart_count} times, and runs again.",
                quotes=land.quote(pod, f"{status.name}: last OOMKilled, {status.restart_count} restarts"),
            )
            return


def _recent(land: Landscape, status: ContainerStatus) -> bool:
    past = status.last_state.terminated
    return past is not None and (past.finished_at is None or (land.now - past.finished_at).total_seconds() < 3600)


def _nowhere(land: Landscape, group: Group) -> Iterator[Finding]:
    """A pod that names its node by itself, and there is none of that name."""
    name = group.spec.node_name
    if group.workload.kind != "Pod" and name and land.known(Node) and land.find(Node, None, name) is None:
        yield Finding(
            cause="scheduling.node-selector.mismatch",
            object=group.ref,
            confidence=0.85,
            summary=f"{group.ref} names the node {name}, which does not exist.",
            quotes=land.quote(group.ref, f"nodeName: {name}"),
            introduced="yes" if land.drifted(group.ref, "/nodeName") else "unknown",
        )


def _evicted(land: Landscape) -> Iterator[Finding]:
    gone = [p for p in land.pods if p.status.reason == "Evicted" and not _OUTGROWN.search(p.status.message)]
    causes = {"ephemeral-storage": "node.disk.pressure", "memory": "node.memory.pressure", "pids": "node.pid.pressure"}
    if len(gone) >= 3:
        found = _EVICTED.search(gone[0].status.message)
        nodes = {p.spec.node_name for p in gone if p.spec.node_name}
        target = ObjectRef(kind="Node", namespace=None, name=min(nodes) if nodes else "*")
        cause = causes.get(found["what"], "disruption.eviction.storm") if found else "disruption.eviction.storm"
        yield _gone(land, gone[0], cause, target, 0.8 if len(nodes) == 1 else 0.6, f"{len(gone)} pods were evicted")


def _outgrown(land: Landscape, group: Group) -> Iterator[Finding]:
    """Pods that wrote more than they may: the kubelet evicts them for their own limit, whatever room the node has."""
    gone = [p for p in group.pods if p.status.reason == "Evicted" and _OUTGROWN.search(p.status.message)]
    names = {pod.name for pod in gone}
    said = [e for e in land.events if e.reason == "Evicted" and _OUTGROWN.search(e.message)]
    mine = [e for e in said if land.group_of.get((group.ref.namespace or "", e.object.name)) is group]
    fresh = [e for e in mine if e.last is None or land.now - e.last < RECENT]
    if len(names) >= 2 or fresh:
        words = gone[0].status.message if gone else fresh[0].message
        yield Finding(
            cause="workload.volume.full",
            object=group.ref,
            confidence=0.86,
            summary=f"{len(names) or 1} pods of {group.ref} were evicted for what they wrote: {words[:200]}",
            quotes=land.quote(gone[0] if gone else group.ref, words),
        )


def _preempted(land: Landscape) -> Iterator[Finding]:
    for event in land.events:
        if event.reason == "Preempted" and event.object.kind in ("", "Pod"):
            group = next(
                (g for g in land.groups if event.object.name.startswith(f"{g.ref.name}-") and g.ready < g.wanted), None
            )
            if group is not None:
                yield Finding(
                    cause="scheduling.priority.preempted",
                    object=group.ref,
                    confidence=0.88,
                    summary=f"A pod of {group.ref} had to make room for one of higher priority.",
                    quotes=(Quote(id=f"event about Pod {event.object.name}", excerpt=event.message[:300]),),
                )
                return


def _gone(land: Landscape, pod: Pod, cause: str, target: ObjectRef, sure: float, words: str) -> Finding:
    return Finding(
        cause=cause,
        object=target,
        confidence=sure,
        summary=f"{words}: {pod.status.message[:200]}",
        quotes=land.quote(pod, pod.status.message),
    )
