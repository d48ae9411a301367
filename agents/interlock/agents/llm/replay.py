"""Consultations once more, without a model and without a cluster: answers and tool results are those of the transcript.

A replay differs where the rules around the model have changed since.
"""

from interlock.agents.llm.metered import Recorded
from interlock.agents.llm.record import Given, Outcome, key_of
from interlock.agents.llm.session import hold
from interlock.agents.llm.tables import ConsultationRow, ToolCallRow
from interlock.agents.llm.toolbox import Toolbox
from interlock.agents.llm.transcript import Transcript
from interlock.agents.llm.views import opened
from interlock.agents.model import Record, utc_now


class Replayed(Record):
    """A consultation, once as it was and once again."""

    number: int
    recorded: str
    replayed: str
    same: bool
    new_question: str = ""
    """Whose question it is that the transcript does not hold, empty when it holds them all."""


async def replay(database_url: str, incident: str) -> list[Replayed]:
    """All consultations of an incident once more.

    Raises:
        StoreUnavailableError: the database cannot be read.
    """
    with opened(database_url) as transcript:
        rows = transcript.consultations(incident) if transcript.is_there() else []
        return [await _again(transcript, row) for row in rows if row.closed_at is not None]


async def _again(transcript: Transcript, row: ConsultationRow) -> Replayed:
    key = key_of(row)
    recorded = Outcome.model_validate_json(row.outcome)
    model = Recorded(transcript.exchanges(key))
    evidence = Given.model_validate_json(row.given).evidence
    toolbox = Toolbox(key, evidence, None, now=utc_now, keep=_forget, known=transcript.tool_calls(key))
    replayed = await hold(row, model, toolbox)
    return Replayed(
        number=row.number,
        recorded=recorded.told,
        replayed=replayed.told,
        same=recorded == replayed and not model.not_recorded,
        new_question=model.not_recorded[0].agent if model.not_recorded else "",
    )


async def _forget(_: ToolCallRow) -> None:
    """A replay keeps nothing."""
