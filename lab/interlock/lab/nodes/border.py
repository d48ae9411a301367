"""What stands at the inner side of the border: the ways out and in, the registry, and a DNS that knows no name.

Run as `python -m interlock.lab.nodes.border DIRECTORY`.
"""

import asyncio
import sys
import threading
from pathlib import Path
from typing import Final

from interlock.lab.kubelet.images import ImageTable
from interlock.lab.layout import Layout
from interlock.lab.nodes.archives import Archives
from interlock.lab.nodes.place import REGISTRY_PORT, SERVICE_ADDRESS, SERVICE_PORT, Place
from interlock.lab.nodes.registry import Shelf, serve
from interlock.lab.nodes.tunnel import connect_proxy, from_port_to_socket
from interlock.lab.state import Plan

_DNS_PORT: Final = 53
_NO_SUCH_NAME: Final = b"\x81\x83"  # flags of an answer with RCODE 3 (RFC 1035, 4.1.1)


class NoSuchName(asyncio.DatagramProtocol):
    """Answers every question of DNS at once with "no such name": nothing outside can be reached anyhow."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps what answers are sent with."""
        if isinstance(transport, asyncio.DatagramTransport):
            self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """The question comes back, without what was asked for beside it."""
        question_end = data.index(b"\0", 12) + 5
        self._transport.sendto(data[:2] + _NO_SUCH_NAME + data[4:6] + bytes(6) + data[12:question_end], addr)


async def stand(place: Place, server_port: int) -> None:
    """Opens the ways; returns never."""
    await asyncio.get_running_loop().create_datagram_endpoint(NoSuchName, local_addr=("0.0.0.0", _DNS_PORT))  # noqa: S104
    servers = (
        await connect_proxy(place.to_nodes),
        await from_port_to_socket("127.0.0.1", server_port, place.to_server),
        await from_port_to_socket(SERVICE_ADDRESS, SERVICE_PORT, place.to_server),
    )
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Runs until it is killed."""
    layout = Layout(Path(sys.argv[1]))
    description = Plan.model_validate_json(layout.plan.read_text()).description
    program = (description.node_tools_there.app / "program").read_bytes()
    shelf = Shelf(ImageTable.load(layout.directory / "images.yaml"), program, Archives(layout.archives))
    threading.Thread(target=serve(shelf, REGISTRY_PORT).serve_forever, daemon=True).start()
    asyncio.run(stand(Place(layout.directory), description.ports.apiserver))


if __name__ == "__main__":
    main()
