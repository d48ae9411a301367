"""Requests to the API server under one identity, with errors that say what the caller can do.

A thin layer over the library's client: kinds are looked up once by discovery, bodies are plain JSON, and no request
is retried here; whoever holds the intent decides whether a repetition is safe.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import aiohttp
from kubernetes.aio import client, config

from interlock.crds.names import FIELD_MANAGER
from interlock.operator.transport import Transport

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


class ApiError(Exception):
    """The API server did not do what was asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """The condition of the write does not hold: look again. Nothing was written."""


class Forbidden(ApiError):
    """The identity may not do this, by RBAC or by policy. Nothing was written."""


class Invalid(ApiError):
    """The API server refuses the content. Nothing was written."""


class Blocked(ApiError):
    """A PodDisruptionBudget keeps the pod for now, and the message says which. Nothing was evicted."""


class Unavailable(ApiError):
    """No answer, or none that tells whether it was done."""


_TEXT = "*/*"
_PATCH_FAILED = "the server rejected our request due to an error in our request"
"""All that the API server says of a JSON patch whose test fails or whose path does not exist; what is refused for its
content names the field."""
_BY_STATUS = {404: NotFound, 409: Conflict, 403: Forbidden, 401: Forbidden, 400: Invalid, 422: Invalid, 405: Invalid}


class Api:
    """The API server as one identity sees it."""

    def __init__(self, configuration: client.Configuration, transport: Transport, *, shared: bool = False) -> None:
        self._configuration = configuration
        self._transport = transport
        self._shared = shared
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    @classmethod
    async def connect(cls, kubeconfig: Path | None, seconds: float) -> "Api":
        """As the kubeconfig's user, or as the pod's own account."""
        configuration = client.Configuration()
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
        return cls(configuration, Transport(configuration, seconds))

    @property
    def connection(self) -> client.Configuration:
        """Server, certificates and credential."""
        return self._configuration

    def with_token(self, token: str) -> "Api":
        """The same API server under another account's token, over connections that all tokens share."""
        other = client.Configuration()
        other.api_key = {"BearerToken": f"Bearer {token}"}
        sibling = Api(other, self._transport.without_identity(), shared=True)
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
        query = {"limit": "500", **({"labelSelector": labels} if labels else {})}
        if fields:
            query["fieldSelector"] = fields
        items: list[Object] = []
        while True:
            page = await self.request("GET", await self.path(api_version, kind, namespace), query=query)
            items += [{"apiVersion": api_version, "kind": kind, **item} for item in page["items"] or ()]
            if not (token := page["metadata"].get("continue")):
                return items
            query["continue"] = token

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
        options: dict[str, Any] = (
            {"dryRun": ["All"]} if dry_run else {}
        )  # with a body, the query would count for nothing
        if uid is not None:
            options |= {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self.request("DELETE", path, body=options or None)
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
        """One request, once.

        Raises:
            ApiError: see its subclasses.
        """
        headers = {"Accept": accept, "Content-Type": content, **await self._authorization()}
        try:
            answer = await self._transport.send(method, path, query or {}, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(0, f"{method} {path}: {type(error).__name__}: {error}") from error
        if answer.status >= 300:
            raise _error(answer.status, answer.body.decode(errors="replace"))
        decoded: Object = {"text": answer.body.decode(errors="replace")} if accept == _TEXT else json.loads(answer.body)
        return decoded

    async def _authorization(self) -> dict[str, str]:
        """The credential as it is now; none where the connection's certificate says who asks."""
        settings = (await self._configuration.auth_settings()).get("BearerToken")
        return {"Authorization": settings["value"]} if settings and settings["value"] else {}


def _query(*, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}


def _error(status: int, body: str) -> ApiError:
    try:
        answer = json.loads(body)
        message = str(answer.get("message") or body)
        causes = (answer.get("details") or {}).get("causes") or ()
    except (ValueError, AttributeError):
        message, causes = body, ()
    if status == 429 and (kept := [str(c.get("message")) for c in causes if c.get("reason") == "DisruptionBudget"]):
        return Blocked(status, "; ".join(kept))
    return _BY_STATUS.get(status, Unavailable if status >= 429 or status == 0 else Invalid)(status, message)
