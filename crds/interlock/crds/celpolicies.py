"""Which calls a NetworkPolicy does not let through: calls that workloads of its namespace are told to make.

Judged by this policy alone, as another one may let through what this one does not; an address range or a namespace
that is not known here counts as let through.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from interlock.crds.celaddresses import addresses, service_named
from interlock.crds.celobjects import fits, pod_labels, pod_spec

Object = Mapping[str, Any]
_DNS = 53
_OPENED = "interlock.dev/opened"
_OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


class _Call(NamedTuple):
    caller: Object
    callee: Object
    service: str
    number: int
    name: str
    protocol: str


def rules_of(policy: Any) -> list[Any]:
    """What a NetworkPolicy says, with what the API server fills in: equal for equal rules; empty without a spec."""
    spec = (policy or {}).get("spec")
    if not spec:
        return []
    ways = [
        [_rule(rule, peer) for rule in spec.get(way) or ()] for way, peer in (("ingress", "from"), ("egress", "to"))
    ]
    return [spec.get("podSelector") or {}, sorted(_types(spec)), *ways]


def opened(policy: Any) -> dict[str, Any]:
    """The spec of a NetworkPolicy with a selector that fits no pod, whatever its labels: as if it were not there."""
    nobody = [{"key": _OPENED, "operator": "Exists"}, {"key": _OPENED, "operator": "DoesNotExist"}]
    return {**((policy or {}).get("spec") or {}), "podSelector": {"matchExpressions": nobody}}


def blocked(policy: Any, workloads: Any, services: Any) -> list[str]:
    """The calls that a NetworkPolicy keeps from arriving, as "web to orders:8080" or "web to DNS", sorted."""
    spec: Object = (policy or {}).get("spec") or {}
    known = list(workloads or ())
    calls = list(_calls(known, {one["metadata"]["name"]: one.get("spec") or {} for one in services or ()}))
    chosen = [w["metadata"]["name"] for w in known if _selects(spec.get("podSelector") or {}, pod_labels(w))]
    found: set[str] = set()
    if "Ingress" in _types(spec):
        found |= {_told(c) for c in calls if _named(c.callee) in chosen and not _lets_in(spec, c)}
    if "Egress" in _types(spec):
        leaving = [call for call in calls if _named(call.caller) in chosen]
        found |= {_told(c) for c in leaving if not _lets_out(spec, c)}
        found |= {f"{_named(c.caller)} to DNS" for c in leaving if not _lets_ask(spec)}
    return sorted(found)


def _rule(rule: Object, peer: str) -> list[Any]:
    ports = [
        [p.get("protocol") or "TCP", str(p.get("port") or ""), str(p.get("endPort") or "")]
        for p in rule.get("ports") or ()
    ]
    return [rule.get(peer) or [], ports]


def _types(spec: Object) -> list[str]:
    return list(spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"]))


def _calls(workloads: Iterable[Object], services: Mapping[str, Object]) -> Iterator[_Call]:
    known = list(workloads)
    for caller in known:
        namespace = caller["metadata"].get("namespace") or ""
        for address in addresses(pod_spec(caller)):
            name = service_named(address.host, namespace)
            spec = services.get(name) or {}
            ports = [p for p in spec.get("ports") or () if address.port in (None, p["port"])]
            for callee in known if spec.get("selector") and len(ports) == 1 else ():
                if fits(spec["selector"], pod_labels(callee)):
                    yield _call(caller, callee, name, ports[0])


def _call(caller: Object, callee: Object, service: str, port: Object) -> _Call:
    wanted = port.get("targetPort") or port["port"]
    declared = [d for c in pod_spec(callee).get("containers") or () for d in c.get("ports") or ()]
    found: Object = next((d for d in declared if wanted in (d["containerPort"], d.get("name"))), {})
    number = found.get("containerPort") or (wanted if isinstance(wanted, int) else 0)
    told = f"{service}:{port['port']}"
    return _Call(caller, callee, told, int(number), found.get("name") or "", port.get("protocol") or "TCP")


def _lets_in(spec: Object, call: _Call) -> bool:
    namespace = call.callee["metadata"].get("namespace") or ""
    return any(
        _has_peer(rule.get("from"), pod_labels(call.caller), namespace) and _has_port(rule.get("ports"), call)
        for rule in spec.get("ingress") or ()
    )


def _lets_out(spec: Object, call: _Call) -> bool:
    namespace = call.caller["metadata"].get("namespace") or ""
    return any(
        _has_peer(rule.get("to"), pod_labels(call.callee), namespace) and _has_port(rule.get("ports"), call)
        for rule in spec.get("egress") or ()
    )


def _lets_ask(spec: Object) -> bool:
    """Whether a rule lets through to port 53 of anybody outside of the namespace."""
    for rule in spec.get("egress") or ():
        peers = rule.get("to") or ()
        outside = not peers or any("namespaceSelector" in peer or "ipBlock" in peer for peer in peers)
        ports = rule.get("ports") or ()
        if outside and (not ports or any(_covers(port, _DNS, "") for port in ports)):
            return True
    return False


def _has_peer(peers: Iterable[Object] | None, labels: Mapping[str, str], namespace: str) -> bool:
    known = list(peers or ())
    return not known or any(_is_peer(peer, labels, namespace) for peer in known)


def _is_peer(peer: Object, labels: Mapping[str, str], namespace: str) -> bool:
    if "ipBlock" in peer:
        return True
    place = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
    if place.get("kubernetes.io/metadata.name", namespace) != namespace:
        return False
    return _selects(peer.get("podSelector") or {}, labels)


def _has_port(ports: Iterable[Object] | None, call: _Call) -> bool:
    known = list(ports or ())
    return not known or any(
        _covers(port, call.number, call.name) and (port.get("protocol") or "TCP") == call.protocol for port in known
    )


def _covers(port: Object, number: int, name: str) -> bool:
    said = port.get("port")
    if said is None or said == number or (name and said == name):
        return True
    return isinstance(said, int) and said <= number <= int(port.get("endPort") or said)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    terms = selector.get("matchExpressions") or ()
    named = fits(selector.get("matchLabels") or {}, labels)
    return named and all(_OPERATORS[t["operator"]](labels.get(t["key"]), t.get("values") or []) for t in terms)


def _named(workload: Object) -> str:
    return str(workload["metadata"]["name"])


def _told(call: _Call) -> str:
    return f"{_named(call.caller)} to {call.service}"
