"""Operators under trial, as processes of their own that start at once: forked from one that has imported everything.

A mortal one kills itself when something has become durable, once at each such point, so that another has to take over
from everywhere. (Always at all of them, nothing would ever be done: the next one states its intent anew.)
"""

import asyncio
import ctypes
import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path

from interlock.operator import service, trial
from interlock.operator.settings import OperatorSettings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])
_PR_SET_PDEATHSIG = 1

REFUTED = "-refuted"
"""How the names of executions end whose verification is made to fail."""


@dataclass(frozen=True)
class Terms:
    """What is different about an operator under trial."""

    time_scale: float
    record: Path
    """Where it writes down what its runners ask for, a JSON document a line."""
    mortal: bool = False


class Operator:
    """One life after the other of an operator under the same name."""

    def __init__(self, settings: Mapping[str, str], log: Path, terms: Terms) -> None:
        self._arguments = (dict(settings), str(log), terms)
        self._process: ForkServerProcess | None = None
        self._turn = asyncio.Lock()
        self.lives = 0

    @property
    def alive(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.is_alive()

    async def revive(self) -> None:
        """Starts it, if it does not live."""
        async with self._turn:
            if self.alive:
                return
            self._clear()
            process = _CONTEXT.Process(target=_live, args=self._arguments, daemon=True)
            await asyncio.to_thread(process.start)
            self._process = process
            self.lives += 1

    def end(self) -> None:
        """Kills it; returns when it is dead."""
        if self._process is not None:
            self._process.kill()
        self._clear()

    def _clear(self) -> None:
        if self._process is not None:
            self._process.join()
            self._process.close()
            self._process = None


def end_with_vetting() -> None:
    """This process ends when the one does that vets, or that it was forked from, however they end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    vetting = multiprocessing.parent_process()
    if vetting is not None:  # what forks lives as long as its children: nobody but they themselves can see this end
        threading.Thread(target=_outlive, args=(vetting,), daemon=True).start()


def _outlive(vetting: BaseProcess) -> None:
    vetting.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _live(settings: Mapping[str, str], log: str, terms: Terms) -> None:
    end_with_vetting()
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")
    conditions = trial.Trial(
        time_scale=terms.time_scale,
        refutes=lambda execution: execution.name.endswith(REFUTED),
        durable=partial(_die_once, Path(f"{log}.deaths")) if terms.mortal else lambda point: None,
        heard=partial(_write_down, terms.record),
    )
    asyncio.run(service.run(OperatorSettings(), conditions))


def _write_down(record: Path, account: str, method: str, url: str, code: int) -> None:
    line = json.dumps({"account": account, "method": method, "url": url, "code": code})
    with record.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _die_once(deaths: Path, point: str) -> None:
    died_at = deaths.read_text(encoding="utf-8").splitlines() if deaths.exists() else []
    if point in died_at:
        return
    deaths.write_text("\n".join([*died_at, point]), encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)
