"""Finished executions by the hundred thousand, put where the API server keeps them: by itself it would take hours."""

import base64
import json
import ssl
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import aiohttp
from tests.support.identity import Json

from interlock.lab import Lab
from interlock.lab.layout import Layout

KEYS = "/registry/interlock.dev/runbookexecutions"
IN_ONE_TRANSACTION = 100


@dataclass(frozen=True)
class Etcd:
    """The lab's database, by its JSON gateway."""

    url: str
    tls: ssl.SSLContext

    @classmethod
    def of(cls, lab: Lab) -> "Etcd":
        """With the credentials of the lab's API server."""
        pki = Layout(lab.directory).pki
        tls = ssl.create_default_context(cafile=f"{pki('internal-ca')}.crt")
        tls.load_cert_chain(f"{pki('apiserver-client')}.crt", f"{pki('apiserver-client')}.key")
        return cls(f"https://127.0.0.1:{lab.description.ports.etcd}", tls)

    async def copy(self, namespace: str, template: str, names: Iterable[str]) -> None:
        """Stores an execution again under other names, each with a uid of its own."""
        remaining = iter(names)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls)) as session:
            [found] = (await self._call(session, "range", {"key": _key(namespace, template)}))["kvs"]
            stored = json.loads(base64.b64decode(found["value"]))
            while some := list(islice(remaining, IN_ONE_TRANSACTION)):
                await self._call(session, "txn", {"success": list(_puts(stored, namespace, some))})

    async def _call(self, session: aiohttp.ClientSession, what: str, body: Json) -> Json:
        async with session.post(f"{self.url}/v3/kv/{what}", json=body) as answer:
            answer.raise_for_status()
            decoded: Json = await answer.json()
            return decoded


def _puts(stored: Json, namespace: str, names: Iterable[str]) -> Iterator[Json]:
    for name in names:
        copy = {**stored, "metadata": {**stored["metadata"], "name": name, "uid": str(uuid.uuid4())}}
        yield {"requestPut": {"key": _key(namespace, name), "value": _encoded(json.dumps(copy))}}


def _key(namespace: str, name: str) -> str:
    return _encoded(f"{KEYS}/{namespace}/{name}")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
