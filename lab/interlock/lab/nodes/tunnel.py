"""Ways through the border of the namespaces, over sockets in the lab's folder: no device on the machine's own network.

Kubelets and pods reach the API server, and the API server reaches kubelets and pods the way it reaches nodes behind a
proxy: by HTTP CONNECT (its `cluster` egress).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

_CHUNK = 65536
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSED = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Streams]]

# Of what waits on a connection whose other half has ended, the event loop keeps weak references only.
_kept: set[asyncio.Task[None] | None] = set()


async def from_socket_to_port(socket: Path, port: int) -> asyncio.Server:
    """Passes connections to a socket on to a port of this side."""
    return await asyncio.start_unix_server(_forwarding(lambda: asyncio.open_connection("127.0.0.1", port)), socket)


async def from_port_to_socket(host: str, port: int, socket: Path) -> asyncio.Server:
    """Passes connections to a port of this side on to a socket."""
    return await asyncio.start_server(_forwarding(lambda: asyncio.open_unix_connection(socket)), host, port)


async def connect_proxy(socket: Path) -> asyncio.Server:
    """Passes connections to a socket on to whichever address of this side they ask for by HTTP CONNECT."""
    return await asyncio.start_unix_server(_proxied, socket)


def _forwarding(dial: Dial) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            await _join((reader, writer), await dial())

    return accepted


async def _proxied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
        request = await reader.readuntil(b"\r\n\r\n")
        host, _, port = request.split()[1].decode().rpartition(":")
        try:
            far = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            writer.write(_REFUSED)
            await writer.drain()
            return
        writer.write(_ESTABLISHED)
        await _join((reader, writer), far)


async def _join(near: Streams, far: Streams) -> None:
    task = asyncio.current_task()
    _kept.add(task)
    try:
        with contextlib.closing(far[1]):
            await asyncio.gather(_copy(near[0], far[1]), _copy(far[0], near[1]))
    finally:
        _kept.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()
