"""Kopf watches; nothing else in the operator knows it.

It runs in a thread and an event loop of its own, so that neither can block the other, and only says which execution
may have changed. Finished executions are kept out by field selectors; one that finishes arrives as deleted with its
old content, so what an event carries is never believed, only its key.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import kopf
from kubernetes.aio import client

from interlock.crds.execution import TERMINAL
from interlock.crds.types import GROUP, VERSION

PLURAL = "runbookexecutions"
UNFINISHED = ",".join(f"status.phase!={phase}" for phase in sorted(TERMINAL))


class Watch:
    """Calls back with `namespace/name` whenever an unfinished execution may have changed."""

    def __init__(self, connection: client.Configuration, changed: Callable[[str], None]) -> None:
        self._connection = connection
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def start(self) -> None:
        """Starts watching."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the watch runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends watching; returns when it has ended."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(),
                    settings=_settings(),
                    clusterwide=True,
                    standalone=True,
                    stop_flag=self._stop,
                )
            )
        except Exception as error:  # noqa: BLE001 - whatever ends the thread is told to the supervisor
            self.error = error
        finally:
            self.ended.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(self._event)
        return registry

    def _login(self, **_: Any) -> kopf.ConnectionInfo:
        key = self._connection.api_key.get("BearerToken") or self._connection.api_key.get("authorization") or ""
        return kopf.ConnectionInfo(
            server=self._connection.host,
            ca_path=self._connection.ssl_ca_cert,
            token=key.removeprefix("Bearer ") or None,
            certificate_path=self._connection.cert_file,
            private_key_path=self._connection.key_file,
        )

    def _event(self, *, namespace: str | None, name: str, **_: Any) -> None:
        self._changed(f"{namespace}/{name}")


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    settings.watching.field_selectors[GROUP, PLURAL] = UNFINISHED
    logging.getLogger("kopf").setLevel(logging.WARNING)
    return settings
