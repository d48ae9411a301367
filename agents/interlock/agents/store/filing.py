"""Incidents as alerts make them: opened, joined, folded into each other, gone quiet."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, or_, select

from interlock.agents.fold import Known, Opening, Placed, Plan, plan
from interlock.agents.model import AlertStatus, ObjectRef, iso
from interlock.agents.rows import severity_rank, target_of, to_alert
from interlock.agents.store.alerts import AT_ONCE
from interlock.agents.store.base import Database, acting, firing
from interlock.agents.tables import AlertRow, IncidentRow
from interlock.agents.topology import Topology

_BEFORE_WORK = ("open", "investigating")
_MOST_INCIDENTS = 2000


@dataclass(frozen=True)
class Judged:
    """An alert whose last word was `status` and that is no incident: never, or not before `until`."""

    identity: str
    status: AlertStatus
    note: str
    until: datetime | None = None


@dataclass(frozen=True)
class Batch:
    """Alerts with what is known of each; all of them are filed, or none."""

    set_aside: tuple[Judged, ...] = ()
    resolved: tuple[str, ...] = ()
    placed: tuple[Placed, ...] = ()


class Filing(Database):
    """The part of the store that puts alerts and incidents together."""

    def file(self, batch: Batch, topology: Topology, flap: timedelta = timedelta(0)) -> int:
        """Files a batch in one commit; returns how many incidents were opened.

        An alert of which something newer came meanwhile is left for the next time. What other processes file at the
        same time waits, and finds these incidents. An alert that is back within `flap` reopens no work.
        """
        with self._filing() as session:
            rows = _rows(session, batch)
            for judged in batch.set_aside:
                _set_aside(rows[judged.identity], judged)
            self._resolve(session, [rows[i] for i in batch.resolved if rows[i].status == "resolved"])
            fresh = [
                one for one in batch.placed if not rows[one.identity].handled and rows[one.identity].status == "firing"
            ]
            return self._place(session, rows, fresh, topology, flap) if fresh else 0

    def _place(
        self,
        session: Session,
        rows: dict[str, AlertRow],
        fresh: Sequence[Placed],
        topology: Topology,
        flap: timedelta,
    ) -> int:
        began = min(one.starts_at for one in fresh)
        incidents = {row.id: row for row in _standing(session, iso(began - flap))}
        movable = _alerts_of(session, [row.id for row in incidents.values() if _movable(row)])
        filed = {row.identity: row for row in movable if row.status == "firing" and row.identity not in rows}
        closed = _alerts_of(session, [row.id for row in incidents.values() if row.closed_at is not None])
        known = [_known(row, closed) for row in incidents.values()]
        done = plan(
            [*map(_placed, filed.values()), *fresh], known, topology, flap, session.exec(select(IncidentRow.id))
        )
        every = {**filed, **rows}
        for opening in done.openings:
            incidents[opening.id] = self._open(session, opening, every[opening.first.identity])
        session.flush()
        self._move(session, incidents, every, fresh, done)
        return len(done.openings)

    def _open(self, session: Session, opening: Opening, first: AlertRow) -> IncidentRow:
        now, alert = iso(self._now()), to_alert(first)
        incident = IncidentRow(
            id=opening.id,
            state=opening.state,
            target_kind=opening.target.kind,
            target_namespace=opening.target.namespace,
            target_name=opening.target.name,
            root=str(opening.root),
            title=alert.annotations.get("summary") or alert.name,
            severity=opening.first.severity,
            opened_at=now,
            updated_at=now,
            next_at=now,
            reason=opening.reason,
        )
        session.add(incident)
        self._note(session, incident.id, "Opened", f"{alert.name} about {opening.first.target}")
        if opening.root != opening.first.target:
            self._note(session, incident.id, "Correlated", f"it is put down to {opening.root}")
        if opening.reason:
            self._note(session, incident.id, opening.state.capitalize(), opening.reason)
        return incident

    def _move(
        self,
        session: Session,
        incidents: Mapping[str, IncidentRow],
        rows: Mapping[str, AlertRow],
        fresh: Iterable[Placed],
        done: Plan,
    ) -> None:
        for one in fresh:
            row = rows[one.identity]
            row.about, row.severity, row.handled = str(one.target), one.severity, True
        coming: dict[str, list[AlertRow]] = {}
        for identity, incident_id in done.moves:
            coming.setdefault(incident_id, []).append(rows[identity])
        opened = {opening.id: opening.first.identity for opening in done.openings}
        for incident_id, alerts in coming.items():
            joined = [row for row in alerts if row.identity != opened.get(incident_id)]
            self._join(session, incidents[incident_id], joined, is_new=incident_id in opened)
            for row in alerts:
                row.incident_id, row.note = incident_id, ""
                session.add(row)
        for incident_id, into in done.folds:
            self._fold(session, incidents[incident_id], into)

    def _join(self, session: Session, incident: IncidentRow, alerts: Sequence[AlertRow], *, is_new: bool) -> None:
        if not alerts:
            return
        self._note(session, incident.id, "AlertJoined", _counted(alerts))
        incident.updated_at = iso(self._now())
        incident.severity = max((incident.severity, *(row.severity for row in alerts)), key=severity_rank)
        if incident.closed_at is not None:
            self._reopen(incident)
        elif incident.state in _BEFORE_WORK and not is_new and _says_more(session, incident, alerts):
            incident.next_at = incident.updated_at  # a new alert may tell what the last look could not
        session.add(incident)

    def _resolve(self, session: Session, rows: Sequence[AlertRow]) -> None:
        by_incident: dict[str, list[AlertRow]] = {}
        for row in rows:
            row.handled = True
            if row.incident_id is None:
                row.note = "resolved before it was known"
            else:
                by_incident.setdefault(row.incident_id, []).append(row)
        session.flush()
        for incident_id, alerts in by_incident.items():
            incident = session.get_one(IncidentRow, incident_id, with_for_update=True)
            self._note(session, incident_id, "AlertResolved", _counted(alerts))
            if not firing(session, incident_id):
                self._quiet(session, incident)
            session.add(incident)

    def _quiet(self, session: Session, incident: IncidentRow) -> None:
        """No alert of the incident fires any more."""
        incident.updated_at = iso(self._now())
        if incident.state in {*_BEFORE_WORK, "watching"} and not acting(session, incident.id):
            self._enter(session, incident, "resolved", "all its alerts are resolved")
        elif incident.state in {"escalated", "recorded"} and incident.closed_at is None:
            incident.closed_at = incident.updated_at
            self._note(session, incident.id, "Quiet", "all its alerts are resolved")


def _rows(session: Session, batch: Batch) -> dict[str, AlertRow]:
    """The alerts of a batch, locked against deliveries that come meanwhile."""
    judged = (one.identity for one in batch.set_aside)
    identities = sorted({*judged, *batch.resolved, *(one.identity for one in batch.placed)})
    found: dict[str, AlertRow] = {}
    for start in range(0, len(identities), AT_ONCE):
        some = identities[start : start + AT_ONCE]
        query = select(AlertRow).where(col(AlertRow.identity).in_(some)).order_by(AlertRow.identity)
        found.update((row.identity, row) for row in session.exec(query.with_for_update()))
    return found


def _set_aside(row: AlertRow, judged: Judged) -> None:
    if row.status != judged.status:
        return  # a newer word came, which is judged by itself
    row.note = judged.note
    row.handled = judged.until is None
    row.held_until = iso(judged.until) if judged.until else ""


def _standing(session: Session, closed_after: str) -> Sequence[IncidentRow]:
    """Incidents that an alert may still belong to."""
    recent = or_(col(IncidentRow.closed_at).is_(None), col(IncidentRow.closed_at) >= closed_after)
    query = select(IncidentRow).where(recent, IncidentRow.state != "folded")
    return session.exec(
        query.order_by(col(IncidentRow.opened_at).desc()).limit(_MOST_INCIDENTS).with_for_update()
    ).all()


def _alerts_of(session: Session, incidents: Sequence[str]) -> list[AlertRow]:
    found: list[AlertRow] = []
    for start in range(0, len(incidents), AT_ONCE):
        query = select(AlertRow).where(col(AlertRow.incident_id).in_(incidents[start : start + AT_ONCE]))
        found.extend(session.exec(query))
    return found


def _movable(row: IncidentRow) -> bool:
    """Whether nothing was done about it yet, so that its alerts may still turn out to be another's."""
    return row.state in _BEFORE_WORK and row.attempts == 0 and row.root != "" and row.closed_at is None


def _known(row: IncidentRow, closed: Iterable[AlertRow]) -> Known:
    return Known(
        id=row.id,
        root=ObjectRef.parse(row.root) if row.root else target_of(row),
        opened_at=datetime.fromisoformat(row.opened_at),
        closed_at=datetime.fromisoformat(row.closed_at) if row.closed_at else None,
        movable=_movable(row),
        series=frozenset(alert.series for alert in closed if alert.incident_id == row.id),
    )


def _placed(row: AlertRow) -> Placed:
    return Placed(
        identity=row.identity,
        series=row.series,
        name=row.name,
        starts_at=datetime.fromisoformat(row.starts_at),
        target=ObjectRef.parse(row.about),
        severity=row.severity,
        incident=row.incident_id or "",
    )


def _says_more(session: Session, incident: IncidentRow, alerts: Iterable[AlertRow]) -> bool:
    """Whether one of these is not only an alert of the incident that comes again."""
    before = set(session.exec(select(AlertRow.series).where(AlertRow.incident_id == incident.id)))
    return any(alert.series not in before for alert in alerts)


def _counted(alerts: Sequence[AlertRow]) -> str:
    """Their names, the most frequent first."""
    names = Counter(row.name for row in alerts).most_common()
    return ", ".join(name if times == 1 else f"{name} (x{times})" for name, times in names)
