"""Two processes share the work over PostgreSQL; one is killed in the middle: nothing is lost or asked for twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.postgres import Postgres
from tests.support.waiting import eventually
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent

from interlock.agents.incidents import list_incidents, show_incident
from interlock.agents.payload import Payload
from interlock.agents.store import Store

WORKLOADS = 12
SETTLED = frozenset({"proposed", "escalated"})
PROCESS = """
import asyncio, json, os, signal, sys
from contextlib import suppress
from pathlib import Path
from tests.unit.agents.storm import OTHER, NodeFailure
from interlock.agents.crew import Crew
from interlock.agents.errors import AlreadyExistsError
from interlock.agents.intake import take_in
from interlock.agents.model import utc_now
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.work import Worker

class Shared(NodeFailure):
    "A cluster whose executions are files in a folder that the processes share."

    def __init__(self, folder, workloads, lives):
        super().__init__(workloads=0)
        self.folder, self.lives = folder, lives
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "shop:2: not found"}}
        for n in range(workloads):
            self._workload("shop", f"broken{n}", OTHER, {"ready": False, "state": waiting, "image": "shop:2"})

    async def get(self, kind, name, namespace=None):
        file = self.folder / name
        if kind == "RunbookExecution":
            return json.loads(file.read_text()) if file.exists() else None
        return await super().get(kind, name, namespace)

    async def create(self, kind, namespace, body):
        try:
            with (self.folder / body["metadata"]["name"]).open("x") as file:
                file.write(json.dumps(body))
        except FileExistsError as known:
            raise AlreadyExistsError(str(known)) from known
        self.lives -= 1
        if self.lives == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return body

async def main(url, folder, workloads, lives):
    store, cluster = Store(url, utc_now, lease=3), Shared(Path(folder), int(workloads), int(lives))
    store.open()
    worker = Worker(AgentSettings(), store, cluster, None, utc_now)
    crew = Crew(store, worker, parallel=2, renew_after=1)
    while True:
        crew.bell.clear()
        await take_in(store, cluster, ())
        await crew.round()
        with suppress(TimeoutError):
            await asyncio.wait_for(crew.bell.wait(), 0.2)

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def process(url: str, folder: Path, *, lives: int) -> Iterator[subprocess.Popen[bytes]]:
    """Agents at work until the block ends, or until they die right after what they ask for so many times."""
    arguments = [sys.executable, "-c", PROCESS, url, str(folder), str(WORKLOADS), str(lives)]
    child = subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": "."})
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_what_a_killed_process_had_begun_another_one_ends(tmp_path: Path, postgres: Postgres, clock: Clock) -> None:
    folder = tmp_path / "executions"
    folder.mkdir()
    alerts = [sent("KubeContainerWaiting", namespace="shop", deployment=f"broken{n}") for n in range(WORKLOADS)]
    with ExitStack() as stack:
        url = stack.enter_context(postgres.database()).replace("postgresql+psycopg:", "postgresql:")
        store = Store(url, clock)
        store.open()
        stack.callback(store.close)
        store.receive(Payload.read(payload(*alerts)))
        first = stack.enter_context(process(url, folder, lives=2))  # it does two at a time
        eventually("the first process to ask for something", lambda: any(folder.iterdir()))
        stack.enter_context(process(url, folder, lives=0))
        eventually("all to be asked for", lambda: len(list(folder.iterdir())) >= WORKLOADS)
        eventually("all to be settled", lambda: all(one.state in SETTLED for one in list_incidents(url)))
        assert first.wait() == -signal.SIGKILL

        every = [show_incident(url, one.id) for one in list_incidents(url)]
        targets = [json.loads(file.read_text())["spec"]["target"]["name"] for file in folder.iterdir()]
        assert sorted(targets) == sorted(f"broken{n}" for n in range(WORKLOADS))
        assert sorted(one.target.name for one in every) == sorted(targets)
        assert [len(one.executions) for one in every] == [1] * WORKLOADS
