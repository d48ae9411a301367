"""Requests to the API server under one identity, with errors that say what the caller can do.

A thin layer over the library's client: kinds are looked up once by discovery, bodies are plain JSON, and no request
is retried here; whoever holds the intent decides whether a repetition is safe.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from interlock.crds.names import FIELD_MANAGER
from interlock.operator import metrics
from interlock.operator.errors import ApiError, Conflict, Invalid, NotFound, Unauthenticated, Unavailable, error_of
from interlock.operator.transport import Transport

log = logging.getLogger(__name__)

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


_PAGE = "500"
_JSON = "application/json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TEXT = "*/*"
_PATCH_FAILED = "the server rejected our request due to an error in our request"
"""All that the API server says of a JSON patch whose test fails or whose path does not exist; what is refused for its
content names the field."""
_CREDENTIAL_SECONDS = 60.0
"""How old a credential may get before it is read again: the kubelet replaces a pod's token long before it ends."""

Connect = Callable[[], Awaitable[client.Configuration]]
"""Reads server, certificates and credential as they are now."""


def connecting(kubeconfig: Path | None) -> Connect:
    """Connects as the kubeconfig's user, or as the pod's own account."""

    async def connect() -> client.Configuration:
        configuration = client.Configuration()
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration, try_refresh_token=False)
        else:
            await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
        return configuration

    return connect


Heard = Callable[[str, str, int], None]
"""Hears of each request twice: method, URL path with its query, and 0 as it is sent, then the status of its answer."""


@dataclass(frozen=True)
class _Ask:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] | Sequence[Any] | None
    content: str
    accept: str


class Api:
    """The API server as one identity sees it."""

    def __init__(
        self,
        configuration: client.Configuration,
        transport: Transport,
        *,
        connect: Connect | None = None,
        shared: bool = False,
        heard: Heard | None = None,
    ) -> None:
        self._heard = heard
        self._configuration = configuration
        self._transport = transport
        self._connect = connect
        self._credential_read = time.monotonic()
        self._shared = shared
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    @classmethod
    async def connect(cls, kubeconfig: Path | None, seconds: float) -> "Api":
        """As the kubeconfig's user or the pod's own account, by a credential that is read again as it is replaced."""
        connect = connecting(kubeconfig)
        configuration = await connect()
        return cls(configuration, Transport(configuration, seconds), connect=connect)

    @property
    def connection(self) -> client.Configuration:
        """Server, certificates and credential."""
        return self._configuration

    def with_token(self, token: str, heard: Heard | None = None) -> "Api":
        """The same API server under another account's token, over connections that all tokens share."""
        other = client.Configuration()
        other.api_key = {"BearerToken": f"Bearer {token}"}
        sibling = Api(other, self._transport.without_identity(), shared=True, heard=heard)
        sibling._plurals = self._plurals
        return sibling

    async def close(self) -> None:
        """Closes all connections, those of its tokens as well; a token's own are shared and stay."""
        if not self._shared:
            await self._transport.close()

    async def path(
        self, api_version: str, kind: str, namespace: str | None, name: str = "", subresource: str = ""
    ) -> str:
        """The URL path of an object, or of its collection without a name.

        Raises:
            NotFound: the API server does not serve this kind.
        """
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural, namespaced = await self._plural(base, api_version, kind)
        place = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return base + place + f"/{plural}" + (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")

    async def _plural(self, base: str, api_version: str, kind: str) -> tuple[str, bool]:
        if (api_version, kind) not in self._plurals:
            listing = await self.request("GET", base)
            for resource in listing["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[api_version, resource["kind"]] = (resource["name"], resource["namespaced"])
        try:
            return self._plurals[api_version, kind]
        except KeyError:
            raise NotFound(404, f"the API server does not serve {kind} in {api_version}") from None

    async def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object:
        """One object.

        Raises:
            ApiError: see its subclasses.
        """
        return await self.request("GET", await self.path(api_version, kind, namespace, name))

    async def find(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """One object, or None where there is none."""
        try:
            return await self.get(api_version, kind, namespace, name)
        except NotFound:
            return None

    async def list(
        self, api_version: str, kind: str, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """All objects of a kind that the selectors choose."""
        query = {"labelSelector": labels} if labels else {}
        if fields:
            query["fieldSelector"] = fields
        listed = self._each(await self.path(api_version, kind, namespace), query, _JSON)
        return [{"apiVersion": api_version, "kind": kind, **item} async for item in listed]

    async def metadata(
        self, api_version: str, kind: str, namespace: str | None, *, fields: str = ""
    ) -> AsyncIterator[Object]:
        """All objects of a kind, in the order of their keys, but of each only the metadata; read page by page."""
        query = {"fieldSelector": fields} if fields else {}
        async for item in self._each(await self.path(api_version, kind, namespace), query, _METADATA_ONLY):
            yield item

    async def _each(self, path: str, query: Mapping[str, str], accept: str) -> AsyncIterator[Object]:
        asked = {"limit": _PAGE, **query}
        while True:
            page = await self.request("GET", path, query=asked, accept=accept)
            for item in page["items"] or ():
                yield item
            if not (token := page["metadata"].get("continue")):
                return
            asked["continue"] = token

    async def merge_patch(self, path: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """The object after a merge patch, which is conditional if it names a resourceVersion."""
        query = _query(dry_run=dry_run)
        return await self.request("PATCH", path, query=query, body=patch, content="application/merge-patch+json")

    async def json_patch(self, path: str, operations: Sequence[Any], *, dry_run: bool = False) -> Object:
        """The object after a JSON patch, which is conditional by its tests.

        Raises:
            Conflict: a test failed, or a path does not exist.
            ApiError: see its subclasses.
        """
        query = _query(dry_run=dry_run)
        try:
            return await self.request(
                "PATCH", path, query=query, body=operations, content="application/json-patch+json"
            )
        except Invalid as refused:
            if str(refused) == _PATCH_FAILED:
                raise Conflict(409, f"a condition of the patch on {path} does not hold") from refused
            raise

    async def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """The created object."""
        return await self.request("POST", path, query=_query(dry_run=dry_run), body=body)

    async def delete(self, path: str, *, uid: str | None = None, dry_run: bool = False) -> None:
        """Deletes an object, by its uid with what it owns in the background; one that is gone is no error.

        Raises:
            Conflict: the object has another uid.
            ApiError: see its subclasses.
        """
        options: dict[str, Any] = {"dryRun": ["All"]} if dry_run else {}
        if uid is not None:
            options |= {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        # With a body the query counts for nothing but the audit log, which may keep no bodies.
        query = {"dryRun": "All"} if dry_run else {}
        try:
            await self.request("DELETE", path, query=query, body=options or None)
        except NotFound:
            return

    async def text(self, path: str, query: Mapping[str, str]) -> str:
        """What is served as plain text, such as a log."""
        return str((await self.request("GET", path, query=query, accept=_TEXT))["text"])

    async def request(
        self,
        method: Literal["GET", "POST", "PATCH", "DELETE", "PUT"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """One request, once; a second time only if its credential was refused and there is a new one.

        Raises:
            ApiError: see its subclasses.
        """
        ask = _Ask(method, path, query or {}, body, content, accept)
        if time.monotonic() - self._credential_read > _CREDENTIAL_SECONDS:
            await self._read_credential()
        try:
            return await self._measured(ask)
        except Unauthenticated:
            if not await self._read_credential():
                raise
            return await self._measured(ask)

    async def _read_credential(self) -> bool:
        """Whether the credential is another one now. If it cannot be read, the old one stays in force."""
        if self._connect is None:
            return False
        self._credential_read = time.monotonic()
        try:
            fresh = (await self._connect()).api_key
        except (OSError, config.ConfigException) as error:
            log.warning("the credential cannot be read again: %s", error)
            return False
        if not fresh and self._configuration.api_key:
            log.warning("the credential is empty now; it is just being written, or gone")
            return False
        changed: bool = fresh != self._configuration.api_key
        self._configuration.api_key = fresh
        return changed

    async def _measured(self, ask: _Ask) -> Object:
        verb, resource = metrics.request_kind(ask.method, ask.path)
        began, code = time.monotonic(), 200
        self._tell(ask, 0)
        try:
            return await self._send(ask)
        except ApiError as error:
            code = error.status
            raise
        finally:
            metrics.REQUESTS.labels(verb, resource, str(code)).inc()
            metrics.REQUEST_SECONDS.labels(verb, resource).observe(time.monotonic() - began)
            self._tell(ask, code)

    def _tell(self, ask: _Ask, code: int) -> None:
        if self._heard is not None:
            self._heard(ask.method, ask.path + (f"?{urlencode(ask.query)}" if ask.query else ""), code)

    async def _send(self, ask: _Ask) -> Object:
        headers = {"Accept": ask.accept, "Content-Type": ask.content, **await self._authorization()}
        try:
            answer = await self._transport.send(ask.method, ask.path, ask.query, headers, ask.body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(0, f"{ask.method} {ask.path}: {type(error).__name__}: {error}") from error
        if answer.status >= 300:
            raise error_of(answer.status, answer.body.decode(errors="replace"), answer.headers)
        if ask.accept == _TEXT:
            return {"text": answer.body.decode(errors="replace")}
        decoded: Object = json.loads(answer.body)
        return decoded

    async def _authorization(self) -> dict[str, str]:
        """The credential as it is now; none where the connection's certificate says who asks."""
        settings = (await self._configuration.auth_settings()).get("BearerToken")
        return {"Authorization": settings["value"]} if settings and settings["value"] else {}


def _query(*, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
