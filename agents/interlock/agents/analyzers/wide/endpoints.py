"""Whether anybody stands behind a Service, as its controllers wrote it down: in EndpointSlices or in Endpoints."""

from interlock.agents.analyzers.networking import Endpoints, EndpointSlice, Service
from interlock.agents.analyzers.world import World

SERVICE_LABEL = "kubernetes.io/service-name"


def reaches_somebody(world: World, service: Service) -> bool | None:
    """Whether a Service has a ready endpoint; None where nothing was written about it."""
    place = service.metadata.namespace
    pieces = [
        piece
        for piece in world.within(EndpointSlice, place).values()
        if piece.metadata.labels.get(SERVICE_LABEL) == service.name
    ]
    if pieces:
        return any(endpoint.conditions.ready for piece in pieces for endpoint in piece.endpoints)
    found = world.find(Endpoints, place, service.name)
    return any(subset.addresses for subset in found.subsets) if found is not None else None
