"""`interlock incident transcript` and `replay`, as a person reads them."""

import asyncio
import json

from tests.unit.agents.llm.conftest import Room, unclear
from tests.unit.agents.llm.test_consult import whole
from typer.testing import CliRunner

from interlock.cli.incident import app


def run(database_url: str, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--database", database_url])
    assert result.exit_code == code, result.output
    return result.output


def test_a_transcript_is_shown_exported_and_replayed(room: Room, database_url: str) -> None:
    asyncio.run(room.consultant(whole()).advise("i1", *unclear()))
    shown = run(database_url, "transcript", "i1")
    for words in ("a model says workload.config.value-invalid", "on-call", "delegate", "6 calls"):
        assert words in shown
    exported = json.loads(run(database_url, "transcript", "i1", "--output", "json"))
    assert [len(one["exchanges"]) for one in exported["consultations"]] == [6]
    assert "yes" in run(database_url, "replay", "i1")
    (again,) = json.loads(run(database_url, "replay", "i1", "--output", "json"))
    assert again["same"] is True


def test_where_another_conclusion_follows_it_ends_with_1(room: Room, database_url: str) -> None:
    asyncio.run(room.consultant(whole()).advise("i1", *unclear()))
    row = room.transcript.consultations("i1")[0]
    with room.transcript._transaction() as session:
        row.given = row.given.replace("The probe may be too strict.", "The probe may be right.")
        session.add(row)
    (again,) = json.loads(run(database_url, "replay", "i1", "--output", "json", code=1))
    assert (again["same"], again["new_question"]) == (False, "on-call")


def test_where_no_model_was_asked_that_is_said(store: object, database_url: str) -> None:
    assert "No model was asked" in run(database_url, "transcript", "i1")
    assert "No model was asked" in run(database_url, "replay", "i1")
