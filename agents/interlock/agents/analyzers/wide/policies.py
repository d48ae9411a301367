"""A NetworkPolicy keeps out what the application needs: judged on the ways that settings and traces show.

Policies add up: what one of them lets through is let through. A way is blocked only where policies select its end
and none lets it pass.
"""

from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import Namespace
from interlock.agents.analyzers.networking import NetworkPolicy, Peer, PolicyPort
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.workloads import LabelSelector
from interlock.agents.analyzers.world import Group, selects

NAME_LABEL = "kubernetes.io/metadata.name"


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each policy that blocks a known way, names, or everything."""
    for policy in land.every(NetworkPolicy):
        if policy.metadata.partial:
            continue
        for group in _selected(land, policy):
            found = tuple(_blocked(land, policy, group))
            yield from found


def _selected(land: Landscape, policy: NetworkPolicy) -> tuple[Group, ...]:
    return tuple(
        g
        for g in land.groups
        if g.ref.namespace == policy.metadata.namespace and selects(policy.spec.pod_selector, g.labels)
    )


def _policies(land: Landscape, group: Group, direction: str) -> tuple[NetworkPolicy, ...]:
    mine = land.within(NetworkPolicy, group.ref.namespace or "").values()
    return tuple(p for p in mine if direction in p.types and selects(p.spec.pod_selector, group.labels))


def _blocked(land: Landscape, policy: NetworkPolicy, group: Group) -> Iterator[Finding]:
    if "Ingress" in policy.types:
        yield from _ingress(land, policy, group)
    if "Egress" in policy.types:
        yield from _egress(land, policy, group)


def _ingress(land: Landscape, policy: NetworkPolicy, group: Group) -> Iterator[Finding]:
    rules = [rule for p in _policies(land, group, "Ingress") for rule in p.spec.ingress or ()]
    shut: list[str] = []
    ways = 0
    for service in land.services_of.get(group.ref, ()):
        targets = {p.target for p in service.spec.ports}
        for caller in land.callers.get((service.metadata.namespace, service.name), ()):
            if caller.ref == group.ref:
                continue
            ways += 1
            if not any(_lets(land, r.peers, r.ports, caller, targets, group) for r in rules):
                shut.append(caller.ref.name)
    serves = bool(land.services_of.get(group.ref))
    if shut or (serves and not ways and not rules):
        who = ", ".join(dict.fromkeys(shut)) or "everybody"
        yield _finding(
            land,
            policy,
            "network-policy.ingress.blocked",
            f"lets nobody in to {group.ref}: {who} is shut out",
            bool(shut),
            group,
        )


def _egress(land: Landscape, policy: NetworkPolicy, group: Group) -> Iterator[Finding]:
    rules = [rule for p in _policies(land, group, "Egress") for rule in p.spec.egress or ()]
    shut: list[str] = []
    for call in land.calls_of.get(group.ref, ()):
        if call.service is None:
            continue
        for behind in land.behind(call.service):
            targets = {p.target for p in call.service.spec.ports}
            if behind.ref != group.ref and not any(
                _lets(land, r.peers, r.ports, behind, targets, behind) for r in rules
            ):
                shut.append(call.name)
    if shut:
        words = f"lets {group.ref} not reach {', '.join(dict.fromkeys(shut))}"
        yield _finding(land, policy, "network-policy.egress.blocked", words, True, group)
    elif not any(_lets_dns(r.peers, r.ports) for r in rules):
        calls = any(not c.outside for c in land.calls_of.get(group.ref, ()))
        if calls or not rules:
            words = f"lets {group.ref} not ask the name service"
            cause = "network-policy.dns.blocked" if rules else "network-policy.egress.blocked"
            yield _finding(land, policy, cause, words, calls, group)


def _lets(
    land: Landscape,
    peers: tuple[Peer, ...],
    ports: tuple[PolicyPort, ...],
    other: Group,
    targets: set[int | str],
    served: Group,
) -> bool:
    return _peer(land, peers, other) and (not ports or any(_port(p, t, served) for p in ports for t in targets))


def _port(port: PolicyPort, target: int | str, served: Group) -> bool:
    numbers = {str(target)}
    for container in served.spec.containers:
        for declared in container.ports:
            if target in (declared.name, declared.container_port):
                numbers |= {declared.name, str(declared.container_port)}
    if port.protocol not in ("TCP", "SCTP") and not any(
        d.protocol == port.protocol for c in served.spec.containers for d in c.ports
    ):
        return False
    if port.port is None:
        return True
    if port.end_port is not None and isinstance(port.port, int):
        return any(n.isdigit() and port.port <= int(n) <= port.end_port for n in numbers)
    return str(port.port) in numbers


def _peer(land: Landscape, peers: tuple[Peer, ...], other: Group) -> bool:
    if not peers:
        return True
    return any(_is_peer(land, peer, other) for peer in peers)


def _is_peer(land: Landscape, peer: Peer, other: Group) -> bool:
    if peer.ip_block is not None:
        return peer.ip_block.cidr.endswith("/0") or peer.ip_block.cidr.startswith("10.")
    if peer.namespace_selector is not None and not selects(
        peer.namespace_selector, _labels(land, other.ref.namespace or "")
    ):
        return False
    return selects(peer.pod_selector or LabelSelector(), other.labels)


def _labels(land: Landscape, namespace: str) -> dict[str, str]:
    found = land.find(Namespace, None, namespace)
    return {NAME_LABEL: namespace, **(found.metadata.labels if found else {})}


def _lets_dns(peers: tuple[Peer, ...], ports: tuple[PolicyPort, ...]) -> bool:
    asks = not ports or any(p.port in (53, None, "dns", "dns-tcp", "53") for p in ports)
    if not peers:
        return asks
    elsewhere = any(p.ip_block is not None or p.namespace_selector is not None for p in peers)
    return asks and elsewhere


def _finding(land: Landscape, policy: NetworkPolicy, cause: str, words: str, known_way: bool, group: Group) -> Finding:
    drifted = land.drifted(policy.ref)
    hurts = bool(
        {group.ref.name, *(s.name for s in land.services_of.get(group.ref, ()))} & {name for _, name in land.hurt}
    )
    failing = any(
        word in line.text.lower() for line in land.lines for word in ("timeout", "timed out", "deadline", "unreachable")
    )
    sure = 0.8 if known_way else 0.62
    direction = "Ingress" if "ingress" in cause else "Egress"
    sure -= 0.15 if len(_policies(land, group, direction)) > 1 and not drifted else 0
    sure += (0.1 if drifted else 0) + (0.06 if hurts or failing else 0)
    shown = policy.spec.model_dump(exclude_none=True, exclude_defaults=True)
    return Finding(
        cause=cause,
        object=policy.ref,
        confidence=min(0.97, sure),
        summary=f"{policy.ref} {words}.",
        quotes=(*land.quote(policy, str(shown)), *(q for d in drifted[:2] for q in land.quote(policy, d.words))),
    )
