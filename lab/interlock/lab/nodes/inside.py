"""The first process in the namespaces of real nodes: a network of their own, what stands at its border, the nodes.

Run as `python -m interlock.lab.nodes.inside DIRECTORY GROUP`. When one of its children ends, it ends, and all with it.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from interlock.lab.layout import Layout
from interlock.lab.nodes.place import SERVICE_ADDRESS, address
from interlock.lab.state import Plan


def main() -> None:
    """Starts everything and waits for the first end."""
    directory, group = sys.argv[1:]
    nodes = Plan.model_validate_json(Layout(Path(directory)).plan.read_text()).description.real_nodes
    make_network(nodes)
    children = {_start(_module("border", directory)): "what stands at the border"}
    for number in range(1, nodes + 1):
        # Programs write to fixed places, so that each node needs mounts of its own.
        children[_start(["unshare", "--mount", *_module("node", directory, group, str(number))])] = f"node {number}"
    while (ended := os.wait()[0]) not in children:  # containers whose parents ended are ours, too
        pass
    sys.exit(f"{children[ended]} ended")


def make_network(nodes: int) -> None:
    """Addresses of the nodes and of the API server's Service, all on the loopback device: nothing leaves."""
    _ip("link", "set", "lo", "up")
    for host in (SERVICE_ADDRESS, *(address(number) for number in range(1, nodes + 1))):
        _ip("addr", "add", f"{host}/32", "dev", "lo")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")  # of this namespace alone


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", f"interlock.lab.nodes.{name}", *arguments]


def _start(command: Sequence[str]) -> int:
    return subprocess.Popen(command).pid


if __name__ == "__main__":
    main()
