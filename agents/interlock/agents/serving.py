"""HTTP servers on the agents' own loop: over TLS where there is a certificate, and with one demanded of clients."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from interlock.agents.settings import AgentSettings

LOOK_SECONDS = 30.0


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, saying when it listens."""

    def __init__(self, app: Starlette, settings: AgentSettings, port: int, ready: asyncio.Event, *, tls: bool) -> None:
        certificate = str(settings.tls_cert_file) if tls and settings.tls_cert_file else None
        authorities = str(settings.tls_client_ca_file) if certificate and settings.tls_client_ca_file else None
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=5,
                server_header=False,
                ssl_certfile=certificate,
                ssl_keyfile=str(settings.tls_key_file) if certificate and settings.tls_key_file else None,
                ssl_ca_certs=authorities,
                ssl_cert_reqs=ssl.CERT_REQUIRED if authorities else ssl.CERT_NONE,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Begins to listen."""
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        if self.started:
            self._ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield


async def renew(server: uvicorn.Server, certificate: Path, key: Path, every: float = LOOK_SECONDS) -> None:
    """Loads the certificate again when its file changes, for connections that come then; never returns."""
    seen = _version(certificate)
    while True:
        await asyncio.sleep(every)
        now = _version(certificate)
        context = server.config.ssl
        if now != seen and context is not None:
            with suppress(ssl.SSLError, OSError):  # certificate and key do not change at the same moment
                context.load_cert_chain(certificate, key)
                seen = now


def _version(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
