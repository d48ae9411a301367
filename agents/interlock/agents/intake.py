"""From alerts to incidents: asks the cluster which objects they are about, and files them all at once.

The next stage is `work`. Alerts that the cluster cannot be asked about now stay unhandled and are taken up again.
"""

from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from interlock.agents.cluster import Reader
from interlock.agents.correlate import candidates, opens_nothing
from interlock.agents.fold import Placed
from interlock.agents.model import Alert, IncidentState, ObjectRef, utc_now
from interlock.agents.places import Map, Place
from interlock.agents.rules import Rules
from interlock.agents.store import Batch, Judged, Store
from interlock.agents.topology import Topology

FLAP = timedelta(minutes=10)


async def take_in(
    store: Store,
    cluster: Reader,
    namespaces: tuple[str, ...],
    *,
    rules: Rules | None = None,
    flap: timedelta = FLAP,
    now: datetime | None = None,
) -> int:
    """Files all alerts that are not yet handled; returns how many.

    Raises:
        ClusterUnavailableError, StoreUnavailableError: the rest waits for the next time.
    """
    waiting = await to_thread(store.unhandled)
    if not waiting:
        return 0
    now = now or utc_now()
    resolved = tuple(identity for identity, alert, _ in waiting if alert.status == "resolved")
    firing = ((identity, alert) for identity, alert, _ in waiting if alert.status == "firing")
    heard = [judge(identity, alert, rules or Rules(), now) for identity, alert in firing]
    placed, topology = await _place(cluster, [one for one in heard if isinstance(one, Heard)], namespaces, now)
    batch = Batch(tuple(one for one in heard if isinstance(one, Judged)), resolved, placed)
    await to_thread(store.file, batch, topology, flap)
    return len(waiting)


@dataclass(frozen=True)
class Heard:
    """An alert as rules make it, with the objects that it may be about, the most telling first."""

    identity: str
    series: str
    alert: Alert
    route: str
    named: tuple[ObjectRef, ...]


def judge(identity: str, alert: Alert, rules: Rules, now: datetime) -> Heard | Judged:
    """What becomes of an alert before anybody asks the cluster. Pure."""
    seen = rules.relabelled(alert)
    if seen is None:
        return Judged(identity, alert.status, "relabelling drops it")
    route, named = rules.route(seen), (*rules.about(seen), *candidates(seen))
    why = opens_nothing(seen) or ("a route ignores it" if route == "ignore" else "")
    if why or not named:
        return Judged(identity, alert.status, why or "its labels name no object")
    if (quiet := rules.quiet(seen, now)) is not None:
        return Judged(identity, alert.status, quiet[1], quiet[0])
    return Heard(identity, alert.series, seen, route, named)


async def _place(
    cluster: Reader, heard: Sequence[Heard], namespaces: tuple[str, ...], now: datetime
) -> tuple[tuple[Placed, ...], Topology]:
    seen = Map(cluster, namespaces)
    topology = await seen.look((one.named[0].namespace for one in heard if one.named[0].namespace), now)
    placed: list[Placed] = []
    beside: dict[ObjectRef, frozenset[ObjectRef]] = {}
    for one in heard:
        place = await seen.locate(one.named)
        placed.append(_placed(one, place))
        if place.closed:  # nobody may look there, but the alert itself may say which node it is on
            beside[place.target] = frozenset(ref for ref in one.named if ref.kind == "Node")
    return tuple(placed), topology | Topology(rests_on=beside)


def _placed(one: Heard, place: Place) -> Placed:
    routed: IncidentState = "escalated" if one.route == "escalate" else "recorded"
    opens_open = not place.closed and one.route == "investigate"
    return Placed(
        identity=one.identity,
        series=one.series,
        name=one.alert.name,
        starts_at=one.alert.starts_at,
        target=place.target,
        severity=one.alert.labels.get("severity", ""),
        state="open" if opens_open else "recorded" if place.closed else routed,
        reason=place.closed or ("" if opens_open else "a route says so"),
    )
