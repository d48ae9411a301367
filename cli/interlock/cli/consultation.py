"""`interlock incident transcript` and `replay`: what a model was asked about an incident, and whether that repeats."""

import asyncio
from typing import NoReturn

import typer

from interlock.agents.llm.views import ConsultationView, TranscriptView, transcript_of
from interlock.cli.errors import CommandError
from interlock.cli.screen import Output, as_json, say, table


def show_transcript(url: str, incident: str, output: Output) -> None:
    """Prints all that was said to models about an incident, whole as JSON, else in short.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    found = transcript_of(url, incident)
    if output is Output.json:
        as_json(found.model_dump(mode="json"))
        return
    if not found.consultations:
        say("No model was asked about it.")
    for consultation in found.consultations:
        _show(consultation)
    _show_cost(found)


def _show(one: ConsultationView) -> None:
    say(f"Consultation {one.number}, {one.opened_at:%Y-%m-%d %H:%M:%S}, {one.model.get('name')}", "bold")
    say(f"  {one.outcome or 'not finished'}")
    rows = [
        [f"{exchange.at:%H:%M:%S}", exchange.agent, exchange.state, _said(exchange.answer, exchange.message)]
        for exchange in one.exchanges
    ]
    table(["time", "agent", "state", "answer"], rows, "nothing was asked")


def _said(answer: dict[str, object] | None, message: str) -> str:
    if answer is None:
        return message
    calls = answer.get("calls")
    named = [f"{call['name']} {call['arguments']}" for call in calls] if isinstance(calls, list) else []
    return "; ".join(named)[:200] or str(answer.get("text", ""))[:200]


def _show_cost(found: TranscriptView) -> None:
    spent = found.spent
    say(f"{spent.calls} calls, {spent.tokens} tokens, {spent.seconds:.1f} s, cost {spent.cost:.4f}")


def replay_incident(url: str, incident: str, output: Output) -> None:
    """Runs the consultations again from their transcripts; ends with 1 where another conclusion follows.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    try:
        from interlock.agents.llm.replay import replay  # noqa: PLC0415 - weighs a second, and needs the extra
    except ModuleNotFoundError as missing:
        _needs_extra(missing)
    found = asyncio.run(replay(url, incident))
    if output is Output.json:
        as_json([one.model_dump(mode="json") for one in found])
    else:
        rows = [
            [one.number, "yes" if one.same else "no", one.recorded, one.replayed, one.new_question] for one in found
        ]
        table(["consultation", "same", "then", "now", "asks anew"], rows, "No model was asked about it.")
    if not all(one.same for one in found):
        raise typer.Exit(1)


def _needs_extra(missing: ModuleNotFoundError) -> NoReturn:
    raise CommandError(f"{missing.name} is not installed", "Install it: pip install 'interlock[llm]'") from missing
