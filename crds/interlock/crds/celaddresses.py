"""Which addresses that pods are told lead nowhere: a Service of their own namespace that it does not have.

Only what the objects prove is said: names of other namespaces and of the outside are nobody's business here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from interlock.crds.celobjects import pod_spec

_HOST = r"[a-z](?:[a-z0-9.-]{0,250}[a-z0-9])?"
_URL = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]{{1,20}})://(?:[^/@\s\"']{{0,200}}@)?(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?(?![\w.-])"
)
_PAIR = re.compile(rf"(?<![\w./:-])(?P<host>{_HOST}):(?P<port>\d{{2,5}})(?![\w.:-])")
_TOLD = re.compile(r"(?i)(?:host|hostname|addr|address|server|endpoint|url|uri|service|svc|broker)s?$")
_STEM = re.compile(r"(?i)[_.-]?(?:host|hostname|addr|address|server|endpoint)$")
_SCHEMES = {"http": 80, "https": 443}
_DOMAIN = ("svc", "svc.cluster.local")


class Address(NamedTuple):
    """A host, and the port where one is said."""

    host: str
    port: int | None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


def astray(holder: Any, services: Any) -> list[str]:
    """The addresses in variables and arguments of a workload or revision that name no Service, or no port of one.

    Names of the holder's own namespace are judged, with or without the cluster's domain, each once and sorted. Another
    domain than cluster.local counts as astray: where a cluster has another one, compare with what leads somewhere.
    """
    spec = pod_spec(holder)
    namespace = ((holder or {}).get("metadata") or {}).get("namespace") or ""
    known = {one["metadata"]["name"]: one.get("spec") or {} for one in services or ()}
    aliases = {name for alias in spec.get("hostAliases") or () for name in alias.get("hostnames") or ()}
    return sorted(
        {
            str(address)
            for address in addresses(spec)
            if address.host not in aliases and _leads_nowhere(address, namespace, known)
        }
    )


def addresses(spec: Mapping[str, Any]) -> Iterator[Address]:
    """The addresses that the containers of a pod spec are told."""
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        variables = {v["name"]: str(v["value"]) for v in container.get("env") or () if v.get("value")}
        for name, value in (
            *variables.items(),
            *_flags((container.get("command") or []) + (container.get("args") or [])),
        ):
            yield from _in(name, value, variables)


def service_named(host: str, namespace: str) -> str:
    """The name of the Service of this namespace that a host means; empty where it means none of it."""
    name, _, rest = host.rstrip(".").partition(".")
    here = ("", namespace, *(f"{namespace}.{domain}" for domain in _DOMAIN))
    return name if rest in here and name != "localhost" else ""


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for word in words:
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            if equals:
                yield name, value
        else:
            yield name, word


def _in(name: str, value: str, beside: Mapping[str, str]) -> Iterator[Address]:
    urls = list(_URL.finditer(value))
    for url in urls:
        yield Address(url["host"], int(url["port"]) if url["port"] else _SCHEMES.get(url["scheme"]))
    if urls or not _TOLD.search(name):
        return
    pairs = list(_PAIR.finditer(value))
    for pair in pairs:
        yield Address(pair["host"], int(pair["port"]))
    if not pairs and re.fullmatch(_HOST, value.strip()):
        port = next((p for n, p in beside.items() if n.lower() == f"{_STEM.sub('', name)}_port".lower()), "")
        yield Address(value.strip(), int(port) if port.isdigit() else None)


def _leads_nowhere(address: Address, namespace: str, services: Mapping[str, Mapping[str, Any]]) -> bool:
    name = service_named(address.host, namespace)
    if not name:
        return address.host.split(".")[1:3] == [namespace, "svc"]
    if name not in services:
        return True
    spec = services[name]
    any_port = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName" or address.port is None
    return not any_port and address.port not in [port["port"] for port in spec.get("ports") or ()]
