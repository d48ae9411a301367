"""Senders of alerts as a process of their own, so that the receiver's figures are the receiver's alone.

`python -m bench.senders PORT TOKEN PATH SENDERS SECONDS`: reads one delivery a line, sends them one after another from
each sender, and prints how many a second were taken.
"""

import asyncio
import sys
import time
from collections.abc import Iterator


async def main(port: int, token: str, path: str, senders: int, seconds: float) -> None:
    """Sends until the time is over or nothing is left."""
    bodies = iter(sys.stdin.buffer.read().splitlines())
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Length: "
    begun = time.perf_counter()
    counts = await asyncio.gather(*(_send(port, head.encode(), bodies, begun + seconds) for _ in range(senders)))
    print(sum(counts) / (time.perf_counter() - begun))


async def _send(port: int, head: bytes, bodies: Iterator[bytes], until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = 0
    for body in bodies:
        writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        taken += 1
        if time.perf_counter() > until:
            break
    writer.close()
    return taken


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))
