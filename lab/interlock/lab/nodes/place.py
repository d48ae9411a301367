"""Where real nodes are: the files that both sides of their namespaces know, and their addresses inside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

HIDDEN: Final = ("/run", "/var/log", "/var/lib")
"""Each node has an empty folder of its own here, as programs write to fixed places below them."""
SERVICE_ADDRESS: Final = "10.96.0.1"
"""Where pods find the API server: the address of the Service `kubernetes`, and its port."""
SERVICE_PORT: Final = 443
REGISTRY_PORT: Final = 5000
KUBELET_PORT: Final = 10250
_SOCKET_LIMIT: Final = 107  # sun_path of unix(7), without its end


@dataclass(frozen=True)
class Place:
    """The files of the real nodes of the lab in one folder."""

    directory: Path

    @property
    def to_server(self) -> Path:
        """Socket on which the outside passes connections on to the API server."""
        return self.directory / "data" / "to-server.sock"

    @property
    def to_nodes(self) -> Path:
        """Socket on which the inside passes the API server's connections on, by HTTP CONNECT."""
        return self.directory / "data" / "to-nodes.sock"

    def demand_short(self) -> None:
        """Raises ValueError where the folder's path is too long for sockets in it."""
        if len(str(self.to_server)) > _SOCKET_LIMIT:
            raise ValueError(f"{self.directory} is too long a path for sockets in it: choose a shorter one")


def node_names(count: int) -> list[str]:
    """The names of so many nodes."""
    return [f"node-{number}" for number in range(1, count + 1)]


def address(number: int) -> str:
    """The address of a node inside the namespaces, counted from 1."""
    return f"172.31.77.{number + 1}"
