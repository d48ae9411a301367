"""What the worker makes of advice: a doubt reaches a person, agreement changes nothing, no model means no trace."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, inspect
from tests.unit.agents.conftest import Clock
from tests.unit.agents.llm.conftest import SETTINGS, Eyes, Room
from tests.unit.agents.llm.test_budget import limited
from tests.unit.agents.llm.test_consult import conclusion
from tests.unit.agents.test_work import ALERT, Agents

from interlock.agents.llm.exchange import BudgetExhaustedError, Message, Request
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.start import advising
from interlock.agents.llm.transcript import Key, Transcript
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.testing import ScriptedModel
from interlock.agents.work import Worker

ALWAYS = SETTINGS.model_copy(update={"when": "always"})


@pytest.fixture
def agents(store: Store, clock: Clock, database_url: str) -> Agents:
    return Agents(store, clock, database_url)


def advised(agents: Agents, room: Room, cause: str) -> None:
    """From now on a model says this of Deployment checkout."""
    cited = [{"id": "E1", "excerpt": "checkout"}]
    model = ScriptedModel({"on-call": [conclusion(cause, name="checkout", citations=cited)]})
    settings = AgentSettings(database_url=agents.url)
    adviser = room.consultant(model, ALWAYS)
    agents.worker = Worker(settings, agents.store, agents.script, None, agents.clock, adviser=adviser)


async def test_a_contradiction_is_handed_over_with_both_sides(agents: Agents, room: Room) -> None:
    advised(agents, room, "workload.replicas.zero")
    agents.tell(ALERT)
    await agents.round()
    (body,) = agents.script.created.values()
    assert body["spec"]["runbook"]["name"].startswith("escalate-")
    for words in ("workload.image.not-found", "workload.replicas.zero", "The mode is not one"):
        assert words in body["spec"]["reason"]["summary"]
    found = agents.incident()
    assert (found.state, found.verdict) == ("escalated", "unknown.contradictory-evidence")
    assert ["a model says" in entry.text for entry in found.timeline if entry.event == "Model"] == [True]


async def test_agreement_leaves_the_proposal_as_it_is(agents: Agents, room: Room) -> None:
    advised(agents, room, "workload.image.not-found")
    agents.tell(ALERT)
    await agents.round()
    (body,) = agents.script.created.values()
    assert body["spec"]["runbook"]["name"].startswith("rollback-deployment-")
    assert agents.incident().state == "proposed"


async def test_without_a_provider_nothing_is_opened(database_url: str, store: Store, clock: Clock) -> None:
    loaded = set(sys.modules)
    async with advising(ModelSettings(), database_url, Eyes(), min_confidence=0.7, now=clock) as adviser:
        assert adviser is None
    assert set(sys.modules) == loaded


async def test_with_a_provider_transcripts_are_ready(database_url: str, clock: Clock) -> None:
    async with advising(SETTINGS, database_url, Eyes(), min_confidence=0.7, now=clock) as adviser:
        assert adviser is not None
    engine = create_engine(database_url)
    assert inspect(engine).has_table("model_exchanges")
    engine.dispose()


def test_processes_that_ask_at_once_share_the_budget(url: str, clock: Clock) -> None:
    crew = [Transcript(url, clock) for _ in range(4)]
    crew[0].open()
    request = Request(
        agent="on-call", model="m", parameters={}, prompts="1", tools=(), messages=(Message(role="user", text="x"),)
    )

    def ask(number: int) -> bool:
        try:
            crew[number % 4].ask(Key(incident=f"i{number}", number=1), request, limited("per_hour", calls=3))
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 3
    for one in crew:
        one.close()
