"""What may be spent, and that it is counted before it is spent and over restarts."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.agents.conftest import Clock
from tests.unit.agents.llm.conftest import SETTINGS, Room, unclear
from tests.unit.agents.llm.test_consult import DELEGATE, REPORT, conclusion, whole

from interlock.agents.llm.briefs import AGENTS, brief, digests, recorded_digests
from interlock.agents.llm.exchange import Answer, BudgetExhaustedError, Message, Request, clean, heard
from interlock.agents.llm.metered import Metered
from interlock.agents.llm.replay import replay
from interlock.agents.llm.settings import Limits, ModelSettings
from interlock.agents.llm.transcript import Key, Transcript
from interlock.agents.settings import AgentSettings
from interlock.agents.testing import ScriptedModel, says

PLENTY: dict[str, Any] = {"calls": 1000, "tokens": 10**9, "seconds": 10**6, "cost": 10**6}
PRICED = {"input_price": 1000.0, "output_price": 1000.0}


def limited(which: str, **limit: Any) -> ModelSettings:
    plenty = {"per_incident": Limits(**PLENTY), "per_hour": Limits(**PLENTY)}
    return SETTINGS.model_copy(update={**plenty, which: Limits(**{**PLENTY, **limit}), **PRICED})


@pytest.mark.parametrize("which", ["per_incident", "per_hour"])
@pytest.mark.parametrize("limit", [{"calls": 1}, {"tokens": 5000}, {"seconds": 50}, {"cost": 5}], ids=str)
async def test_when_a_limit_is_reached_the_analyzers_answer_stands(
    room: Room, which: str, limit: dict[str, float], database_url: str
) -> None:
    evidence, diagnosis = unclear()
    settings = limited(which, **limit)
    model = ScriptedModel({"on-call": [DELEGATE, says("Hm."), says("Hm.")], "analysis": [REPORT], "kubectl": [REPORT]})
    advice = await room.consultant(model, settings).advise("i1", evidence, diagnosis)
    assert (advice.diagnosis, advice.doubt) == (diagnosis, "")
    (name,) = limit
    assert f"{name} per {which.removeprefix('per_')}" in advice.told
    spent = room.transcript.spent("i1")
    assert spent.calls == len(model.requests)
    assert getattr(spent, name) <= limit[name]
    (again,) = await replay(database_url, "i1")
    assert again.same


async def test_what_was_asked_counts_though_no_answer_came(room: Room, transcript: Transcript) -> None:
    row = transcript.begin("i1", question="q", model='{"name": "m"}', prompts="1", digests="{}", given="{}")
    key = Key(incident="i1", number=row.number)
    request = Request(
        agent="on-call",
        model="m",
        parameters={},
        prompts="1",
        tools=(),
        messages=(Message(role="user", text="x" * 300),),
    )
    settings = limited("per_incident", tokens=1500)
    transcript.ask(key, request, settings)  # and the process dies
    spent = transcript.spent("i1")
    assert (spent.calls, spent.seconds) == (1, settings.call_timeout)
    assert spent.tokens > 800 + 100
    with pytest.raises(BudgetExhaustedError, match="tokens per incident"):
        await Metered(ScriptedModel({}), transcript, key, settings).answer(request)


async def test_an_hour_ends(room: Room, clock: Clock) -> None:
    settings = limited("per_hour", calls=1)
    await room.consultant(ScriptedModel({"on-call": [conclusion()]}), settings).advise("i1", *unclear())
    told = (await room.consultant(ScriptedModel({}), settings).advise("i2", *unclear())).told
    assert "calls per hour" in told
    clock.time += timedelta(hours=1, seconds=1)
    advice = await room.consultant(ScriptedModel({"on-call": [conclusion()]}), settings).advise("i3", *unclear())
    assert advice.diagnosis.best is not None


async def test_limits_hold_over_restarts(room: Room, database_url: str, clock: Clock) -> None:
    settings = limited("per_hour", calls=1)
    await room.consultant(ScriptedModel({"on-call": [conclusion()]}), settings).advise("i1", *unclear())
    reopened = Transcript(database_url, clock)
    later = Room(reopened, clock)
    told = (await later.consultant(ScriptedModel({}), settings).advise("i2", *unclear())).told
    reopened.close()
    assert "calls per hour" in told


async def test_a_specialist_that_has_no_budget_left_is_told_of(room: Room) -> None:
    settings = limited("per_incident", calls=2)
    model = ScriptedModel({"on-call": [DELEGATE], "analysis": [REPORT], "kubectl": [REPORT]})
    advice = await room.consultant(model, settings).advise("i1", *unclear())
    assert "calls per incident" in advice.told
    assert len(model.requests) == 2


async def test_the_defaults_are_those_of_the_design() -> None:
    limits = ModelSettings().per_incident
    assert (limits.calls, limits.tokens) == (10, 30_000)


async def test_a_whole_consultation_is_far_from_its_limits(room: Room) -> None:
    await room.consultant(whole()).advise("i1", *unclear())
    assert room.transcript.spent("i1").tokens < ModelSettings().per_incident.tokens


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"provider": "openai"}, "needs the name"),
        ({"provider": "azure", "name": "m"}, "needs an endpoint"),
        ({"provider": "oracle", "name": "m"}, "Input should be"),
        ({"provider": "openai", "name": "m", "answer_tokens": 1}, "greater than or equal"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ModelSettings(**given)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_AGENTS_LLM__PROVIDER", "openai")
    monkeypatch.setenv("INTERLOCK_AGENTS_LLM__NAME", "m")
    monkeypatch.setenv("INTERLOCK_AGENTS_LLM__PER_HOUR", '{"calls": 5, "tokens": 5, "seconds": 5, "cost": 5}')
    llm = AgentSettings().llm
    assert (llm.provider, llm.name, llm.per_hour.calls) == ("openai", "m", 5)
    assert AgentSettings(llm=ModelSettings()).llm.provider == "none"


def test_a_version_of_prompts_and_tools_is_never_changed() -> None:
    """Who changes a prompt or a tool makes a new folder beside it, with its own digests.json."""
    assert digests() == recorded_digests()


def test_no_tool_can_name_what_is_not_the_incidents() -> None:
    for agent in AGENTS:
        for tool in brief(agent).tools:
            assert not {"namespace", "runbook", "parameters", "command", "decision"} & set(_names(tool.parameters))


def _names(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = list(schema.get("properties", {}))
        return own + [name for value in schema.values() for name in _names(value)]
    return [name for one in schema for name in _names(one)] if isinstance(schema, list) else []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a\nb", "a\nb"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("\u202eabc", "\\u202eabc"),
        ("password=hunter2", "password=[redacted]"),
        ("postgres://u:secret-1@db", "postgres://[redacted]@db"),
    ],
)
def test_text_is_cleaned(said: str, shown: str) -> None:
    assert clean(said) == shown
    assert clean(shown) == shown
    assert heard(said, ()).text == shown
    assert Answer(text=said).text == shown
