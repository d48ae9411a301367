"""TCP ports of this machine that a lab, and whoever is tried on it, may listen on.

Nobody can hold a port before the process that is to listen on it starts. So those that the kernel gives to clients are
left out, where it leaves any, and who starts a process looks whether it lost its port after all.
"""

import random
import socket
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

CANDIDATES: Final = range(10_000, 32_000)
CLIENTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOST: Final = "address already in use"
"""What every component prints, whatever else, when somebody else listens on its port."""
_RANDOM = random.SystemRandom()


class Ports(BaseModel):
    """The TCP ports of one lab, all on 127.0.0.1."""

    model_config = ConfigDict(frozen=True)

    apiserver: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kubelet: int
    kwok: int
    state_metrics: int
    state_metrics_self: int
    prometheus: int
    alertmanager: int

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody has at this moment, all different."""
        taken: dict[str, int] = {}
        for name in cls.model_fields:
            taken[name] = next(port for port in iter(free_port, 0) if port not in taken.values())
        return cls(**taken)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at this moment."""
    candidates = beside(clients())
    return next(port for port in iter(lambda: _RANDOM.choice(candidates), 0) if _is_free(port))


def clients() -> range:
    """The ports that the kernel gives to who connects to somewhere; empty where it does not say."""
    try:
        first, last = map(int, CLIENTS.read_text().split())
    except (OSError, ValueError):
        return range(0)
    return range(first, last + 1)


def beside(given: range) -> list[int]:
    """The candidates that are not among the given ones; all of them where nothing else is left."""
    return [port for port in CANDIDATES if port not in given] or list(CANDIDATES)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
