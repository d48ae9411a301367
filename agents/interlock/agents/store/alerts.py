"""Alerts as they arrive: durable first, judged later."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select

from interlock.agents.model import Alert, ObjectRef, iso
from interlock.agents.payload import Payload
from interlock.agents.rows import to_alert
from interlock.agents.store.base import Database
from interlock.agents.tables import AlertRow, DeliveryRow

AT_ONCE = 500
"""Values per statement; databases bound how many values one may have."""
_CHANGING = ("status", "ends_at", "received_at", "handled")


class Alerts(Database):
    """The part of the store that deliveries go into."""

    def receive(self, payload: Payload) -> int:
        """Makes a delivery durable; returns how many of its alerts say something new.

        Raises:
            StoreUnavailableError: nothing of it was kept.
        """
        return self.receive_all([payload])[0]

    def receive_all(self, payloads: Sequence[Payload]) -> list[int]:
        """Makes deliveries durable in their order, all or none, in one commit; how much of each is new.

        Raises:
            StoreUnavailableError: nothing of them was kept.
        """
        received, changed, news = iso(self._now()), dict[str, Alert](), list[int]()
        sent = [[one.alert() for one in payload.alerts] for payload in payloads]
        named = [[(alert.identity, alert) for alert in alerts] for alerts in sent]
        with self._transaction() as session:
            status = _status_of(session, {identity for alerts in named for identity, _ in alerts})
            for alerts in named:
                news.append(sum(_news(status, changed, identity, alert) for identity, alert in alerts))
            _write(session, [_values(identity, alert, received) for identity, alert in changed.items()])
            session.add_all(_truncated(payloads, received))
        return news

    def unhandled(self, limit: int = 1000) -> list[tuple[str, Alert, str | None]]:
        """Alerts whose last word was not acted upon, the oldest first, each with its identity and incident."""
        now = iso(self._now())
        with self._reading() as session:
            query = select(AlertRow).where(col(AlertRow.handled).is_(False), AlertRow.held_until <= now)
            rows = session.exec(query.order_by(AlertRow.received_at, AlertRow.identity).limit(limit)).all()
            return [(row.identity, to_alert(row), row.incident_id) for row in rows]

    def alerts_of(self, incident_id: str) -> list[Alert]:
        """All alerts of the incident."""
        with self._reading() as session:
            query = select(AlertRow).where(AlertRow.incident_id == incident_id).order_by(AlertRow.starts_at)
            return [to_alert(row) for row in session.exec(query).all()]

    def most_told_namespace(self, incident_id: str) -> str | None:
        """The namespace that most of the incident's alerts are about; None where they are about none."""
        mine = (AlertRow.incident_id == incident_id, col(AlertRow.about) != "")
        query = select(AlertRow.about, func.count()).where(*mine).group_by(AlertRow.about)
        told = Counter[str]()
        with self._reading() as session:
            for about, count in session.exec(query):
                if (namespace := ObjectRef.parse(about).namespace) is not None:
                    told[namespace] += count
        return min(told, key=lambda namespace: (-told[namespace], namespace), default=None)


def _status_of(session: Session, identities: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    asked = sorted(identities)
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        query = select(AlertRow.identity, AlertRow.status).where(col(AlertRow.identity).in_(some))
        found.update((identity, status) for identity, status in session.exec(query))
    return found


def _news(status: dict[str, str], changed: dict[str, Alert], identity: str, alert: Alert) -> bool:
    """Whether an alert says something new; if so it is put down."""
    if status.get(identity) == alert.status:
        return False
    status[identity], changed[identity] = alert.status, alert
    return True


def _write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    connection = session.connection()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(AlertRow)
    newer = {name: getattr(insert.excluded, name) for name in _CHANGING}
    statement = insert.on_conflict_do_update(
        index_elements=["identity"], set_=newer, where=col(AlertRow.status) != insert.excluded.status
    )
    if rows:
        connection.execute(statement, rows)


def _values(identity: str, alert: Alert, received: str) -> dict[str, Any]:
    return {
        "identity": identity,
        "name": alert.name,
        "status": alert.status,
        "starts_at": iso(alert.starts_at),
        "ends_at": iso(alert.ends_at) if alert.ends_at else None,
        "labels": json.dumps(alert.labels),
        "annotations": json.dumps(alert.annotations),
        "fingerprint": alert.fingerprint,
        "generator_url": alert.generator_url,
        "received_at": received,
        "handled": False,
        "incident_id": None,
        "note": "",
        "about": "",
        "series": alert.series,
        "severity": "",
        "held_until": "",
    }


def _truncated(payloads: Iterable[Payload], received: str) -> list[DeliveryRow]:
    return [
        DeliveryRow(
            received_at=received,
            group_key=payload.group_key,
            alerts=len(payload.alerts),
            truncated=payload.truncated_alerts,
        )
        for payload in payloads
        if payload.truncated_alerts
    ]
