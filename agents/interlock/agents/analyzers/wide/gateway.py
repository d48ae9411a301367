"""Ingresses: a class that nobody serves, a backend that does not exist, a certificate that is not there."""

from collections.abc import Iterator
from typing import Any

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import Secret
from interlock.agents.analyzers.networking import IngressClass, Route, Service
from interlock.agents.analyzers.wide.landscape import Landscape


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
