"""A Service sends its traffic nowhere: it selects nothing, or a port on which nobody listens.

Which side is wrong is told by what was meant, by what the pods declare, and by who else agrees.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.networking import Service, ServicePort
from interlock.agents.analyzers.objects import Pod, Port
from interlock.agents.analyzers.wide.endpoints import reaches_somebody
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.likeness import alike
from interlock.agents.analyzers.workloads import StatefulSet
from interlock.agents.analyzers.world import Group

_NO_HOST = re.compile(
    r"(?i)no such host|name or service not known|ENOTFOUND|EAI_AGAIN|UnknownHost|NXDOMAIN|name resolution|getaddrinfo"
    r"|could not resolve|failed to lookup|dns error|nodename nor servname"
)


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each Service."""
    for service in land.every(Service):
        if service.spec.type == "ExternalName":
            yield from _external(land, service)
        elif service.spec.selector:
            yield from _selected(land, service)
    for one in land.every(StatefulSet):
        name, place = one.spec.service_name, one.metadata.namespace
        if name and land.known(Service, place) and land.find(Service, place, name) is None:
            yield Finding(
                cause="service.endpoints.empty",
                object=one.ref.model_copy(update={"kind": "Service", "name": name}),
                confidence=0.6,
                summary=f"The Service {name} that names the pods of {one.ref} does not exist.",
                quotes=land.quote(one, f"serviceName: {name}"),
            )


def _selected(land: Landscape, service: Service) -> Iterator[Finding]:
    groups = land.behind(service)
    chosen = [pod for group in groups for pod in group.pods] or _pods(land, service)
    if service.metadata.partial or not land.known(type(service), service.metadata.namespace):
        return
    if not groups and not chosen:
        yield from _selects_nothing(land, service)
        return
    for port in service.spec.ports:
        yield from _port(land, service, port, groups)
    ready = [pod for pod in chosen if pod.ready]
    if ready and reaches_somebody(land, service) is False:
        yield Finding(
            cause="service.endpoints.empty",
            object=service.ref,
            confidence=0.55,
            summary=f"{service.ref} has no endpoints although {len(ready)} pods that it selects are ready.",
            quotes=(*land.quote(service, "no addresses are written down for it"), *land.quote(ready[0], "ready")),
        )


def _pods(land: Landscape, service: Service) -> list[Pod]:
    pods = land.within(Pod, service.metadata.namespace).values()
    return [pod for pod in pods if service.spec.selector.items() <= pod.metadata.labels.items()]


def _selects_nothing(land: Landscape, service: Service) -> Iterator[Finding]:
    groups = land.groups_of(service.metadata.namespace)
    if not groups:
        return
    best = _meant_group(land, service, groups)
    drifted = land.drifted(service.ref, "/spec/selector")
    shown = ", ".join(f"{key}={value}" for key, value in service.spec.selector.items())
    quotes = (*land.quote(service, f"selector: {shown}"), *(q for d in drifted for q in land.quote(service, d.words)))
    if best is not None:
        labels = ", ".join(f"{key}={value}" for key, value in list(best.labels.items())[:6])
        quotes += land.quote(best.ref, f"pod labels: {labels}")
    relabelled = best is not None and land.drifted(best.ref, "/template/metadata/labels")
    yield Finding(
        cause="service.selector.mismatch",
        object=service.ref,
        confidence=0.97 if drifted else 0.6 if relabelled else 0.92 if best is not None else 0.5,
        summary=f"{service.ref} selects {shown}, which no pod has"
        + (f"; those of {best.ref} have {labels}." if best is not None else "."),
        quotes=quotes,
        introduced="yes" if drifted else "unknown",
    )


def _meant_group(land: Landscape, service: Service, groups: tuple[Group, ...]) -> Group | None:
    """The workload that a Service was made for: by name, else the one that shares a label and has no Service."""
    wanted = service.spec.selector
    named = [g for g in groups if alike(service.name, g.ref.name) >= 0.8]
    if named:
        return max(named, key=lambda g: (alike(service.name, g.ref.name), not land.services_of.get(g.ref)))
    left = [g for g in groups if g.ref not in land.services_of]
    close = [g for g in left if any(g.labels.get(k) == v for k, v in wanted.items())]
    near = [g for g in left if any(alike(v, g.ref.name) >= 0.7 for v in wanted.values())]
    found = close if len(close) == 1 else near if len(near) == 1 else []
    return found[0] if found else None


def _port(land: Landscape, service: Service, port: ServicePort, groups: tuple[Group, ...]) -> Iterator[Finding]:
    declared = [(g, p) for g in groups for c in g.spec.containers for p in c.ports]
    undeclared = any(not c.ports for g in groups for c in g.spec.containers)
    if not declared or any(g.workload.metadata.partial for g in groups):
        return
    target, drifted = port.target, land.drifted(service.ref, "/spec/ports")
    extra = tuple(q for d in drifted[:3] for q in land.quote(service, d.words))
    words = ", ".join(
        sorted({f"{p.container_port}/{p.protocol}" + (f" ({p.name})" if p.name else "") for _, p in declared})
    )
    quotes = (
        *land.quote(service, f"port {port.port}/{port.protocol} → targetPort {target}"),
        *land.quote(declared[0][0].ref, f"container ports {words}"),
        *extra,
    )
    fitting = [p for _, p in declared if _reaches(target, p)]
    if fitting:
        if all(p.protocol != port.protocol for p in fitting):
            yield Finding(
                cause="service.port.protocol-mismatch",
                object=service.ref,
                confidence=0.95 if drifted else 0.88,
                summary=f"{service.ref} sends {port.protocol} to port {target}, which speaks {fitting[0].protocol}.",
                quotes=quotes,
            )
        return
    sure = 0.97 if drifted else _how_sure(land, service, target, undeclared=undeclared)
    by_name = isinstance(target, str) and not str(target).isdigit()
    moved = tuple(d for g in groups for d in land.drifted(g.ref, "/ports/", "containerPort"))
    if moved and not drifted:
        return  # the workload's port was changed; that is said there
    yield Finding(
        cause="workload.port.name-mismatch"
        if by_name and not drifted and _renamed(land, groups)
        else "service.port.target-mismatch",
        object=service.ref,
        confidence=sure,
        summary=f"{service.ref} sends port {port.port} to {target} of its pods, which declare {words}.",
        quotes=quotes,
        introduced="yes" if drifted else "unknown",
    )


def _reaches(target: int | str, port: Port) -> bool:
    return target in (port.container_port, str(port.container_port)) or (port.name != "" and target == port.name)


def _renamed(land: Landscape, groups: tuple[Group, ...]) -> bool:
    return any(land.drifted(g.ref, "/ports") for g in groups)


def _how_sure(land: Landscape, service: Service, target: int | str, *, undeclared: bool) -> float:
    """A declared port is a hint only; a probe or a setting on the declared one makes it more."""
    failing = any(c.get("service") == service.name and c.get("succeeded") is False for c in land.checks)
    answers = any(c.get("service") == service.name and c.get("succeeded") is True for c in land.checks)
    if answers:
        return 0.3
    told = any(str(target) == s.value for g in land.behind(service) for s in land.settings[g.ref])
    probed = any(
        probe.address is not None and str(probe.address.port) == str(target)
        for g in land.behind(service)
        for c in g.spec.containers
        for _, probe in c.probes
    )
    if told or (probed and all(g.whole for g in land.behind(service))):
        return 0.35  # it listens there although it declares another port
    sure = 0.65 if undeclared else 0.88 if land.symptoms or land.lines else 0.78
    return min(0.96, sure + (0.08 if failing else 0))


def _external(land: Landscape, service: Service) -> Iterator[Finding]:
    host = service.spec.external_name
    parts = host.removesuffix(".").removesuffix(".cluster.local").split(".")
    inside = len(parts) == 3 and parts[2] == "svc"
    if inside and land.known(Service, parts[1]) and land.find(Service, parts[1], parts[0]) is None:
        yield Finding(
            cause="service.external-name.wrong",
            object=service.ref,
            confidence=0.9,
            summary=f"{service.ref} stands for {host}, which does not exist.",
            quotes=land.quote(service, f"externalName: {host}"),
        )
    elif drifted := land.drifted(service.ref, "externalName"):
        yield Finding(
            cause="service.external-name.wrong",
            object=service.ref,
            confidence=0.9,
            summary=f"{service.ref} stands for {host}, and was meant to stand for {drifted[0].meant}.",
            quotes=land.quote(service, drifted[0].words),
        )
    elif not inside and (said := _unresolved(land, service)):
        yield Finding(
            cause="service.external-name.wrong",
            object=service.ref,
            confidence=0.76,
            summary=f"{service.ref} stands for {host}, and nobody finds that.",
            quotes=(*land.quote(service, f"externalName: {host}"), *said),
        )


def _unresolved(land: Landscape, service: Service) -> tuple[Quote, ...]:
    """What is said of a name that is not found, where it is the Service's or what it stands for."""
    names = "|".join(map(re.escape, (service.spec.external_name, service.name)))
    named = re.compile(rf"(?<![\w.-])(?:{names})(?![\w-])")
    found = [line for line in land.lines if named.search(line.text) and _NO_HOST.search(line.text)]
    return tuple(Quote(id=line.where, excerpt=line.text[:300]) for line in found[:2])
