"""HTTP to the API server: connections that stay open, one pool for the operator and one that all its runners share.

The library's own client looks up ~/.netrc and the environment's proxies in a thread before each request, which costs
more than the request, and opens connections for each token. Credentials and proxies come from the configuration only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.rest import RESTClientObject
from yarl import URL

CONNECTIONS = 100


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Connections to one API server under one TLS identity; who asks is said by each request's headers."""

    def __init__(self, configuration: client.Configuration, seconds: float) -> None:
        self._configuration = configuration
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._session: aiohttp.ClientSession | None = None
        self._without_identity: Transport | None = None

    def without_identity(self) -> "Transport":
        """Connections to the same server without a client certificate: a token alone says who asks."""
        if self._without_identity is None:
            self._without_identity = Transport(_without_credentials(self._configuration), self._timeout.total or 0)
        return self._without_identity

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Mapping[str, Any] | Sequence[Any] | None,
    ) -> Answer:
        """One request, once, and its whole answer.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: there was no answer, or none that is complete.
        """
        if self._session is None:
            self._session = _open(self._configuration, self._timeout)
        address = self._configuration.host + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        proxy, name = self._configuration.proxy, self._configuration.tls_server_name
        async with self._session.request(
            method, URL(address, encoded=True), headers=headers, data=data, proxy=proxy, server_hostname=name
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def close(self) -> None:
        """Closes all connections, those without an identity as well."""
        if self._without_identity is not None:
            await self._without_identity.close()
        if self._session is not None:
            await self._session.close()
            self._session = None


def _open(configuration: client.Configuration, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    tls = RESTClientObject(configuration).ssl_context
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
    )


def _without_credentials(configuration: client.Configuration) -> client.Configuration:
    other = client.Configuration()
    for name in ("host", "ssl_ca_cert", "ca_cert_data", "verify_ssl", "tls_server_name", "proxy"):
        setattr(other, name, getattr(configuration, name))
    return other
