"""A storm through the real store, intake and work: one fault is one incident with one cause and one proposal."""

from random import Random

import pytest
from sqlmodel import func, select
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent
from tests.unit.agents.storm import NodeFailure

from interlock.agents.cluster import Json
from interlock.agents.incidents import IncidentDetail, list_incidents, show_incident
from interlock.agents.intake import take_in
from interlock.agents.payload import Payload
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.tables import IncidentRow
from interlock.agents.work import Worker


class Agents:
    """Intake and work over one store, round by round."""

    def __init__(self, store: Store, clock: Clock, url: str, cluster: NodeFailure) -> None:
        self.store, self.clock, self.url, self.cluster = store, clock, url, cluster
        self.worker = Worker(AgentSettings(database_url=url), store, cluster, None, clock)

    def tell(self, *alerts: Json) -> None:
        self.store.receive(Payload.read(payload(*alerts)))

    async def round(self) -> None:
        await take_in(self.store, self.cluster, (), now=self.clock())
        for incident in self.store.due(self.clock()):
            await self.worker.advance(incident)
            self.store.release(incident.id)
        self.clock.advance(1)

    def incidents(self) -> dict[str, IncidentDetail]:
        """Those that were not folded, by what they are about."""
        every = [show_incident(self.url, one.id) for one in list_incidents(self.url) if one.state != "folded"]
        return {f"{one.target.kind} {one.target.name}": one for one in every}


@pytest.fixture
def agents(store: Store, clock: Clock, database_url: str) -> Agents:
    return Agents(store, clock, database_url, NodeFailure())


@pytest.mark.parametrize("at_once", [500, 60])
async def test_a_storm_of_one_node_is_one_incident_one_cause_and_one_proposal(agents: Agents, at_once: int) -> None:
    storm = agents.cluster.alerts(500)
    Random(at_once).shuffle(storm)
    for start in range(0, 500, at_once):
        agents.tell(*storm[start : start + at_once])
        await agents.round()
    (incident,) = agents.incidents().values()
    assert (incident.target.kind, incident.target.name) == ("Node", "n1")
    assert incident.verdict.startswith("node.")
    assert incident.severity == "critical"
    assert len(incident.alerts) == 500
    (asked,) = agents.cluster.created.values()
    assert asked["spec"]["target"]["name"] == "n1"
    assert asked["spec"]["reason"]["incident"] == incident.id
    assert agents.cluster.reads < 60 * (500 // at_once + 1)


async def test_a_second_fault_in_the_storm_has_an_incident_of_its_own(agents: Agents) -> None:
    agents.tell(*agents.cluster.alerts(100), agents.cluster.alert_of_its_own())
    await agents.round()
    assert {about: one.verdict.split(".")[0] for about, one in agents.incidents().items()} == {
        "Node n1": "node",
        "Deployment broken": "workload",
    }
    assert len(agents.cluster.created) == 2


async def test_an_alert_that_comes_and_goes_reopens_no_work(agents: Agents) -> None:
    agents.tell(agents.cluster.alert_of_its_own())
    await agents.round()
    looks = _looks(agents.store)
    for turn in range(5):
        begun = f"2026-03-01T12:0{turn}:00Z"
        flap = {**agents.cluster.alert_of_its_own(), "startsAt": begun}
        agents.tell(flap)
        await agents.round()
        agents.tell({**flap, "status": "resolved", "endsAt": f"2026-03-01T12:0{turn}:30Z"})
        await agents.round()
        agents.clock.advance(60)
    assert len(agents.incidents()) == 1
    assert len(agents.cluster.created) == 1
    assert _looks(agents.store) == looks


@pytest.mark.parametrize(("quiet", "first"), [(10, "escalated"), (70, "watching")])
async def test_an_alert_that_is_gone_before_it_is_looked_at_and_comes_back_is_looked_at(
    agents: Agents, quiet: float, first: str
) -> None:
    flap = agents.cluster.alert_of_its_own()
    agents.tell(flap)
    await take_in(agents.store, agents.cluster, (), now=agents.clock())
    agents.tell({**flap, "status": "resolved", "endsAt": "2026-03-01T12:00:30Z"})
    await agents.round()
    agents.clock.advance(quiet)
    agents.tell({**flap, "startsAt": "2026-03-01T12:01:00Z"})
    await agents.round()
    assert [one.state for one in agents.incidents().values()] == [first]
    for seconds in (5, 1):
        agents.clock.advance(seconds)
        await agents.round()
    assert len(agents.cluster.created) == 1


async def test_incidents_that_are_blamed_on_the_same_become_one(agents: Agents) -> None:
    await _two_looks_blame_the_node(agents)
    states = sorted(one.state for one in list_incidents(agents.url))
    assert states.count("folded") == 1
    assert len(agents.cluster.created) == 1


async def _two_looks_blame_the_node(agents: Agents) -> None:
    """Two incidents that intake could not put together, as the node looked well when they were opened."""
    lost = agents.cluster.lists["Node", None]
    agents.cluster.lists["Node", None] = []
    agents.tell(
        sent("KubePodNotReady", namespace="shop", deployment="w0"),
        sent("KubePodNotReady", namespace="shop", deployment="w2"),
    )
    await take_in(agents.store, agents.cluster, (), now=agents.clock())
    assert len(agents.incidents()) == 2
    agents.cluster.lists["Node", None] = lost
    agents.clock.advance(60)
    await agents.round()


def _looks(store: Store) -> int:
    with store._reading() as session:
        return int(session.exec(select(func.sum(IncidentRow.looks))).one())
