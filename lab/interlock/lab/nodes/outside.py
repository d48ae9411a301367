"""The process that real nodes live in, as the machine sees it: with it, everything inside ends.

Run as `python -m interlock.lab.nodes.outside DIRECTORY` by the supervisor; `--clean` afterwards, when it is dead.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from interlock.lab.errors import LabError
from interlock.lab.layout import Layout
from interlock.lab.nodes import cgroups
from interlock.lab.nodes.place import Place, node_names
from interlock.lab.nodes.possible import NAMESPACES
from interlock.lab.nodes.tunnel import from_socket_to_port
from interlock.lab.state import Description, Plan
from interlock.lab.supervisor import die_with_parent

_EMPTY_SECONDS: Final = 10.0


def main() -> None:
    """Reads the command line that the lab's plan writes."""
    if "--clean" in sys.argv:
        clean()
    else:
        layout = Layout(Path(sys.argv[1]))
        run(layout, Plan.model_validate_json(layout.plan.read_text()).description)


def run(layout: Layout, description: Description) -> None:
    """Returns when the inside has ended, which it does not by itself; raises LabError then."""
    cgroups.remove_left()  # of a lab that was killed whole
    group = cgroups.group_of(os.getpid())
    cgroups.make_groups(group, node_names(description.real_nodes))
    place = Place(layout.directory)
    for socket in (place.to_server, place.to_nodes):
        socket.unlink(missing_ok=True)
    inside = [sys.executable, "-P", "-m", "interlock.lab.nodes.inside", str(layout.directory), group]
    with subprocess.Popen(["unshare", *NAMESPACES, *inside], preexec_fn=die_with_parent) as namespaces:  # noqa: PLW1509  (one thread)
        asyncio.run(_serve(place, description.ports.apiserver, namespaces))
    raise LabError(f"the first process of the nodes' namespaces ended with status {namespaces.returncode}")


async def _serve(place: Place, port: int, namespaces: "subprocess.Popen[bytes]") -> None:
    async with await from_socket_to_port(place.to_server, port):
        await asyncio.to_thread(namespaces.wait)


def clean() -> None:
    """Removes the control groups of nodes that are gone, as soon as the kernel has emptied them."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    while not cgroups.remove_left() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
