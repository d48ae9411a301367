"""The agents as a process under their own identity: an alert over HTTP becomes a request on the real API server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml
from tests.cluster.agents.conftest import Deploy
from tests.support.executions import Execution, Place
from tests.support.identity import Json
from tests.support.installation import API, Installation
from tests.support.waiting import eventually
from tests.unit.agents.payloads import payload, sent

from interlock.agents.incidents import IncidentDetail, list_incidents, show_incident
from interlock.agents.webhook import PATH
from interlock.crds.names import AGENTS_USER
from interlock.crds.runbook import Runbook
from interlock.lab import Lab
from interlock.lab.faults import FAULTS, inject, repair
from interlock.lab.ports import free_port

CATALOGUE = Path(__file__).parents[3] / "runbooks" / "catalogue"
TOKEN = "the-webhooks-token"
SERVE = (
    "import asyncio; from interlock.agents import service, settings; asyncio.run(service.run(settings.AgentSettings()))"
)


@dataclass
class Agents:
    """The agents of one namespace: their folder, their port, and their process while they run."""

    installation: Installation
    namespace: str
    folder: Path
    port: int
    url: str = ""
    """Of a database that is shared; by default their own."""
    settings: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, "-P", "-c", SERVE)
    more: Mapping[str, str] = field(default_factory=dict)
    """Further environment."""

    @property
    def database_url(self) -> str:
        return self.url or f"sqlite:///{self.folder / 'agents.db'}"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process, once it takes alerts; killed at the end if it still runs."""
        (self.folder / "token").write_text(TOKEN)
        environment = {
            **os.environ,
            **self.more,
            "INTERLOCK_AGENTS_KUBECONFIG": str(self.installation.agents_kubeconfig),
            "INTERLOCK_AGENTS_DATABASE_URL": self.database_url,
            "INTERLOCK_AGENTS_PORT": str(self.port),
            "INTERLOCK_AGENTS_TOKEN_FILE": str(self.folder / "token"),
            "INTERLOCK_AGENTS_POLL": "0.2",
            "INTERLOCK_AGENTS_LOOK_AGAIN_AFTER": "0.5",
            **{f"INTERLOCK_AGENTS_{name}": value for name, value in self.settings.items()},
        }
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self.command, env=environment, stdout=log, stderr=log)
        try:
            eventually("the agents to be ready", lambda: self._is_ready(process), 90)
            yield process
        finally:
            process.kill()
            process.wait()

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self.folder / "log").read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def tell(self, *alerts: Json) -> None:
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}{PATH}",
            content=payload(*alerts),
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text

    def alert(self, name: str = "KubeContainerWaiting", **fields: str) -> Json:
        return sent(name, **{"namespace": self.namespace, "deployment": "frontend", **fields})

    def executions(self) -> list[Json]:
        answer = self.installation.admin.get(f"{API}/namespaces/{self.namespace}/runbookexecutions")
        assert answer.ok, answer
        found: list[Json] = answer.body["items"]
        return found

    def execution(self) -> Json:
        return eventually("an execution", lambda: next(iter(self.executions()), None))

    def incident(self, *states: str) -> IncidentDetail:
        """The only incident, once it is in one of these states."""

        def look() -> IncidentDetail | None:
            found = list_incidents(self.database_url)
            assert len(found) <= 1, found
            return show_incident(self.database_url, found[0].id) if found and found[0].state in states else None

        return eventually(f"an incident that is {' or '.join(states)}", look)


@pytest.fixture
def agents(installation: Installation, watched: str, tmp_path: Path) -> Agents:
    for path in sorted(CATALOGUE.glob("*/runbook.yaml")):
        installation.publish(Runbook.model_validate(yaml.safe_load(path.read_text())))
    return Agents(installation, watched, tmp_path, free_port())


@pytest.fixture
def broken(lab: Lab, deploy: Deploy, agents: Agents) -> Agents:
    """The frontend's new image does not exist."""
    deploy("frontend")
    inject(lab, FAULTS["image-not-found"], agents.namespace)
    return agents


def test_an_alert_becomes_a_request_and_the_request_an_end(broken: Agents, lab: Lab) -> None:
    with broken.running() as process:
        broken.tell(broken.alert())
        made = broken.execution()
        spec = made["spec"]
        assert spec["requestedBy"] == AGENTS_USER
        assert spec["runbook"]["name"].startswith("rollback-deployment-")
        assert spec["reason"]["cause"] == "workload.image.not-found"
        assert spec["parameters"] == {"toRevision": "1"}
        assert spec["reason"]["citations"]

        broken.tell(broken.alert("KubeDeploymentRolloutStuck"), broken.alert())
        eventually("both alerts to be filed", lambda: len(broken.incident("proposed").alerts) == 2)

        repair(lab, FAULTS["image-not-found"], broken.namespace)
        Execution(Place(broken.installation, broken.namespace), made["metadata"]["name"]).reach("NotNeeded")
        broken.incident("watching")
        for name in ("KubeContainerWaiting", "KubeDeploymentRolloutStuck"):
            broken.tell(broken.alert(name, status="resolved"))
        assert broken.incident("resolved").closed_at is not None
        assert len(broken.executions()) == 1

        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0, (broken.folder / "log").read_text()


def test_killed_at_any_moment_the_agents_ask_once(broken: Agents) -> None:
    with broken.running() as process:
        broken.tell(broken.alert())
        process.kill()
    with broken.running() as process:
        broken.execution()
        process.kill()  # as soon as the request stands, whatever of it was written down
    with broken.running():
        broken.incident("proposed")
    assert len(broken.executions()) == 1


def test_what_ended_badly_is_handed_over(broken: Agents) -> None:
    with broken.running():
        broken.tell(broken.alert())
        first = broken.execution()
        Execution(Place(broken.installation, broken.namespace), first["metadata"]["name"]).reach("Refused")
        found = broken.incident("escalated")
    assert [e.runbook.rpartition("-")[0] for e in found.executions] == ["rollback-deployment", "escalate"]
    assert len(broken.executions()) == 2


def test_where_nobody_opted_in_nothing_is_asked(agents: Agents) -> None:
    with agents.running():
        agents.tell(agents.alert(namespace="kube-system"))
        assert "has not opted in" in agents.incident("recorded").reason
    assert agents.executions() == []
