"""Incidents step by step against a scripted API server: every stop in between is survived, nothing is asked twice."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent
from tests.unit.agents.scenes import at

from interlock.agents.cluster import Json
from interlock.agents.errors import AlreadyExistsError, ClusterUnavailableError, RefusedError
from interlock.agents.follow import Follower
from interlock.agents.incidents import IncidentDetail, list_incidents, show_incident
from interlock.agents.intake import take_in
from interlock.agents.payload import Payload
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.work import Worker

CATALOGUE = Path(__file__).parents[3] / "runbooks" / "catalogue"
ME = "system:serviceaccount:interlock-agents:interlock-agents"
LABELS = {"app": "checkout"}


def _revision(number: int, image: str, ready: int) -> Json:
    return {
        "metadata": {
            "name": f"checkout-{number}",
            "uid": f"rs{number}",
            "creationTimestamp": at(1000 / number),
            "labels": {"pod-template-hash": str(number)},
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"kind": "Deployment", "name": "checkout", "uid": "d", "controller": True}],
        },
        "spec": {"replicas": 1, "template": _template(image)},
        "status": {"replicas": 1, "readyReplicas": ready},
    }


def _template(image: str) -> Json:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "app", "image": image}]}}


def _pod(name: str, revision: int, image: str, state: Json, ready: str) -> Json:
    return {
        "metadata": {
            "name": name,
            "labels": {**LABELS, "pod-template-hash": str(revision)},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"checkout-{revision}", "uid": f"rs{revision}", "controller": True}
            ],
        },
        "spec": _template(image)["spec"],
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"name": "app", "ready": ready == "True", "restartCount": 0, "state": state}],
        },
    }


class Script:
    """An API server that holds a Deployment whose new image does not exist, and keeps what is created."""

    def __init__(self) -> None:
        self.down = False
        self.refusal = ""
        self.forget_answer = False
        self.created: dict[str, Json] = {}
        self.creations = 0
        self.healthy = False

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        self._answer()
        if kind == "Namespace":
            return {"metadata": {"name": name, "labels": {"interlock.dev/remediation": "enabled"}}}
        if kind == "RunbookExecution":
            return self.created.get(name)
        if (kind, name) != ("Deployment", "checkout"):
            return None
        available = 2 if self.healthy else 1
        return {
            "metadata": {"name": "checkout", "uid": "d", "generation": 2},
            "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": _template("shop:2")},
            "status": {
                "observedGeneration": 2,
                "replicas": 2,
                "updatedReplicas": available,
                "availableReplicas": available,
            },
        }

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        self._answer()
        running: Json = {"running": {"startedAt": at(500)}}
        waiting: Json = {"waiting": {"reason": "ImagePullBackOff", "message": "shop:2: not found"}}
        match kind:
            case "ReplicaSet":
                return [_revision(1, "shop:1", 1), _revision(2, "shop:2", int(self.healthy))]
            case "Pod" if self.healthy:
                return [_pod("checkout-2-a", 2, "shop:2", running, "True") for _ in range(2)]
            case "Pod":
                return [
                    _pod("checkout-1-a", 1, "shop:1", running, "True"),
                    _pod("checkout-2-b", 2, "shop:2", waiting, "False"),
                ]
            case "Runbook":
                return [yaml.safe_load(p.read_text()) for p in sorted(CATALOGUE.glob("*/runbook.yaml"))]
        return []

    async def served(self) -> frozenset[str]:
        return frozenset()

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        return None

    async def create(self, kind: str, namespace: str, body: Json) -> Json:
        self._answer()
        self.creations += 1
        if self.refusal:
            raise RefusedError(self.refusal)
        name = body["metadata"]["name"]
        if name in self.created:
            raise AlreadyExistsError(f"{name} already exists")
        self.created[name] = body
        if self.forget_answer:
            self.forget_answer = False
            raise ClusterUnavailableError("time-out")
        return body

    async def whoami(self) -> str:
        return ME

    def phase(self, name: str, phase: str, message: str = "") -> None:
        """The operator says how an execution stands."""
        self.created[name]["status"] = {"phase": phase, "message": message}

    def _answer(self) -> None:
        if self.down:
            raise ClusterUnavailableError("connection refused")


class Agents:
    """The agents without their loops: a round is what the loops do once."""

    def __init__(self, store: Store, clock: Clock, database_url: str) -> None:
        self.store, self.clock, self.url, self.script = store, clock, database_url, Script()
        self.restart()

    def restart(self) -> None:
        """Forgets everything that is not in the store."""
        settings = AgentSettings(database_url=self.url)
        self.worker = Worker(settings, self.store, self.script, None, self.clock)
        self.follower = Follower(self.store, self.script, self.worker)

    async def round(self) -> None:
        """One round of intake, work and following."""
        await take_in(self.store, self.script, ())
        for incident in self.store.due(self.clock()):
            await self.worker.advance(incident)
        await self.follower.round()
        self.clock.advance(1)

    def tell(self, *alerts: Json) -> None:
        """Alertmanager delivers."""
        self.store.receive(Payload.read(payload(*alerts)))

    def incident(self) -> IncidentDetail:
        (only,) = list_incidents(self.url)
        return show_incident(self.url, only.id)


@pytest.fixture
def agents(store: Store, clock: Clock, database_url: str) -> Agents:
    return Agents(store, clock, database_url)


ALERT = sent("KubeContainerWaiting", namespace="shop", deployment="checkout")
RESOLVED = sent("KubeContainerWaiting", status="resolved", namespace="shop", deployment="checkout")


async def proposed(agents: Agents) -> str:
    agents.tell(ALERT)
    await agents.round()
    (name,) = agents.script.created
    return name


async def test_from_an_alert_to_a_request_and_to_the_cure(agents: Agents) -> None:
    name = await proposed(agents)
    spec = agents.script.created[name]["spec"]
    assert spec["requestedBy"] == ME
    assert spec["runbook"]["name"].startswith("rollback-deployment-")
    assert spec["parameters"] == {"toRevision": "1"}
    assert name == f"{spec['reason']['incident']}-1"
    assert agents.incident().state == "proposed"
    for phase, state in (("AwaitingApproval", "proposed"), ("Running", "acting"), ("Succeeded", "watching")):
        agents.script.phase(name, phase)
        await agents.round()
        assert agents.incident().state == state
    agents.tell(RESOLVED)
    await agents.round()
    found = agents.incident()
    assert (found.state, found.verdict) == ("resolved", "workload.image.not-found")
    assert found.closed_at is not None
    assert [e.phase for e in found.executions] == ["Succeeded"]
    assert {"Opened", "Diagnosed", "Proposed", "Acting", "Watching", "Resolved"} <= {t.event for t in found.timeline}


async def test_alerts_that_resolve_first_end_the_incident_with_the_execution(agents: Agents) -> None:
    name = await proposed(agents)
    agents.script.phase(name, "Running")
    await agents.round()
    agents.tell(RESOLVED)
    await agents.round()
    assert agents.incident().state == "acting"
    agents.script.phase(name, "Succeeded")
    await agents.round()
    await agents.round()
    assert agents.incident().state == "resolved"


@pytest.mark.parametrize("phase", ["Undone", "Failed", "Expired", "Refused"])
async def test_what_does_not_cure_is_handed_to_a_person_once(agents: Agents, phase: str) -> None:
    name = await proposed(agents)
    agents.script.phase(name, phase, "for a reason")
    for _ in range(3):
        await agents.round()
    found = agents.incident()
    assert found.state == "escalated"
    assert "for a reason" in found.reason
    families = [e.runbook.rpartition("-")[0] for e in found.executions]
    assert families == ["rollback-deployment", "escalate"]
    agents.script.phase(found.executions[1].name, "HandedOver")
    await agents.round()
    assert [e.phase for e in agents.incident().executions] == [phase, "HandedOver"]


async def test_what_was_not_needed_cures_nothing_while_its_alert_fires(agents: Agents, clock: Clock) -> None:
    name = await proposed(agents)
    agents.script.phase(name, "NotNeeded", "all pods are ready")
    await agents.round()
    assert agents.incident().state == "investigating"
    clock.advance(5)
    await agents.round()
    assert agents.incident().state == "proposed"
    (_, again) = agents.script.created
    agents.script.phase(again, "NotNeeded", "all pods are ready")
    for _ in range(7):
        await agents.round()
    found = agents.incident()
    assert found.state == "escalated"
    families = [e.runbook.rpartition("-")[0] for e in found.executions]
    assert families == ["rollback-deployment", "rollback-deployment", "escalate"]
    assert "was asked for before" in found.executions[2].message


async def test_what_was_not_needed_as_it_is_well_again_is_watched(agents: Agents, clock: Clock) -> None:
    name = await proposed(agents)
    agents.script.healthy = True
    agents.script.phase(name, "NotNeeded", "all pods are ready")
    for state in ("investigating", "watching"):
        await agents.round()
        assert agents.incident().state == state
        clock.advance(30)
    assert agents.incident().verdict == "none.recovered"
    agents.tell(RESOLVED)
    await agents.round()
    assert agents.incident().state == "resolved"
    assert len(agents.script.created) == 1


async def test_what_was_not_needed_ends_with_alerts_that_have_ended(agents: Agents) -> None:
    name = await proposed(agents)
    agents.tell(RESOLVED)
    await agents.round()
    agents.script.phase(name, "NotNeeded", "all pods are ready")
    for _ in range(2):
        await agents.round()
    assert agents.incident().state == "resolved"
    assert len(agents.script.created) == 1


@pytest.mark.parametrize("phase", ["Denied", "Cancelled"])
async def test_what_a_person_decided_is_not_asked_again(agents: Agents, phase: str) -> None:
    name = await proposed(agents)
    agents.script.phase(name, phase)
    await agents.round()
    await agents.round()
    assert agents.incident().state == "escalated"
    assert len(agents.script.created) == 1


async def test_a_kill_after_the_request_asks_nothing_twice(agents: Agents) -> None:
    agents.script.forget_answer = True
    agents.tell(ALERT)
    await agents.round()
    assert agents.incident().state == "investigating"
    agents.restart()
    agents.clock.advance(10)
    await agents.round()
    assert (len(agents.script.created), agents.script.creations) == (1, 2)
    assert agents.incident().state == "proposed"


async def test_a_name_that_somebody_else_took_is_not_ours(agents: Agents) -> None:
    agents.script.forget_answer = True
    agents.tell(ALERT)
    await agents.round()
    (body,) = agents.script.created.values()
    body["spec"] = {**body["spec"], "requestedBy": "mallory"}
    agents.clock.advance(10)
    await agents.round()
    assert agents.incident().state == "escalated"
    assert "taken" in agents.incident().reason


async def test_a_request_that_is_refused_is_for_a_person(agents: Agents) -> None:
    agents.script.refusal = "exceeded quota"
    agents.tell(ALERT)
    await agents.round()
    assert agents.incident().state == "escalated"
    assert "exceeded quota" in agents.incident().reason


async def test_a_cluster_that_does_not_answer_is_asked_again(agents: Agents) -> None:
    agents.tell(ALERT)
    agents.script.down = True
    with pytest.raises(ClusterUnavailableError):
        await agents.round()
    assert list_incidents(agents.url) == []
    agents.script.down = False
    await agents.round()
    assert agents.incident().state == "proposed"


async def test_later_alerts_of_the_same_fault_ask_for_nothing_more(agents: Agents) -> None:
    await proposed(agents)
    agents.tell(sent("KubeDeploymentRolloutStuck", namespace="shop", deployment="checkout"), ALERT)
    for _ in range(3):
        await agents.round()
    assert len(agents.script.created) == 1
    assert len(agents.incident().alerts) == 2


async def test_what_is_well_again_is_watched_and_then_asked_about(agents: Agents, clock: Clock) -> None:
    agents.script.healthy = True
    agents.tell(ALERT)
    await agents.round()
    assert (agents.incident().state, agents.incident().verdict) == ("investigating", "none.recovered")
    for seconds, state in ((60, "watching"), (60, "watching"), (300, "escalated")):
        clock.advance(seconds)
        await agents.round()
        assert agents.incident().state == state


async def test_what_breaks_again_while_it_is_watched_is_asked_about_soon(agents: Agents, clock: Clock) -> None:
    agents.script.healthy = True
    agents.tell(ALERT)
    for seconds, state in ((60, "investigating"), (30, "watching"), (0, "watching")):
        await agents.round()
        assert agents.incident().state == state
        clock.advance(seconds)
    agents.script.healthy = False
    for seconds in (30, 5):
        clock.advance(seconds)
        await agents.round()
    assert agents.incident().state == "proposed"


async def test_what_waited_long_for_its_first_look_is_not_handed_over_at_once(agents: Agents, clock: Clock) -> None:
    agents.script.healthy = True
    agents.tell(ALERT)
    await take_in(agents.store, agents.script, ())
    clock.advance(120)
    await agents.round()
    agents.script.healthy = False
    clock.advance(5)
    await agents.round()
    assert agents.incident().state == "proposed"


async def test_alerts_that_come_back_before_anything_was_done_are_looked_at_anew(agents: Agents, clock: Clock) -> None:
    agents.script.healthy = True
    for alert in (ALERT, RESOLVED):
        agents.tell(alert)
        await agents.round()
    assert agents.incident().state == "resolved"
    agents.script.healthy = False
    clock.advance(60)
    agents.tell({**ALERT, "startsAt": clock().isoformat()})
    await agents.round()
    assert agents.incident().state == "watching"
    for _ in range(2):
        clock.advance(5)
        await agents.round()
    assert agents.incident().state == "proposed"


async def test_an_alert_that_comes_and_goes_uses_up_patience(agents: Agents, clock: Clock) -> None:
    agents.script.list = _nothing  # type: ignore[method-assign]
    for _ in range(8):
        begun = clock().isoformat()
        agents.tell({**ALERT, "startsAt": begun})
        for _ in range(3):
            clock.advance(3)
            await agents.round()
        agents.tell({**RESOLVED, "startsAt": begun, "endsAt": clock().isoformat()})
        await agents.round()
    assert agents.incident().state == "escalated"


async def test_a_cure_after_which_alerts_fire_is_given_its_time_and_is_not_asked_for_again(
    agents: Agents, clock: Clock
) -> None:
    name = await proposed(agents)
    agents.script.phase(name, "Succeeded")
    for seconds, state in ((0, "watching"), (280, "watching"), (20, "investigating"), (0, "escalated")):
        await agents.round()
        clock.advance(seconds)
        await agents.round()
        assert agents.incident().state == state
    families = [e.runbook.rpartition("-")[0] for e in agents.incident().executions]
    assert families == ["rollback-deployment", "escalate"]
    assert "did not help" in agents.incident().executions[1].message


async def test_an_incident_that_nobody_understands_is_handed_over_when_patience_ends(
    agents: Agents, clock: Clock
) -> None:
    agents.tell(sent("KubeQuotaExceeded", namespace="shop", deployment="checkout"))
    agents.script.list = _nothing  # type: ignore[method-assign]
    await agents.round()
    assert agents.incident().state == "investigating"
    clock.advance(60)
    await agents.round()
    assert agents.incident().state == "escalated"
    assert isinstance(agents.incident().updated_at, datetime)


async def _nothing(kind: str, namespace: str | None = None, **_: Any) -> list[Json]:
    return []
