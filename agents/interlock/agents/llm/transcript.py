"""The durable side of consultations. Every method is one transaction; they block, callers run them in a thread.

A limit is checked and what the call may cost is written down in the same transaction, before the call: a process that
dies in between has spent it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import func, inspect, text
from sqlmodel import Session, col, select

from interlock.agents.database import translated
from interlock.agents.llm.exchange import Answer, BudgetExhaustedError, Request
from interlock.agents.llm.settings import Limits, ModelSettings
from interlock.agents.llm.tables import ConsultationRow, ExchangeRow, ToolCallRow
from interlock.agents.model import ObjectRef, Record, iso
from interlock.agents.store.connected import Connected
from interlock.agents.tables import IncidentRow

MOST_HISTORY = 5
BYTES_PER_TOKEN = 3
"""A cautious guess of how many bytes a token has, for what is not yet counted by the endpoint."""


class Spent(Record):
    """What calls have cost, those that are under way at their highest."""

    calls: int
    tokens: int
    seconds: float
    cost: float


class Key(Record):
    """A consultation."""

    incident: str
    number: int


class Transcript(Connected):
    """Reads and writes consultations."""

    def is_there(self) -> bool:
        """Whether the database has these tables: not where no model was ever configured."""
        with translated():
            return inspect(self._engine).has_table(str(ConsultationRow.__tablename__))

    @contextmanager
    def _alone(self) -> Iterator[Session]:
        """A transaction that sees what every other of its sort did."""
        with self._transaction() as session:
            if self._engine.dialect.name == "postgresql":  # SQLite's writers are alone anyway
                session.connection().execute(text("LOCK TABLE model_exchanges IN SHARE ROW EXCLUSIVE MODE"))
            yield session

    # Consultations

    def consultations(self, incident: str) -> list[ConsultationRow]:
        """All consultations about an incident, in order."""
        with self._reading() as session:
            query = select(ConsultationRow).where(ConsultationRow.incident_id == incident)
            return list(session.exec(query.order_by(col(ConsultationRow.number))).all())

    def begin(self, incident: str, **fields: str) -> ConsultationRow:
        """A new consultation, durable before anything is asked."""
        with self._transaction() as session:
            query = select(func.count()).where(ConsultationRow.incident_id == incident)
            number = 1 + int(session.exec(query).one())
            row = ConsultationRow(incident_id=incident, number=number, opened_at=iso(self._now()), **fields)
            session.add(row)
            return row

    def finish(self, key: Key, outcome: str) -> None:
        """What the consultation came to; the last word on it."""
        with self._transaction() as session:
            row = session.get_one(ConsultationRow, (key.incident, key.number))
            row.outcome, row.closed_at = outcome, iso(self._now())
            session.add(row)

    def history(self, incident: str, target: ObjectRef) -> list[dict[str, str]]:
        """What became of the newest earlier incidents of the same target."""
        same = (
            IncidentRow.target_kind == target.kind,
            IncidentRow.target_namespace == target.namespace,
            IncidentRow.target_name == target.name,
            IncidentRow.id != incident,
        )
        with self._reading() as session:
            query = select(IncidentRow).where(*same).order_by(col(IncidentRow.opened_at).desc()).limit(MOST_HISTORY)
            rows = session.exec(query).all()
        told = ("id", "opened_at", "title", "verdict", "state", "reason")
        return [{name: str(getattr(row, name))[:200] for name in told} for row in rows]

    # Exchanges

    def answer_to(self, key: Key, request: Request) -> Answer | None:
        """The answer that this question had in this consultation."""
        with self._reading() as session:
            query = select(ExchangeRow.answer).where(*_of(key), ExchangeRow.digest == request.digest)
            found = session.exec(query.where(ExchangeRow.state == "answered")).first()
        return Answer.model_validate_json(found) if found else None

    def ask(self, key: Key, request: Request, settings: ModelSettings) -> ExchangeRow:
        """Takes what the call may cost from the budgets.

        Raises:
            BudgetExhaustedError: a limit forbids the call; that is written down as well.
        """
        input_tokens = -(-request.size // BYTES_PER_TOKEN)
        most = Spent(
            calls=1,
            tokens=input_tokens + settings.answer_tokens,
            seconds=settings.call_timeout,
            cost=settings.cost(input_tokens, settings.answer_tokens),
        )
        with self._alone() as session:
            hour_ago = iso(self._now() - timedelta(hours=1))
            problem = _exceeded(
                settings.per_incident, _sum(session, ExchangeRow.incident_id == key.incident), most, "incident"
            ) or _exceeded(settings.per_hour, _sum(session, col(ExchangeRow.at) > hour_ago), most, "hour")
            row = ExchangeRow(
                incident_id=key.incident,
                consultation=key.number,
                agent=request.agent,
                digest=request.digest,
                state="refused" if problem else "asked",
                at=iso(self._now()),
                request=request.model_dump_json(),
                message=problem,
            )
            if not problem:
                row.input_tokens, row.output_tokens = input_tokens, settings.answer_tokens
                row.seconds, row.cost = most.seconds, most.cost
            session.add(row)
        if problem:
            raise BudgetExhaustedError(problem)
        return row

    def settle(
        self, row: ExchangeRow, settings: ModelSettings, seconds: float, answer: Answer | None, why: str
    ) -> None:
        """How the call went; what the endpoint does not count stays at its estimate."""
        with self._transaction() as session:
            kept = session.get_one(ExchangeRow, row.id)
            kept.state, kept.message, kept.seconds = ("answered" if answer else "failed"), why, round(seconds, 3)
            if answer is not None:
                kept.answer = answer.model_dump_json()
                kept.input_tokens = answer.input_tokens or kept.input_tokens
                kept.output_tokens = answer.output_tokens or kept.output_tokens
                kept.cost = settings.cost(kept.input_tokens, kept.output_tokens)
            session.add(kept)

    def exchanges(self, key: Key) -> list[ExchangeRow]:
        """All calls of a consultation, in order."""
        with self._reading() as session:
            return list(session.exec(select(ExchangeRow).where(*_of(key)).order_by(col(ExchangeRow.id))).all())

    def spent(self, incident: str) -> Spent:
        """What an incident has cost."""
        with self._reading() as session:
            return _sum(session, ExchangeRow.incident_id == incident)

    # Tools

    def tool_calls(self, key: Key) -> list[ToolCallRow]:
        """All tool calls of a consultation."""
        with self._reading() as session:
            query = select(ToolCallRow).where(
                ToolCallRow.incident_id == key.incident, ToolCallRow.consultation == key.number
            )
            return list(session.exec(query.order_by(col(ToolCallRow.agent), col(ToolCallRow.ordinal))).all())

    def keep_tool_call(self, row: ToolCallRow) -> None:
        """A tool's answer, durable before a model sees it."""
        with self._transaction() as session:
            session.merge(row)


def _of(key: Key) -> tuple[Any, Any]:
    return ExchangeRow.incident_id == key.incident, ExchangeRow.consultation == key.number


def _sum(session: Session, condition: Any) -> Spent:
    tokens = func.sum(ExchangeRow.input_tokens + ExchangeRow.output_tokens)
    query = select(func.count(), tokens, func.sum(ExchangeRow.seconds), func.sum(ExchangeRow.cost))
    calls, total, seconds, cost = session.exec(query.where(condition, ExchangeRow.state != "refused")).one()
    return Spent(calls=calls, tokens=total or 0, seconds=seconds or 0.0, cost=cost or 0.0)


def _exceeded(limits: Limits, spent: Spent, most: Spent, whose: str) -> str:
    for what in ("calls", "tokens", "seconds", "cost"):
        limit, used, asked = getattr(limits, what), getattr(spent, what), getattr(most, what)
        if used + asked > limit:
            return f"{what} per {whose}: {used:g} of {limit:g} are spent, and the next call may take {asked:g}"
    return ""
