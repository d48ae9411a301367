"""Whom a pod reaches, as NetworkPolicies say: the lab's network carries nothing, but who depends on whom shows.

Judged within a namespace, by pods, policies and Services; what comes from elsewhere is let through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Labels = Mapping[str, str]
Direction = Literal["Ingress", "Egress"]
_PEERS: Mapping[Direction, str] = {"Ingress": "from", "Egress": "to"}
_RULES: Mapping[Direction, str] = {"Ingress": "ingress", "Egress": "egress"}


@dataclass
class Network:
    """The specs of every NetworkPolicy and Service, by (namespace, name), and the labels of every pod, by uid."""

    policies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    services: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, tuple[str, Labels]] = field(default_factory=dict)

    def reaches(self, namespace: str, labels: Labels, address: str) -> bool:
        """Whether a pod of these labels comes through to `service:port`; to a Service without pods it does."""
        name, _, port = address.partition(":")
        wanted = (self.services.get((namespace, name)) or {}).get("selector") or {}
        behind = [its for place, its in self.pods.values() if place == namespace and wanted.items() <= its.items()]
        number = int(port)
        return not wanted or all(
            self._lets(namespace, "Egress", labels, its, number)
            and self._lets(namespace, "Ingress", its, labels, number)
            for its in behind
        )

    def _lets(self, namespace: str, way: Direction, selected: Labels, peer: Labels, port: int) -> bool:
        """Whether the policies of one direction that select a pod let this peer through; without any they do."""
        found = [
            spec
            for (place, _), spec in self.policies.items()
            if place == namespace and way in _types(spec) and _selects(spec.get("podSelector") or {}, selected)
        ]
        return not found or any(_allows(rule, _PEERS[way], peer, port) for spec in found for rule in _rules(spec, way))


def _types(spec: Mapping[str, Any]) -> list[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _rules(spec: Mapping[str, Any], way: Direction) -> Iterator[Mapping[str, Any]]:
    yield from spec.get(_RULES[way]) or ()


def _allows(rule: Mapping[str, Any], peers: str, peer: Labels, port: int) -> bool:
    ports = [item.get("port") for item in rule.get("ports") or ()]
    among = [item.get("podSelector") for item in rule.get(peers) or ()]
    fits = not among or any(selector is not None and _selects(selector, peer) for selector in among)
    return fits and (not ports or None in ports or port in ports)


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    plain = (selector.get("matchLabels") or {}).items() <= labels.items()
    return plain and all(_matches(term, labels) for term in selector.get("matchExpressions") or ())


def _matches(term: Mapping[str, Any], labels: Labels) -> bool:
    value, values = labels.get(term["key"]), term.get("values") or ()
    match term["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None
