"""A consultation from the analyzers' findings to advice: who is asked, what is accepted, what a crash costs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.agents.llm.conftest import SETTINGS, Room, clear, unclear
from tests.unit.agents.scenes import TARGET

from interlock.agents.errors import StoreUnavailableError
from interlock.agents.llm.exchange import Answer, ModelUnavailableError, Request
from interlock.agents.llm.replay import replay
from interlock.agents.llm.transcript import Key
from interlock.agents.llm.views import transcript_of
from interlock.agents.tables import IncidentRow
from interlock.agents.testing import ScriptedModel, call, says

IMAGE = "registry.example/shop/web:1.0.0"


def conclusion(cause: str = "workload.config.value-invalid", **other: Any) -> Answer:
    """A conclusion about `web` that cites what stands in the evidence."""
    told: dict[str, Any] = {
        "cause": cause,
        "kind": "Deployment",
        "name": "web",
        "confidence": 0.95,
        "citations": [{"id": "E1", "excerpt": "web"}],
        "summary": "The mode is not one that web knows.",
    }
    return call("conclude", **{**told, **other})


DELEGATE = call("delegate", analysis="What do the logs say?", kubectl="What is in the log of web-1?")
REPORT = call("report", observations=[{"statement": "It says so.", "citations": [{"id": "E1", "excerpt": "web"}]}])


def whole() -> ScriptedModel:
    """All three agents, each with a look."""
    cited: list[Any] = [{"id": "M1", "excerpt": "cannot open /etc/web/cache.conf"}]
    return ScriptedModel(
        {
            "on-call": [DELEGATE, conclusion(citations=[*cited, {"id": "E1", "excerpt": "web"}])],
            "analysis": [call("search_evidence", text="image"), REPORT],
            "kubectl": [
                call("read_log", pod="web-1", container="app"),
                call("report", observations=[{"statement": "A file is missing.", "citations": cited}]),
            ],
        }
    )


async def test_specialists_look_and_on_call_concludes(room: Room) -> None:
    evidence, diagnosis = unclear()
    model = whole()
    advice = await room.consultant(model).advise("i1", evidence, diagnosis)
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    best = advice.diagnosis.best
    assert best is not None
    assert (best.object, best.confidence) == (TARGET, 0.8)  # never surer than the settings let a model be
    assert best.summary.startswith("A model's judgment: ")
    assert [item.id for item in advice.evidence.items[-1:]] == ["M1"]
    assert room.eyes.asked == [("logs", "Pod", "shop", "web-1")]
    assert "a model says workload.config.value-invalid" in advice.told
    concluding = [r for r in model.requests if r.agent == "on-call"][-1]
    assert "A file is missing." in concluding.messages[-1].text


async def test_a_consultation_fits_its_budget(room: Room) -> None:
    await room.consultant(whole()).advise("i1", *unclear())
    spent = room.transcript.spent("i1")
    assert spent.calls == 6
    assert spent.tokens < 30_000


async def test_who_is_sure_is_not_doubted(room: Room) -> None:
    evidence, diagnosis = clear()
    model = ScriptedModel({})
    advice = await room.consultant(model).advise("i1", evidence, diagnosis)
    assert (advice.diagnosis, advice.told, model.requests) == (diagnosis, "", [])


KEY = Key(incident="i1", number=1)
ALWAYS = SETTINGS.model_copy(update={"when": "always"})


async def test_a_contradiction_is_for_a_person(room: Room) -> None:
    evidence, diagnosis = clear()
    model = ScriptedModel({"on-call": [conclusion("workload.replicas.zero")]})
    advice = await room.consultant(model, ALWAYS).advise("i1", evidence, diagnosis)
    assert advice.diagnosis.best is None
    assert advice.diagnosis.hypotheses[0].cause == "workload.image.not-found"
    for both in ("workload.image.not-found", "workload.replicas.zero", "The mode is not one"):
        assert both in advice.doubt


@pytest.mark.parametrize("cause", ["workload.image.not-found", "workload.image", "unknown"])
async def test_agreement_and_uncertainty_change_nothing(room: Room, cause: str) -> None:
    evidence, diagnosis = clear()
    advice = await room.consultant(ScriptedModel({"on-call": [conclusion(cause)]}), ALWAYS).advise(
        "i1", evidence, diagnosis
    )
    assert (advice.diagnosis, advice.doubt) == (diagnosis, "")


async def test_no_model_decides_that_all_is_well(room: Room) -> None:
    evidence, diagnosis = unclear()
    advice = await room.consultant(ScriptedModel({"on-call": [conclusion("none.healthy")]})).advise(
        "i1", evidence, diagnosis
    )
    assert advice.diagnosis == diagnosis
    assert "none.healthy" in advice.doubt


REFUSED: dict[str, dict[str, Any]] = {
    "there is no evidence E99": {"citations": [{"id": "E99", "excerpt": "web"}]},
    "does not stand in E1": {"citations": [{"id": "E1", "excerpt": "the moon is full"}]},
    "needs a citation with an excerpt": {"citations": [{"id": "E1"}]},
    "none of the cited items mentions orders": {"name": "orders"},
    "only objects of the incident's namespace": {"kind": "Node", "name": "node-1"},
    "is not in the vocabulary": {"cause": "workload.evil.spirits"},
    "Extra inputs are not permitted": {"runbook": "drain-node-1.0.0"},
    "should match pattern": {"name": "Web; rm -rf /"},
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_conclusion_that_is_not_borne_out_is_sent_back(room: Room, why: str) -> None:
    model = ScriptedModel({"on-call": [conclusion(**REFUSED[why]), conclusion()]})
    advice = await room.consultant(model).advise("i1", *unclear())
    (answer,) = model.requests[1].messages[-2].results
    assert why in answer.text
    assert advice.diagnosis.verdict == "workload.config.value-invalid"


async def test_who_never_concludes_is_not_sure(room: Room) -> None:
    evidence, diagnosis = unclear()
    model = ScriptedModel({"on-call": [says("Hm."), call("delegate"), call("delegate"), says("Well.")]})
    advice = await room.consultant(model).advise("i1", evidence, diagnosis)
    assert advice.diagnosis == diagnosis
    assert "came to no conclusion" in advice.told


async def test_what_became_of_earlier_incidents_is_evidence(room: Room) -> None:
    for day in (1, 2):
        past: dict[str, Any] = {
            "opened_at": f"2026-02-0{day}T00:00:00Z",
            "updated_at": "",
            "reason": f"it was the mode, day {day}",
        }
        about: dict[str, Any] = {
            "target_kind": TARGET.kind,
            "target_namespace": TARGET.namespace,
            "target_name": TARGET.name,
        }
        with room.transcript._transaction() as session:
            session.add(IncidentRow(id=f"old-{day}", state="resolved", title="Not ready", **about, **past))
    cited: list[Any] = [{"id": "H1", "excerpt": "it was the mode, day 1"}]
    searched = call("search_evidence", text="the mode")
    report = call("report", observations=[{"statement": "As before.", "citations": cited}])
    model = ScriptedModel({"on-call": [DELEGATE, conclusion(citations=cited)], "analysis": [searched, report]})
    advice = await room.consultant(model).advise("now", *unclear())
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    (found,) = next(r for r in model.requests if r.agent == "analysis" and len(r.messages) > 2).messages[3].results
    assert "H1: reason: it was the mode, day 2" in found.text


async def test_without_an_answer_the_analyzers_stand(room: Room) -> None:
    evidence, diagnosis = unclear()
    model = ScriptedModel(
        {"on-call": [ModelUnavailableError("503", again=True), ModelUnavailableError("503", again=True)]}
    )
    advice = await room.consultant(model).advise("i1", evidence, diagnosis)
    assert (advice.diagnosis, advice.doubt) == (diagnosis, "")
    assert advice.told == "no model's judgment: 503"
    assert room.paused == [SETTINGS.retry_after]


async def test_a_failure_in_passing_is_tried_once_more(room: Room) -> None:
    model = ScriptedModel({"on-call": [ModelUnavailableError("429", again=True), conclusion()]})
    advice = await room.consultant(model).advise("i1", *unclear())
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    assert room.transcript.spent("i1").calls == 2


class Dying(ScriptedModel):
    """The process dies with the n-th question on the wire."""

    def __init__(self, at: int, script: ScriptedModel) -> None:
        super().__init__({})
        self.at, self.script = at, script

    async def answer(self, request: Request) -> Answer:
        if len(self.script.requests) == self.at:
            raise StoreUnavailableError("killed")
        return await self.script.answer(request)


@pytest.mark.parametrize("at", range(6))
def test_after_a_crash_nothing_is_asked_twice(room: Room, at: int) -> None:
    evidence, diagnosis = unclear()
    model = whole()
    with pytest.raises(StoreUnavailableError):  # a loop of its own, whose end waits for what it began
        asyncio.run(room.consultant(Dying(at, model)).advise("i1", evidence, diagnosis))
    room.clock.advance(60)
    changed = evidence.model_copy(update={"collected_at": room.clock()})
    advice = asyncio.run(room.consultant(model).advise("i1", changed, diagnosis))
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    answered = [one.digest for one in room.transcript.exchanges(KEY) if one.state == "answered"]
    assert len(set(answered)) == len(answered) == 6
    # What the other specialist had on the wire, a question or a read, is not known and so repeated.
    assert len(model.requests) <= 7
    assert set(room.eyes.asked) == {("logs", "Pod", "shop", "web-1")}
    assert len(room.eyes.asked) <= 2
    assert len(room.transcript.tool_calls(KEY)) == 1


async def test_the_same_findings_are_not_asked_about_again(room: Room) -> None:
    model = whole()
    first = await room.consultant(model).advise("i1", *unclear())
    second = await room.consultant(model).advise("i1", *unclear())
    assert (second.diagnosis, second.told) == (first.diagnosis, "")
    assert len(model.requests) == 6


async def test_a_replay_needs_no_model(room: Room, database_url: str) -> None:
    await room.consultant(whole()).advise("i1", *unclear())
    (again,) = await replay(database_url, "i1")
    assert again.same
    assert again.recorded == again.replayed
    assert room.eyes.asked == [("logs", "Pod", "shop", "web-1")]


async def test_a_replay_tells_where_it_leaves_the_record(room: Room, database_url: str) -> None:
    await room.consultant(whole()).advise("i1", *unclear())
    row = room.transcript.consultations("i1")[0]
    given = json.loads(row.given)
    given["diagnosis"]["hypotheses"][0]["summary"] = "Otherwise."
    with room.transcript._transaction() as session:
        row.given = json.dumps(given)
        session.add(row)
    (again,) = await replay(database_url, "i1")
    assert not again.same
    assert again.new_question == "on-call"


async def test_failures_replay_as_well(room: Room, database_url: str) -> None:
    model = ScriptedModel({"on-call": [DELEGATE, ModelUnavailableError("gone", again=False)], "analysis": [REPORT]})
    await room.consultant(model).advise("i1", *unclear())
    (again,) = await replay(database_url, "i1")
    assert (again.same, again.replayed) == (True, "no model's judgment: gone")


async def test_a_transcript_tells_all(room: Room, database_url: str, tmp_path: Path) -> None:
    await room.consultant(whole()).advise("i1", *unclear())
    told = transcript_of(database_url, "i1")
    (one,) = told.consultations
    assert one.prompts == "1"
    assert set(one.digests) == {"on-call", "analysis", "kubectl"}
    assert [exchange.state for exchange in one.exchanges] == ["answered"] * 6
    assert {exchange.agent for exchange in one.exchanges} == {"on-call", "analysis", "kubectl"}
    assert one.exchanges[0].request["parameters"] == {"max_tokens": 800, "temperature": 0.0}
    assert [(read.name, read.arguments["pod"]) for read in one.reads] == [("ReadLog", "web-1")]
    assert "cannot open" in one.reads[0].result
    assert told.spent.calls == 6
    assert transcript_of(f"sqlite:///{tmp_path / 'agents.db'}", "other").consultations == ()
