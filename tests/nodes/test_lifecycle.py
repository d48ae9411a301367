"""Real nodes end with their lab, and nothing of them stays on the machine."""

import os
import signal
from pathlib import Path

from tests.support.waiting import eventually

from interlock.lab import lab_down, lab_up
from interlock.lab.kubectl import administrator
from interlock.lab.lab import lab_state
from interlock.lab.nodes import cgroups
from interlock.lab.nodes.outside import clean

KERNEL_SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


def of_the_machine() -> dict[str, object]:
    """What a node could have changed outside its namespaces."""
    return {
        "links": sorted(entry.name for entry in Path("/sys/class/net").iterdir()),
        "routes": Path("/proc/net/route").read_text(),
        "mounts": Path("/proc/self/mounts").read_text(),
        "settings": [Path("/proc/sys", name).read_text() for name in KERNEL_SETTINGS],
    }


def groups_of(lab: int) -> list[Path]:
    return list(cgroups.MOUNT.glob(f"*{cgroups.group_of(lab)}"))


def processes_below(directory: Path) -> list[str]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(directory) in words:
            found.append(words)
    return found


def test_nothing_of_real_nodes_outlives_their_lab(tmp_path: Path) -> None:
    before, directory = of_the_machine(), tmp_path / "lab"
    lab = lab_up(directory, real_nodes=1, monitoring=False)
    kubectl, state = administrator(lab), lab_state(directory)
    assert state is not None
    kubectl.run("run", "web", "--image=registry.example/shop/catalogue:0.9.4")
    kubectl.run("wait", "pod/web", "--for=condition=Ready", "--timeout=90s")
    assert "[catalogue] ready on :8080" in kubectl.run("logs", "web")
    assert of_the_machine() == before
    assert groups_of(state.pids["nodes"])

    os.kill(state.supervisor, signal.SIGKILL)  # nobody is left to clean up
    eventually("nothing runs", lambda: not processes_below(directory))
    assert of_the_machine() == before
    clean()  # as the next lab does at its start
    assert not groups_of(state.pids["nodes"])

    lab_up(directory, real_nodes=1, monitoring=False)
    state = lab_state(directory)
    assert state is not None
    assert lab_down(directory)
    assert not processes_below(directory)
    assert not groups_of(state.pids["nodes"])
    assert not (directory / "data").exists()
    assert of_the_machine() == before
