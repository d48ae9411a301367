"""What a Service is meant to reach: a question that a selector with a typo or a port that nobody has leaves open.

What was applied last says it best. Without that the workload that bears the Service's name says it, where nothing
speaks for another one; what is only likely is not said at all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from interlock.crds.celobjects import fits, last_applied, pod_labels, pod_spec

Object = Mapping[str, Any]
_SUFFIXES = ("-service", "-svc", "-headless")
_CLOSE = 0.6
"""From which likeness on one value of a label may be another one misspelt."""


class _Port(NamedTuple):
    number: int
    name: str
    protocol: str


def unserved(service: Any, holders: Any) -> list[dict[str, Any]]:
    """The ports of a Service that no container of these pods or workloads declares, by number or name and protocol."""
    return _unserved((service or {}).get("spec") or {}, holders or ())


def intended(service: Any, workloads: Any) -> dict[str, Any]:
    """The selector and the ports that a Service is meant to have; an empty mapping where nobody can tell.

    What was applied last counts where it leads to a workload with ready pods that declare its ports. Else the selector
    of the one workload of its name, where the present one fits none; or the present one with the ports that the one
    workload which it fits declares. Never both at once: that would be another Service.
    """
    spec: Object = (service or {}).get("spec") or {}
    applied: Object = last_applied(service).get("spec") or {}
    known = list(workloads or ())
    if applied.get("selector") and applied.get("ports") and _leads_somewhere(applied, known):
        return {"selector": applied["selector"], "ports": applied["ports"]}
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return {}
    chosen = [one for one in known if fits(spec["selector"], pod_labels(one))]
    found = _with_other_ports(spec, chosen) if chosen else _with_another_selector(service, known)
    return found if found and _leads_somewhere(found, known) else {}


def _unserved(spec: Object, holders: Iterable[Any]) -> list[dict[str, Any]]:
    declared = [port for holder in holders for port in _declared(holder)]
    return [port for port in spec.get("ports") or () if not any(_is_served(port, one) for one in declared)]


def _declared(holder: Any) -> Iterator[_Port]:
    for container in pod_spec(holder).get("containers") or ():
        for port in container.get("ports") or ():
            yield _Port(int(port["containerPort"]), port.get("name") or "", port.get("protocol") or "TCP")


def _is_served(port: Object, declared: _Port) -> bool:
    return _wants(port, declared) and declared.protocol == (port.get("protocol") or "TCP")


def _wants(port: Object, declared: _Port) -> bool:
    return str(port.get("targetPort") or port["port"]) in (str(declared.number), declared.name)


def _leads_somewhere(spec: Object, workloads: Iterable[Object]) -> bool:
    return any(
        _is_ready(one) and fits(spec["selector"], pod_labels(one)) and not _unserved(spec, [one]) for one in workloads
    )


def _is_ready(workload: Object) -> bool:
    status = workload.get("status") or {}
    return bool(status.get("readyReplicas") or status.get("numberReady"))


def _with_another_selector(service: Object, workloads: Sequence[Object]) -> dict[str, Any]:
    """The selector of the one workload of this name, if no other one's labels are nearer to the present selector."""
    spec, name = service["spec"], service["metadata"]["name"]
    names = {name, *(name.removesuffix(suffix) for suffix in _SUFFIXES)}
    named = [one for one in workloads if one["metadata"]["name"] in names]
    alike = [one for one in workloads if _is_alike(spec["selector"], pod_labels(one))]
    if len(named) != 1 or (alike and named[0] not in alike):
        return {}
    labels = pod_labels(named[0])
    corrected = {key: labels[key] for key in spec["selector"] if key in labels}
    for selector in (corrected, named[0]["spec"]["selector"].get("matchLabels") or {}):
        if selector and [one for one in workloads if fits(selector, pod_labels(one))] == named:
            return {"selector": dict(selector), "ports": spec.get("ports") or []}
    return {}


def _is_alike(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether the labels differ from the selector in one value only, and in that one but by a few letters."""
    others = [(value, labels[key]) for key, value in selector.items() if key in labels and labels[key] != value]
    missing = any(key not in labels for key in selector)
    return not missing and len(others) == 1 and SequenceMatcher(None, *others[0]).ratio() >= _CLOSE


def _with_other_ports(spec: Object, chosen: Sequence[Object]) -> dict[str, Any]:
    """The present selector, and of each port that nobody declares the one that the workload must mean by it."""
    if len(chosen) != 1:
        return {}
    declared = list(dict.fromkeys(_declared(chosen[0])))
    taken = {one for one in declared for port in spec.get("ports") or () if _is_served(port, one)}
    ports = [
        port
        if any(_is_served(port, one) for one in declared)
        else _mended(port, [o for o in declared if o not in taken])
        for port in spec.get("ports") or ()
    ]
    return {"selector": spec["selector"], "ports": ports} if ports and all(ports) else {}


def _mended(port: Object, free: Sequence[_Port]) -> dict[str, Any] | None:
    """The port as it leads to the one declared port that can be meant: of its number, of its name, or the only one."""
    same = [one for one in free if _wants(port, one)]
    if same:  # only the protocol differs
        return {**port, "protocol": same[0].protocol} if len(same) == 1 else None
    protocol = port.get("protocol") or "TCP"
    open_ = [one for one in free if one.protocol == protocol]
    named = [one for one in open_ if one.number == port["port"] or (one.name and one.name == port.get("name"))]
    meant = named or open_
    return {**port, "targetPort": meant[0].number} if len(meant) == 1 else None
