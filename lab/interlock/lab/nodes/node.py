"""One node, in mounts of its own: its folders, its container runtime, its kubelet.

Run as `python -m interlock.lab.nodes.node DIRECTORY GROUP NUMBER`. When runtime or kubelet ends, it ends.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from interlock.lab.errors import LabDiedError
from interlock.lab.layout import Layout
from interlock.lab.nodes.configuration import KUBELET_FOLDER, Node, write_configuration
from interlock.lab.nodes.place import HIDDEN, node_names
from interlock.lab.state import Plan

_RUNTIME_SECONDS: Final = 30.0
# The kubelet sets these for the whole machine, unless it finds them set already.
_KERNEL_SETTINGS: Final = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def main() -> None:
    """Starts runtime and kubelet and waits for the first end."""
    layout, group, number = Layout(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    tools = Plan.model_validate_json(layout.plan.read_text()).description.node_tools_there
    name = node_names(number)[-1]
    node = Node(layout, name, number, f"{group}/{name}", tools)
    hide_machine(node)
    write_configuration(node)
    runtime = _start(
        layout.log(f"containerd-{name}"),
        [str(tools.containerd / "containerd"), f"--config={node.runtime_config}"],
        node.path,
    )
    _wait_for(node.runtime_socket)
    kubelet = _start(layout.log(f"kubelet-{name}"), node.kubelet_command, node.path)
    while (ended := os.wait()[0]) not in (runtime, kubelet):
        pass
    log = layout.log(f"{'kubelet' if ended == kubelet else 'containerd'}-{name}")
    sys.exit(f"a program of {name} ended: read {log}")


def hide_machine(node: Node) -> None:
    """Takes the machine's own folders, names and settings of the kernel out of the node's sight."""
    node.folder.mkdir(parents=True, exist_ok=True)
    node.resolver.write_text("nameserver 127.0.0.1\n")
    _mount("--bind", str(node.resolver), os.path.realpath("/etc/resolv.conf"))
    for folder in HIDDEN:
        _mount("-t", "tmpfs", "-o", "mode=755", "none", folder)
    node.kubelet_folder.mkdir(exist_ok=True)
    KUBELET_FOLDER.mkdir()
    _mount("--bind", str(node.kubelet_folder), str(KUBELET_FOLDER))
    for number, (name, value) in enumerate(_KERNEL_SETTINGS.items()):
        setting = node.folder / f"setting-{number}"
        setting.write_text(f"{value}\n")
        _mount("--bind", str(setting), f"/proc/sys/{name}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", "-n", *arguments], check=True)


def _start(log: Path, command: Sequence[str], path: str) -> int:
    environment: Mapping[str, str] = {**os.environ, "PATH": path}
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment).pid


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + _RUNTIME_SECONDS
    with socket.socket(socket.AF_UNIX) as probe:
        while probe.connect_ex(str(path)):
            if time.monotonic() > deadline:
                raise LabDiedError(f"containerd does not answer at {path} after {_RUNTIME_SECONDS:.0f} s")
            time.sleep(0.05)


if __name__ == "__main__":
    main()
