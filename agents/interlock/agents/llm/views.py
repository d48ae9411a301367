"""Transcripts for those who read them: what models were asked and answered, and what it cost."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from interlock.agents.errors import StoreUnavailableError
from interlock.agents.llm.record import Outcome, key_of
from interlock.agents.llm.tables import ConsultationRow, ExchangeRow, ToolCallRow
from interlock.agents.llm.transcript import Spent, Transcript
from interlock.agents.model import Record, utc_now


class ExchangeView(Record):
    """One exchange with a model."""

    agent: str
    at: datetime
    state: str
    digest: str
    request: dict[str, Any]
    answer: dict[str, Any] | None
    message: str
    input_tokens: int
    output_tokens: int
    seconds: float
    cost: float


class ToolCallView(Record):
    """One live read that a model asked for."""

    agent: str
    name: str
    arguments: dict[str, Any]
    result: str


class ConsultationView(Record):
    """One consultation with all that was said."""

    number: int
    opened_at: datetime
    closed_at: datetime | None
    model: dict[str, Any]
    prompts: str
    digests: dict[str, dict[str, str]]
    outcome: str
    exchanges: tuple[ExchangeView, ...]
    reads: tuple[ToolCallView, ...]


class TranscriptView(Record):
    """All that was said to models about an incident."""

    incident: str
    spent: Spent
    consultations: tuple[ConsultationView, ...]


def transcript_of(database_url: str, incident: str) -> TranscriptView:
    """The transcript of an incident; without consultations when no model was asked.

    Raises:
        StoreUnavailableError: the database cannot be read.
    """
    with opened(database_url) as transcript:
        rows = transcript.consultations(incident) if transcript.is_there() else []
        views = tuple(_view(row, transcript.exchanges(key_of(row)), transcript.tool_calls(key_of(row))) for row in rows)
        spent = transcript.spent(incident) if rows else Spent(calls=0, tokens=0, seconds=0, cost=0)
        return TranscriptView(incident=incident, spent=spent, consultations=views)


@contextmanager
def opened(url: str) -> Iterator[Transcript]:
    """The transcripts of a database that exists.

    Raises:
        StoreUnavailableError: there is no such database.
    """
    path = make_url(url).database
    if url.startswith("sqlite") and path and not Path(path).exists():
        raise StoreUnavailableError(f"there is no database at {path}")
    transcript = Transcript(url, utc_now)
    try:
        yield transcript
    finally:
        transcript.close()


def _view(row: ConsultationRow, exchanges: list[ExchangeRow], reads: list[ToolCallRow]) -> ConsultationView:
    return ConsultationView(
        number=row.number,
        opened_at=datetime.fromisoformat(row.opened_at),
        closed_at=datetime.fromisoformat(row.closed_at) if row.closed_at else None,
        model=json.loads(row.model),
        prompts=row.prompts,
        digests=json.loads(row.digests),
        outcome=Outcome.model_validate_json(row.outcome).told if row.outcome else "",
        exchanges=tuple(_exchange(one) for one in exchanges),
        reads=tuple(
            ToolCallView(agent=one.agent, name=one.name, arguments=json.loads(one.arguments), result=one.result)
            for one in reads
        ),
    )


def _exchange(row: ExchangeRow) -> ExchangeView:
    return ExchangeView(
        agent=row.agent,
        at=datetime.fromisoformat(row.at),
        state=row.state,
        digest=row.digest,
        request=json.loads(row.request),
        answer=json.loads(row.answer) if row.answer else None,
        message=row.message,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        seconds=row.seconds,
        cost=row.cost,
    )
