"""Ingresses: a class that nobody serves, a backend that does not exist, a certificate that is not there."""

import re
from collections.abc import Iterator
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Secret
from interlock.agents.analyzers.networking import IngressClass, Route, Service
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.measures import series_of

SHORTEST_WAIT = 5
_WAIT = re.compile(r"/(?:proxy-(?:read|send|next-upstream)-timeout|timeout-server|(?:response|request)-timeout)$")
_CODES = ("status", "code", "response_code", "status_code")
_GAVE_UP = re.compile(r"(?i)upstream timed out|504 gateway|gateway time-?out")


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each Ingress."""
    for route in land.every(Route):
        name = route.spec.ingress_class_name
        if name and land.known(IngressClass) and land.find(IngressClass, None, name) is None:
            yield _finding(
                land, route, "gateway.class.not-found", 0.92, f"names the class {name}, which does not exist"
            )
        for backend in _backends(route):
            yield from _backend(land, route, backend)
        yield from _rewritten(land, route)
        yield from _impatient(land, route)
        place = route.metadata.namespace
        for tls in route.spec.tls:
            if tls.secret_name and land.known(Secret, place) and land.find(Secret, place, tls.secret_name) is None:
                yield _finding(
                    land,
                    route,
                    "gateway.tls.mismatch",
                    0.8,
                    f"names the certificate {tls.secret_name}, which does not exist",
                )


def _rewritten(land: Landscape, route: Route) -> Iterator[Finding]:
    """A path that is rewritten by a group that no path has: all that matches becomes the same."""
    target = next((v for k, v in route.metadata.annotations.items() if k.endswith("/rewrite-target")), "")
    wanted = max((int(n) for n in re.findall(r"\$(\d)", target)), default=0)
    has = [len(re.findall(r"(?<!\\)\((?!\?)", path)) for path in _paths(route)]
    if wanted and has and max(has) < wanted:
        words = f"rewrites paths to {target}, and none of its paths has {wanted} groups"
        yield _finding(land, route, "gateway.route.wrong", 0.86, words)


def _paths(route: Route) -> Iterator[str]:
    for rule in route.spec.rules:
        paths = rule.http.get("paths")
        yield from (str(p.get("path")) for p in (paths if isinstance(paths, list) else ()) if isinstance(p, dict))


def _impatient(land: Landscape, route: Route) -> Iterator[Finding]:
    """A wait that is shorter than what its backends were seen to take, where requests are given up."""
    for key, value in route.metadata.annotations.items():
        seconds = re.fullmatch(r"(\d+)s?", value.strip()) if _WAIT.search(key) else None
        if seconds is not None and int(seconds[1]) <= SHORTEST_WAIT and (seen := _given_up(land)):
            words = f"waits {seconds[1]} s only ({key.rpartition('/')[2]})"
            found = _finding(land, route, "gateway.timeout.too-short", 0.84, words)
            yield found.model_copy(update={"quotes": (*found.quotes, *seen)})
            return


def _given_up(land: Landscape) -> tuple[Quote, ...]:
    """What shows that a gateway gives requests up for the time that they take."""
    for name, answer in land.source.documents("metrics").items():
        for labels, values in series_of(answer):
            if values[-1] > 0 and "504" in (labels.get(key) for key in _CODES):
                return (Quote(id=f"metrics/{name}.json", excerpt=f"504: {values[-1]:.3g}"),)
    said = [x for x in land.lines if _GAVE_UP.search(x.text)]
    return tuple(Quote(id=x.where, excerpt=x.text[:300]) for x in said[:1])


def _backends(route: Route) -> Iterator[dict[str, Any]]:
    if route.spec.default_backend is not None:
        yield dict(route.spec.default_backend.service)
    for rule in route.spec.rules:
        paths = rule.http.get("paths")
        for path in paths if isinstance(paths, list) else ():
            backend = path.get("backend") if isinstance(path, dict) else None
            service = backend.get("service") if isinstance(backend, dict) else None
            if isinstance(service, dict):
                yield service


def _backend(land: Landscape, route: Route, backend: dict[str, Any]) -> Iterator[Finding]:
    name, port, place = str(backend.get("name")), backend.get("port"), route.metadata.namespace
    if not land.known(Service, place):
        return
    service = land.find(Service, place, name)
    if service is None:
        yield _finding(
            land, route, "gateway.backend.not-found", 0.92, f"leads to the Service {name}, which does not exist"
        )
        return
    wanted = (port.get("number") or port.get("name")) if isinstance(port, dict) else None
    if wanted is not None and wanted not in {p.port for p in service.spec.ports} | {p.name for p in service.spec.ports}:
        yield _finding(
            land,
            route,
            "gateway.route.wrong",
            0.88,
            f"leads to port {wanted} of {service.ref}, which it does not serve",
        )


def _finding(land: Landscape, route: Route, cause: str, sure: float, words: str) -> Finding:
    return Finding(
        cause=cause, object=route.ref, confidence=sure, summary=f"{route.ref} {words}.", quotes=land.quote(route, words)
    )
