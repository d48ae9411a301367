"""The process that a lab lives in: starts the components in order, watches them, and ends them all with itself.

Nothing outlives it: components are told by the kernel to die with it (Linux), it dies with the lab's owner, and a
component that ends takes the lab down with a message that holds the last lines of its log, unless it was asked to
restart it.
"""

import ctypes
import fcntl
import http.client
import os
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import IO, Final

from interlock.lab.errors import LabDiedError
from interlock.lab.layout import Layout
from interlock.lab.ports import LOST
from interlock.lab.state import Component, Phase, Plan, State, write_atomically

POLL_SECONDS: Final = 0.05
WATCH_SECONDS: Final = 0.25
START_SECONDS: Final = 90.0
TAIL_LINES: Final = 12
PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run as `python -m interlock.lab.supervisor DIRECTORY`: detaches itself and returns at once."""
    layout = Layout(Path(sys.argv[1]))
    lock = _take_life_lock(layout)  # before the fork: who started us sees us alive from the first moment
    if os.fork():
        return
    os.setsid()
    Supervisor(layout).run()
    lock.flush()
    os._exit(0)  # the kernel releases the lock with the process: who sees it free sees nothing of the lab run


class Supervisor:
    """Starts, watches and ends the processes of one lab."""

    def __init__(self, layout: Layout) -> None:
        plan = Plan.model_validate_json(layout.plan.read_text())
        self._layout = layout
        self._components = {component.name: component for component in plan.components}
        self._description = plan.description
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ready: set[str] = set()
        self._stopping = False
        self._owner = _Owner(plan.description.owner)
        self._tls = ssl.create_default_context(cafile=f"{layout.pki('ca')}.crt")

    def run(self) -> None:
        """Returns when the lab was told to stop, lost its owner or a component."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        phase: Phase = "stopped"
        message = ""
        try:
            self._start()
            self._watch()
        except LabDiedError as death:
            phase, message = "failed", str(death)
        finally:
            self._end()
            self._record(phase, message)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self) -> None:
        self._record("starting")
        deadline = time.monotonic() + START_SECONDS
        while len(self._ready) < len(self._components) and not self._ends():
            for component in self._startable():
                self._processes[component.name] = self._spawn(component)
                self._record("starting")
            self._collect_ready()
            self._check_alive()
            if time.monotonic() > deadline:
                raise self._too_slow()
            time.sleep(POLL_SECONDS)
        if not self._ends():
            self._record("running")

    def _watch(self) -> None:
        while not self._ends():
            if self._layout.restart.exists():
                self._restart(self._layout.restart.read_text())
            self._check_alive()
            time.sleep(WATCH_SECONDS)

    def _restart(self, name: str) -> None:
        process, component = self._processes[name], self._components[name]
        process.kill()
        process.wait()
        self._processes[name] = process = self._spawn(component)
        self._record("running")
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(component, process) and not self._ends():
            if process.poll() is not None and LOST in self._tail(name):  # to a client, for as long as it is connected
                self._processes[name] = process = self._spawn(component)
            self._check_alive()
            if time.monotonic() > deadline:
                raise LabDiedError(f"{name} was not ready {START_SECONDS:.0f} s after its restart:\n{self._tail(name)}")
            time.sleep(POLL_SECONDS)
        self._layout.restart.unlink()

    def _ends(self) -> bool:
        return self._stopping or self._owner.is_gone()

    def _startable(self) -> list[Component]:
        waiting = (component for name, component in self._components.items() if name not in self._processes)
        return [component for component in waiting if self._ready.issuperset(component.needs)]

    def _spawn(self, component: Component) -> "subprocess.Popen[bytes]":
        with self._layout.log(component.name).open("wb") as log:
            return subprocess.Popen(
                component.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._layout.directory,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (the supervisor has one thread)
            )

    def _collect_ready(self) -> None:
        for name, process in self._processes.items():
            if name not in self._ready and self._is_ready(self._components[name], process):
                self._ready.add(name)

    def _is_ready(self, component: Component, process: "subprocess.Popen[bytes]") -> bool:
        if component.task:
            return process.poll() == 0
        return component.ready is None or _answers(component.ready, self._tls)

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None and not (code == 0 and self._components[name].task):
                raise LabDiedError(f"{name} ended ({_ending(code)}); the end of its log:\n{self._tail(name)}")

    def _too_slow(self) -> LabDiedError:
        late = sorted(self._processes.keys() - self._ready)
        tails = "\n".join(f"{name}:\n{self._tail(name)}" for name in late)
        return LabDiedError(
            f"not ready after {START_SECONDS:.0f} s: {', '.join(late)}; the end of their logs:\n{tails}"
        )

    def _tail(self, name: str) -> str:
        path = self._layout.log(name)
        lines = path.read_text(errors="replace").splitlines()[-TAIL_LINES:] if path.exists() else []
        return "\n".join(f"  {line[:500]}" for line in lines) or "  (nothing was printed)"

    def _end(self) -> None:
        for process in self._processes.values():
            process.kill()
        for name, process in self._processes.items():
            process.wait()
            if cleanup := self._components[name].cleanup:
                subprocess.run(cleanup, stdin=subprocess.DEVNULL, check=False)
        shutil.rmtree(self._layout.directory / "data", ignore_errors=True)

    def _record(self, phase: Phase, message: str = "") -> None:
        state = State(
            description=self._description,
            phase=phase,
            message=message,
            supervisor=os.getpid(),
            pids={name: process.pid for name, process in self._processes.items()},
            ready=tuple(sorted(self._ready)),
        )
        write_atomically(self._layout.state, state)


class _Owner:
    """The process whose end ends the lab. A pidfd cannot be fooled by a process id that is used again."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._descriptor: int | None = None
        self._gone = False
        if pid is not None and sys.platform == "linux":
            try:
                self._descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                self._gone = True

    def is_gone(self) -> bool:
        if self._pid is None or self._gone:
            return self._gone
        if self._descriptor is not None:
            return bool(select.select([self._descriptor], [], [], 0)[0])
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        return False


def _answers(url: str, tls: ssl.SSLContext) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=tls if url.startswith("https") else None) as answer:  # noqa: S310
            return bool(answer.status == http.client.OK)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def die_with_parent() -> None:
    """Makes the kernel kill the calling process when its parent ends: for `preexec_fn` of a process with one thread."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"


def _take_life_lock(layout: Layout) -> IO[str]:
    lock = layout.life_lock.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


if __name__ == "__main__":
    main()
