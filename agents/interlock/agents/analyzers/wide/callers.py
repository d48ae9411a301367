"""A workload calls an address that leads nowhere: the name is no Service, or the Service has no such port."""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.wide.landscape import Call, Landscape
from interlock.agents.analyzers.wide.likeness import alike
from interlock.agents.analyzers.wide.stores import is_store
from interlock.agents.model import ObjectRef

_STORES = re.compile(
    r"(?i)postgres|pgsql|mysql|maria|mongo|redis|valkey|memcache|cassandra|sql|(?:^|[-_.])db|database|dsn|jdbc"
)


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each address that names something in the cluster."""
    for call in land.calls:
        if call.outside or call.caller.ref.namespace not in land.focus:
            continue
        if call.service is None:
            yield from _no_service(land, call)
        elif call.address.port is not None:
            yield from _no_port(land, call, call.service, call.address.port)


def _no_service(land: Landscape, call: Call) -> Iterator[Finding]:
    names = [s.name for s in land.within(Service, call.caller.ref.namespace or "").values()]
    if not names or call.name in (call.caller.ref.name, ""):
        return
    said = _said(land, call.address.host)
    drifted = _drifted(land, call)
    nearest = max(names, key=lambda name: alike(call.name, name))
    near = alike(call.name, nearest)
    deployed = [g for g in land.groups if (g.ref.namespace, g.ref.name) == (call.namespace, call.name)]
    if deployed:
        yield from _service_is_missing(land, call, deployed[0].ref, said)
        return
    if not call.address.sure and not said and not drifted:
        return
    if near < 0.6 and not said and not drifted and (not call.address.sure or call.address.port is None):
        return
    sure = 0.96 if drifted else 0.94 if said else 0.86 if near >= 0.75 else 0.42
    cause, target = _blamed(land, call, "address-wrong")
    if _looked_up_elsewhere(land, call) and not drifted:
        sure = min(sure, 0.4)
    yield Finding(
        cause=cause,
        object=target,
        confidence=sure,
        summary=f"{call.caller.ref} calls {call.address.host} ({call.address.setting.name}), which is no Service"
        + (f"; {nearest} is." if near >= 0.6 else "."),
        quotes=(*_setting(land, call), *said, *drifted),
        introduced="yes" if drifted else "unknown",
    )


def _looked_up_elsewhere(land: Landscape, call: Call) -> bool:
    """Whether a name is used by everybody, so that rather its Service is missing than all settings wrong."""
    others = {c.caller.ref for c in land.calls if c.name == call.name and c.service is None}
    return len(others) > 2


def _service_is_missing(land: Landscape, call: Call, group: ObjectRef, said: tuple[Quote, ...]) -> Iterator[Finding]:
    missing = ObjectRef(kind="Service", namespace=call.namespace, name=call.name)
    yield Finding(
        cause="service.endpoints.empty",
        object=missing,
        confidence=0.8 if said or land.drifted(missing) else 0.6,
        summary=f"{call.caller.ref} calls {call.address.host}; {group} runs, but there is no Service of that name.",
        quotes=(
            *_setting(land, call),
            *said,
            *(q for d in land.drifted(missing) for q in land.quote(missing, d.words)),
        ),
    )


def _no_port(land: Landscape, call: Call, service: Service, port: int) -> Iterator[Finding]:
    ports = {p.port for p in service.spec.ports}
    headless = service.spec.cluster_ip == "None"
    targets = {p.target for p in service.spec.ports}
    if (
        not ports
        or service.metadata.partial
        or port in ports
        or (headless and port in targets)
        or service.spec.type == "ExternalName"
    ):
        return
    if call.address.scheme in ("http", "https") and f":{port}" not in call.address.setting.value:
        return  # the port is only implied
    drifted = _drifted(land, call)
    service_drift = land.drifted(service.ref, "/spec/ports")
    agreeing = {
        c.caller.ref
        for c in land.calls
        if c.service is not None and c.service.ref == service.ref and c.address.port == port
    }
    fitting = {
        c.caller.ref
        for c in land.calls
        if c.service is not None and c.service.ref == service.ref and c.address.port in ports
    }
    shown = ", ".join(str(p) for p in sorted(ports))
    quotes = (*_setting(land, call), *land.quote(service, f"ports {shown}"), *drifted)
    if service_drift or (len(agreeing) > 1 and len(agreeing) > len(fitting) and not drifted):
        words = tuple(q for d in service_drift[:2] for q in land.quote(service, d.words))
        yield Finding(
            cause="service.port.target-mismatch",
            object=service.ref,
            confidence=0.95 if service_drift else 0.8,
            summary=f"{service.ref} serves {shown}, but {len(agreeing)} workloads call port {port}.",
            quotes=(*quotes, *words),
        )
        return
    cause, target = _blamed(land, call, "port-wrong")
    yield Finding(
        cause=cause,
        object=target,
        confidence=0.96 if drifted else 0.9,
        summary=f"{call.caller.ref} calls port {port} of {service.ref}, which serves {shown}.",
        quotes=quotes,
        introduced="yes" if drifted else "unknown",
    )


def _blamed(land: Landscape, call: Call, how: str) -> tuple[str, ObjectRef]:
    setting = call.address.setting
    if setting.place == "config":
        return "workload.config.dependency-address-wrong", setting.owner
    named = _STORES.search(f"{call.address.scheme} {call.address.host} {setting.name} {setting.value}")
    behind = land.behind(call.service) if call.service is not None else ()
    if setting.place == "args" and (named or any(is_store(group) for group in behind)):
        return f"workload.database.{how}", setting.owner
    return "workload.env.address-wrong", setting.owner


def _setting(land: Landscape, call: Call) -> tuple[Quote, ...]:
    port = f":{call.address.port}" if call.address.port is not None else ""
    return land.quote(call.address.setting.owner, f"{call.address.setting.name}: {call.address.host}{port}")


def _drifted(land: Landscape, call: Call) -> tuple[Quote, ...]:
    setting = call.address.setting
    found = [
        d
        for d in land.drifted(setting.owner)
        if f"/{setting.name}" in d.path or (setting.place == "args" and "/args" in d.path)
    ]
    return tuple(q for d in found[:2] for q in land.quote(setting.owner, d.words))


def _said(land: Landscape, host: str) -> tuple[Quote, ...]:
    found = [line for line in land.lines if host in line.text]
    return tuple(Quote(id=line.where, excerpt=line.text[:300]) for line in found[:2])
