"""A mesh that lets in only who speaks its encryption, and callers that have no part in it.

A caller without a proxy of its own speaks plain text; a strict server hangs up before it answers.
"""

import re
from collections.abc import Iterator
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.wide.landscape import Landscape, is_named
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

PROXY = "istio-proxy"
ROOT = "istio-system"
_HUNG_UP = re.compile(
    r"(?i)reset by peer|connection reset|ECONNRESET|socket hang up|EOF\b|closed by (?:peer|remote)|\b502\b"
)


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each strict policy that shuts out somebody who is seen to fail."""
    for place in (*land.focus, ROOT):
        for body in land.source.objects("peerauthentications", place) or ():
            yield from _strict(land, place, body)


def _strict(land: Landscape, place: str, body: dict[str, Any]) -> Iterator[Finding]:
    spec = body.get("spec")
    mutual = spec.get("mtls") if isinstance(spec, dict) else None
    if not isinstance(mutual, dict) or mutual.get("mode") != "STRICT":
        return
    selector = spec.get("selector") if isinstance(spec, dict) else None
    chosen = selector.get("matchLabels") if isinstance(selector, dict) else {}
    ref = ObjectRef(kind="PeerAuthentication", namespace=place, name=str(body["metadata"]["name"]))
    for caller in [g for g in land.groups if not _is_meshed(g)]:
        for service, server in land.ways_of.get(caller.ref, ()):
            shut = _is_meshed(server) and isinstance(chosen, dict) and chosen.items() <= server.labels.items()
            heard = (x for x in land.lines if x.group is caller and _HUNG_UP.search(x.text)) if shut else ()
            line = next((x for x in heard if is_named(service, x.text)), None)
            if line is not None:
                words = f"lets only the mesh reach {server.ref}; {caller.ref} has no proxy, and is hung up on"
                yield Finding(
                    cause="workload.dependency.protocol-mismatch",
                    object=ref,
                    confidence=0.84,
                    summary=f"{ref} {words}.",
                    quotes=(*land.quote(ref, "mtls: STRICT"), Quote(id=line.where, excerpt=line.text[:300])),
                )


def _is_meshed(group: Group) -> bool:
    spec = group.spec
    return any(container.name == PROXY for container in (*spec.containers, *spec.init_containers))
