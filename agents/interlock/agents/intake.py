"""From alerts to incidents: asks the cluster which object an alert is about, and files it there.

The next stage is `work`. An alert that the cluster cannot be asked about now stays unhandled and is taken up again.
"""

from asyncio import to_thread

from interlock.agents.cluster import KINDS, Reader
from interlock.agents.correlate import candidates, has_owner, opens_nothing
from interlock.agents.errors import AccessDeniedError
from interlock.agents.model import Alert, IncidentState, ObjectRef, Record
from interlock.agents.store import Store
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE

LONGEST_CHAIN = 5


class Place(Record):
    """What an alert is about; `closed` says why nothing may be done there."""

    target: ObjectRef
    closed: str = ""


async def take_in(store: Store, cluster: Reader, namespaces: tuple[str, ...]) -> int:
    """Files all alerts that are not yet handled; returns how many.

    Raises:
        ClusterUnavailableError, StoreUnavailableError: the rest waits for the next time.
    """
    waiting = await to_thread(store.unhandled)
    for identity, alert, incident in waiting:
        if alert.status == "resolved":
            await to_thread(_resolved, store, identity, alert, incident)
        elif why := opens_nothing(alert):
            await to_thread(store.dismiss, identity, alert, why)
        elif (place := await locate(cluster, alert, namespaces)) is None:
            await to_thread(store.dismiss, identity, alert, "its labels name no object")
        else:
            state: IncidentState = "recorded" if place.closed else "open"
            await to_thread(store.attach, identity, alert, place.target, state=state, reason=place.closed)
    return len(waiting)


def _resolved(store: Store, identity: str, alert: Alert, incident: str | None) -> None:
    if incident is None:
        store.dismiss(identity, alert, "resolved before it was known")
    else:
        store.follow_resolved(identity, alert, incident)


async def locate(cluster: Reader, alert: Alert, namespaces: tuple[str, ...]) -> Place | None:
    """The object that the alert is about: the workload at the top of the owner chain of what its labels name.

    None when the labels name nothing. Raises ClusterUnavailableError when the cluster does not answer.
    """
    named = candidates(alert)
    if not named:
        return None
    namespace = named[0].namespace
    if problem := await opt_in_problem(cluster, namespace, namespaces):
        return Place(target=named[0], closed=problem)
    for ref in named:
        try:
            if (top := await _top(cluster, ref)) is not None:
                return Place(target=top)
        except AccessDeniedError as failure:
            return Place(target=ref, closed=f"the agents may not read it: {failure}"[:300])
    return Place(target=named[0], closed=f"{named[0]} does not exist")


async def opt_in_problem(cluster: Reader, namespace: str | None, namespaces: tuple[str, ...]) -> str:
    """Why nothing may be done in this namespace, empty when it may.

    Raises:
        ClusterUnavailableError, AccessDeniedError: it cannot be told.
    """
    if namespace is None:
        return ""
    body = await cluster.get("Namespace", namespace)
    if body is None:
        return f"namespace {namespace} does not exist"
    if (body["metadata"].get("labels") or {}).get(OPT_IN_LABEL) != OPT_IN_VALUE:
        return f"namespace {namespace} has not opted in by the label {OPT_IN_LABEL}={OPT_IN_VALUE}"
    if namespaces and namespace not in namespaces:
        return f"namespace {namespace} is not one that these agents act in"
    return ""


async def _top(cluster: Reader, ref: ObjectRef) -> ObjectRef | None:
    body = await cluster.get(ref.kind, ref.name, ref.namespace)
    if body is None:
        return None
    for _ in range(LONGEST_CHAIN):
        owners = body["metadata"].get("ownerReferences") or () if has_owner(ref) else ()
        owner = next((o for o in owners if o.get("controller") and o.get("kind") in KINDS), None)
        above = await cluster.get(owner["kind"], owner["name"], ref.namespace) if owner else None
        if owner is None or above is None or above["metadata"].get("uid") != owner.get("uid"):
            break
        ref, body = ObjectRef(kind=owner["kind"], namespace=ref.namespace, name=owner["name"]), above
    return ref
