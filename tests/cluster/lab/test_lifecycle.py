"""A lab lives as long as it should: side by side with others, and no process longer than its owner."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from interlock.lab import Lab, LabError, lab_down, lab_up
from interlock.lab.api import Api
from interlock.lab.faults import FAULTS, inject, repair
from interlock.lab.kubectl import administrator
from interlock.lab.lab import lab_state
from interlock.lab.ports import Ports
from interlock.lab.settings import LabSettings
from interlock.lab.state import State
from interlock.lab.tools import VERSIONS


@pytest.fixture
def own_lab(tmp_path: Path, lab: Lab) -> Iterator[Lab]:
    """A lab of this test's own, beside the shared one."""
    own = lab_up(tmp_path / "lab", nodes=1, monitoring=False)
    yield own
    own.stop()


def processes(state: State) -> list[int]:
    return [pid for pid in (state.supervisor, *state.pids.values()) if _runs(pid)]


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def known(directory: Path) -> State:
    state = lab_state(directory)
    assert state is not None
    return state


def test_up_on_a_live_lab_changes_nothing_and_down_leaves_nothing(own_lab: Lab, lab: Lab) -> None:
    assert own_lab.server != lab.server
    before = known(own_lab.directory)
    assert lab_up(own_lab.directory, monitoring=False) == own_lab
    assert known(own_lab.directory) == before
    assert lab_down(own_lab.directory)
    eventually("nothing runs", lambda: not processes(before), seconds=30)
    assert Lab.load(own_lab.directory) is None
    assert not lab_down(own_lab.directory)
    assert known(own_lab.directory).phase == "stopped"


def test_a_lab_is_of_the_kubernetes_that_was_asked_for(lab: Lab) -> None:
    api, asked = Api(lab.kubeconfig), VERSIONS[LabSettings().interlock_lab_kubernetes]
    assert api.request("GET", "/version")["gitVersion"] == asked
    (node, *_) = api.request("GET", "/api/v1/nodes")["items"]
    assert node["status"]["nodeInfo"]["kubeletVersion"] == asked
    said = administrator(lab).run("version", "--client", "--output=json")
    assert json.loads(said)["clientVersion"]["gitVersion"] == asked


def test_a_dead_component_takes_the_lab_down_and_says_why(own_lab: Lab) -> None:
    state = known(own_lab.directory)
    os.kill(state.pids["kube-scheduler"], signal.SIGKILL)
    eventually("the lab is down", lambda: Lab.load(own_lab.directory) is None)
    eventually("nothing runs", lambda: not processes(state))
    message = known(own_lab.directory).message
    assert message.startswith("kube-scheduler ended (signal SIGKILL); the end of its log:\n  ")


def test_a_component_restarts_and_what_it_kept_is_there(own_lab: Lab) -> None:
    before, api = known(own_lab.directory), Api(own_lab.kubeconfig)
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "kept"}})
    own_lab.restart("kube-apiserver")
    assert known(own_lab.directory).pids["kube-apiserver"] != before.pids["kube-apiserver"]
    assert api.request("GET", "/api/v1/namespaces/kept")["metadata"]["name"] == "kept"
    assert Lab.load(own_lab.directory) == own_lab


def test_nothing_survives_the_supervisor(own_lab: Lab) -> None:
    state = known(own_lab.directory)
    os.kill(state.supervisor, signal.SIGKILL)
    eventually("nothing runs", lambda: not processes(state))
    assert known(own_lab.directory).phase == "failed"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_owned_lab_dies_with_its_owner(tmp_path: Path, lab: Lab, how: signal.Signals) -> None:
    script = (
        "import signal, sys, time, pathlib; from interlock.lab import lab_up;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"  # ignored in what a shell starts in the background
        "lab_up(pathlib.Path(sys.argv[1]), nodes=1, monitoring=False); print('up', flush=True); time.sleep(600)"
    )
    directory = tmp_path / "lab"
    command = [sys.executable, "-P", "-c", script, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        state = known(directory)
        assert processes(state)
        owner.send_signal(how)
    eventually("nothing runs", lambda: not processes(state))


def test_a_component_that_cannot_start_is_named(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in lab.description.tools.iterdir():
        (tools / tool.name).symlink_to(tool)
    (tools / "kwok").unlink()
    (tools / "kwok").write_text("#!/bin/sh\necho no such luck\nexit 7\n")
    (tools / "kwok").chmod(0o755)
    monkeypatch.setattr("interlock.lab.lab.ensure_tools", lambda *_: tools)
    with pytest.raises(LabError, match=r"kwok ended \(status 7\); the end of its log:\n  no such luck"):
        lab_up(tmp_path / "lab", nodes=1, monitoring=False)
    state = known(tmp_path / "lab")
    eventually("nothing runs", lambda: not processes(state))


def test_a_lab_that_loses_a_port_takes_others(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        others = Ports.free()
        lost = others.model_copy(update={"controller_manager": somebody.getsockname()[1]})
        monkeypatch.setattr("interlock.lab.ports.Ports.free", iter((lost, others)).__next__)
        own = lab_up(tmp_path / "lab", nodes=1, monitoring=False)
    try:
        assert own.description.ports == others
        assert Api(own.kubeconfig).request("GET", "/version")
    finally:
        own.stop()


def test_a_node_goes_down_and_comes_back(own_lab: Lab) -> None:
    kubectl = administrator(own_lab)
    inject(own_lab, FAULTS["node-down"])
    kubectl.run("wait", "node/node-1", "--for=condition=Ready=Unknown", "--timeout=60s")
    repair(own_lab, FAULTS["node-down"])
    kubectl.run("wait", "node/node-1", "--for=condition=Ready", "--timeout=60s")
