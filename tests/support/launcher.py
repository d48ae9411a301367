"""Operators as child processes that start in an instant: forked from a process that has imported everything already.

A child may be told to kill itself at a commit to its database, and its wall clock can be moved while it runs. Nothing
else about it differs from `python -m interlock.operator`.
"""

import asyncio
import ctypes
import logging
import multiprocessing
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from multiprocessing.context import ForkServerProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Literal, Self

from tests.support.waiting import PATIENCE

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["interlock.operator.service"])
_PR_SET_PDEATHSIG = 1

When = Literal["before", "after"]
BOTH: tuple[When, ...] = ("before", "after")


@dataclass(frozen=True)
class CommitTrap:
    """Kills the process at its commit of this number, from 1."""

    number: int
    when: When


@dataclass
class Clock:
    """The wall clock of all operators of one lane, as seconds that it is ahead of the true one."""

    ahead: "Synchronized[float]" = field(default_factory=lambda: _CONTEXT.Value("d", 0.0))

    def set(self, seconds: float) -> None:
        """Lets it jump."""
        self.ahead.value = seconds


class Process:
    """One life of an operator; the threads of a test may share it."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        clock: Clock,
        trap: CommitTrap | None = None,
        commits: "Synchronized[int] | None" = None,
    ) -> None:
        self.commits: Synchronized[int] = commits or _CONTEXT.Value("i", 0)
        arguments = (dict(environment), str(log), clock.ahead, self.commits, trap)
        self._process: ForkServerProcess = _CONTEXT.Process(target=_live, args=arguments)
        self._process.start()
        self._descriptor: int | None = os.pidfd_open(self.pid)
        self._turn = threading.RLock()  # a descriptor's number is another process's once it is closed

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        with self._turn:
            return self._descriptor is not None and not select.select([self._descriptor], [], [], 0)[0]

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, if it lives."""
        with self._turn:
            if self._descriptor is not None and self.alive:
                signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """Kills it; returns when it is dead."""
        with self._turn:
            if self._descriptor is not None:
                self.signal(signal.SIGKILL)
                select.select([self._descriptor], [], [])

    def terminate(self, seconds: float = PATIENCE) -> int:
        """Asks it to stop, and returns its exit code."""
        self.signal(signal.SIGTERM)
        self._process.join(seconds)
        code = self._process.exitcode
        assert code is not None, f"did not stop within {seconds:.0f} s"
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self.kill()
            self._process.join()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def _live(
    environment: Mapping[str, str],
    log: str,
    ahead: "Synchronized[float]",
    commits: "Synchronized[int]",
    trap: CommitTrap | None,
) -> None:
    """The life of a child: what `python -m interlock.operator` does, under a trap and a clock of its own."""
    from interlock.operator import service, settings

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")
    _count_commits(commits, trap)
    _move_clock(ahead)
    asyncio.run(service.run(settings.OperatorSettings()))


def _count_commits(commits: "Synchronized[int]", trap: CommitTrap | None) -> None:
    from sqlalchemy.engine.default import DefaultDialect

    commit: Callable[..., Any] = DefaultDialect.do_commit

    def do_commit(dialect: DefaultDialect, connection: Any) -> None:
        with commits.get_lock():
            commits.value += 1
            number = commits.value
        _die_if(trap == CommitTrap(number, "before"))
        commit(dialect, connection)
        _die_if(trap == CommitTrap(number, "after"))

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _die_if(trapped: bool) -> None:
    if trapped:
        os.kill(os.getpid(), signal.SIGKILL)


def _move_clock(ahead: "Synchronized[float]") -> None:
    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=ahead.value)

    for name, module in list(sys.modules.items()):
        if name.startswith("interlock.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Moved  # type: ignore[attr-defined]
