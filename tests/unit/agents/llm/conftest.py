"""A consultation about `shop/web` with a scripted cluster, a real store and whatever model a test brings."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.unit.agents.conftest import Clock
from tests.unit.agents.scenes import TARGET, look, running_unready, template, waiting

from interlock.agents.analyzers import Finding, Quote
from interlock.agents.cluster import Json
from interlock.agents.diagnose import Diagnosis, conclude, diagnose
from interlock.agents.errors import ClusterUnavailableError
from interlock.agents.evidence import Evidence
from interlock.agents.llm.consult import Consultant
from interlock.agents.llm.exchange import Model
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.transcript import Transcript

SETTINGS = ModelSettings(provider="openai", name="scripted")


@dataclass
class Eyes:
    """A cluster that holds one pod, and writes down what it is asked."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    log: str = "ERROR cannot open /etc/web/cache.conf: no such file"
    down: bool = False

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        self._note("get", kind, namespace or "", name)
        if (kind, name) == ("ConfigMap", "settings"):
            return {"kind": kind, "metadata": {"name": name}, "data": {"greeting": "Sesame-1234", "mode": "on"}}
        return None if name == "gone" else {"kind": kind, "metadata": {"name": name}, "spec": {}, "status": {}}

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        self._note("list", kind, namespace or "", fields)
        if kind == "Event":
            return [{"metadata": {}, "reason": "BackOff", "message": "back-off restarting", "type": "Warning"}]
        return [{"metadata": {"name": "web-1"}, "status": {"phase": "Running"}}]

    async def served(self) -> frozenset[str]:
        return frozenset()

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        self._note("logs", "Pod", namespace, pod)
        return self.log

    def _note(self, *what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise ClusterUnavailableError("connection refused")


def unclear() -> tuple[Evidence, Diagnosis]:
    """A pod that runs and is not ready, and an analyzer that has a guess."""
    evidence = look(pods=[running_unready("web-1")], new=template())
    guess = Finding(
        cause="workload.probe.readiness-timing-wrong",
        object=TARGET,
        confidence=0.5,
        summary="The probe may be too strict.",
        quotes=(Quote(id="E1"),),
    )
    return evidence, conclude([guess], 0.7)


def clear() -> tuple[Evidence, Diagnosis]:
    """An image that does not exist, of which the analyzers are sure."""
    evidence = look(pods=[waiting("web-1", "ImagePullBackOff", 'manifest for "web:2" not found')], new=template())
    return evidence, diagnose(evidence, 0.7)


class Room:
    """Where consultations are held."""

    def __init__(self, transcript: Transcript, clock: Clock) -> None:
        self.transcript = transcript
        self.clock = clock
        self.eyes = Eyes()
        self.paused: list[float] = []

    def consultant(self, model: Model, settings: ModelSettings = SETTINGS) -> Consultant:
        """A consultant, as a process would have it that was started now."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[Model]:
            yield model

        async def pause(seconds: float) -> None:
            self.paused.append(seconds)

        return Consultant(settings, self.transcript, opened, self.eyes, min_confidence=0.7, now=self.clock, pause=pause)


@pytest.fixture
def transcript(database_url: str, clock: Clock) -> Iterator[Transcript]:
    opened = Transcript(database_url, clock)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def room(transcript: Transcript, clock: Clock) -> Room:
    return Room(transcript, clock)
