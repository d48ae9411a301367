"""Which alerts are one incident. Pure: alerts with their objects, the topology and the incidents that there are, in;
what to open, what to move and what to fold, out.

An alert is put down to the end of the chain of what its object stands on, as far as each link is not well and was so
before: the pods of a node that fails, the callers of a database that is down. What is faulty by itself, such as a
workload whose image does not exist, is put down to itself whatever else is wrong, so that two faults stay two. The
outcome depends on the set of alerts alone, not on the order in which they came: what is not acted upon yet is judged
again whenever more is known.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from interlock.agents.correlate import new_incident_id
from interlock.agents.model import IncidentState, ObjectRef, Record
from interlock.agents.topology import Topology

SLACK = timedelta(minutes=2)
"""How much earlier than its cause a consequence may seem to begin: different clocks set conditions and alerts."""
TOGETHER = timedelta(minutes=15)
"""Within what time two alerts, or a change and an alert, may have to do with each other."""

_NEVER = datetime.max.replace(tzinfo=UTC)
_LOOKED_AT = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "Node"})
_FIRST = ("Node", "PersistentVolumeClaim", "ConfigMap", "Service")
# What may be the consequence of a fault elsewhere while all pods are well.
_SYMPTOM = re.compile(
    r"latenc|slow|duration|error|5xx|unavailable|availab|timeout|timedout|down|fail|burn|slo|apdex|unreachable"
    r"|saturat|backlog|queue|lag|notready|unhealthy|restart|crash|mismatch|unready|waiting|replicas|stuck",
    re.IGNORECASE,
)


class Placed(Record):
    """An alert with the object that it is about.

    `state` is that of an incident that it opens, and `reason` why: `recorded` where nothing may be done.
    """

    identity: str
    series: str
    name: str
    starts_at: datetime
    target: ObjectRef
    severity: str = ""
    state: IncidentState = "open"
    reason: str = ""
    incident: str = ""
    """Where it is filed already."""


class Known(Record):
    """An incident that alerts may belong to; `movable` while nothing was asked for about it."""

    id: str
    root: ObjectRef
    opened_at: datetime
    closed_at: datetime | None
    movable: bool
    series: frozenset[str] = frozenset()


class Opening(Record):
    """An incident to open."""

    id: str
    root: ObjectRef
    target: ObjectRef
    first: Placed
    state: IncidentState
    reason: str


class Plan(Record):
    """What is to be done; `moves` say for alerts where they belong, `folds` for incidents into which they go."""

    openings: tuple[Opening, ...] = ()
    moves: tuple[tuple[str, str], ...] = ()
    folds: tuple[tuple[str, str], ...] = ()


def plan(
    placed: Sequence[Placed],
    known: Iterable[Known],
    topology: Topology,
    flap: timedelta = timedelta(0),
    taken: Iterable[str] = (),
) -> Plan:
    """Where each alert belongs, those of movable incidents among them.

    A closed incident takes an alert that began before its end, and one that it had before and that is back within
    `flap`. `taken` are identifiers that are not free.
    """
    incidents = {one.id: one for one in known}
    roots = roots_of(placed, topology, incidents.values())
    complained_of = {alert.target for alert in placed}
    used = {*taken, *incidents}
    openings: dict[str, Opening] = {}
    moves: dict[str, str] = {}
    for alert in sorted(placed, key=lambda one: (one.starts_at, one.identity)):
        root = roots[alert.identity]
        here = incidents.get(alert.incident)
        if here is not None and (
            root == here.root or (root == alert.target and _recovered(here, topology, complained_of))
        ):
            continue
        found = incident_of(root, alert, incidents.values(), flap)
        if found is None and topology.standing(root).state == "changed":
            # What was asked about the alert's own object is not asked again because a change beside it is seen by now.
            settled = [one for one in incidents.values() if not one.movable]
            found = incident_of(alert.target, alert, settled, flap)
        if found is None:
            opening = _opening(root, alert, used)
            openings[opening.id], found = opening, opening.id
            incidents[found] = _known(opening)
            used.add(found)
        if found != alert.incident:
            moves[alert.identity] = found
    return Plan(openings=tuple(openings.values()), moves=tuple(moves.items()), folds=_folds(placed, moves))


def _recovered(here: Known, topology: Topology, complained_of: Collection[ObjectRef]) -> bool:
    """Whether the root of an incident explains nothing any more because it is well: what was put down to it stays."""
    return here.root not in complained_of and topology.standing(here.root).state == "well"


def roots_of(placed: Sequence[Placed], topology: Topology, known: Iterable[Known] = ()) -> dict[str, ObjectRef]:
    """What each alert is put down to, by its identity: the same for the same set of alerts."""
    told = {one.root: one.opened_at for one in known if one.closed_at is None and not one.movable}
    for alert in placed:
        told[alert.target] = min(told.get(alert.target, alert.starts_at), alert.starts_at)
    chains = Chains(topology, told)
    return {alert.identity: chains.root(alert) for alert in placed}


def put_down_to(ref: ObjectRef, topology: Topology) -> ObjectRef:
    """What an alert about this object that tells of a symptom is put down to, by facts alone."""
    return Chains(topology, {}).end(ref)


def incident_of(root: ObjectRef, alert: Placed, known: Iterable[Known], flap: timedelta) -> str | None:
    """The incident of this root that is not over, was not over when the alert began, or had it a short while ago."""
    fitting = [one for one in known if one.root == root and _takes(one, alert, flap)]
    return max(fitting, key=lambda one: (one.closed_at is None, one.opened_at, one.id)).id if fitting else None


def _takes(one: Known, alert: Placed, flap: timedelta) -> bool:
    if one.closed_at is None or alert.starts_at <= one.closed_at:
        return True
    return alert.series in one.series and alert.starts_at <= one.closed_at + flap


def _opening(root: ObjectRef, alert: Placed, used: Iterable[str]) -> Opening:
    return Opening(
        id=new_incident_id(root, alert.identity, used),
        root=root,
        target=root if root.kind in _LOOKED_AT else alert.target,
        first=alert,
        state=alert.state if root == alert.target else "open",
        reason=alert.reason if root == alert.target else "",
    )


def _known(opening: Opening) -> Known:
    return Known(id=opening.id, root=opening.root, opened_at=opening.first.starts_at, closed_at=None, movable=True)


def _folds(placed: Sequence[Placed], moves: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Incidents that all alerts leave, each with where the last of them goes."""
    left = {alert.incident: moves[alert.identity] for alert in placed if alert.incident and alert.identity in moves}
    kept = {moves.get(alert.identity, alert.incident) for alert in placed}
    return tuple((one, into) for one, into in sorted(left.items()) if one not in kept)


class Chains:
    """The way from what hurts to what is wrong."""

    def __init__(self, topology: Topology, told: Mapping[ObjectRef, datetime]) -> None:
        """`told` are the objects that alerts are about, with when the first began."""
        self._topology = topology
        self._told = told

    def root(self, alert: Placed) -> ObjectRef:
        """What the alert is put down to; its own object where nothing explains it."""
        well = self._topology.standing(alert.target).state in {"well", "changed"}
        if well and not _SYMPTOM.search(alert.name):
            return alert.target
        end = self.end(alert.target)
        since = self._topology.standing(end).since
        return end if since is None or since <= alert.starts_at + SLACK else alert.target

    def end(self, ref: ObjectRef) -> ObjectRef:
        """The end of the chain; of a ring the first by name, whoever asks."""
        way = [ref]
        while (above := self._above(way[-1])) is not None:
            if above in way:
                return min(way[way.index(above) :], key=str)
            way.append(above)
        return way[-1]

    def _above(self, ref: ObjectRef) -> ObjectRef | None:
        supports = self._topology.rests_on.get(ref, frozenset())
        explaining = [support for support in supports if self._explains(support, ref)]
        return min(explaining, key=self._order) if explaining else None

    def _order(self, ref: ObjectRef) -> tuple[bool, int, datetime, str]:
        standing = self._topology.standing(ref)
        rank = _FIRST.index(ref.kind) if ref.kind in _FIRST else len(_FIRST)
        began = standing.since or self._told.get(ref) or _NEVER
        return standing.state == "changed", rank, began, str(ref)

    def _explains(self, support: ObjectRef, ref: ObjectRef) -> bool:
        mine, below = self._topology.standing(ref), self._topology.standing(support)
        began = mine.since or self._told.get(ref)
        match mine.state, below.state:
            case "faulty", _:
                return False
            case _, "unwell" | "faulty":
                return began is None or below.since is None or below.since <= began + SLACK
            case _, "changed":
                return began is not None and below.since is not None and -SLACK <= began - below.since <= TOGETHER
            case "unwell", "well":
                return False
        told = self._told.get(support)  # both are well, and alerts complain of both
        return began is not None and told is not None and abs(began - told) <= TOGETHER
