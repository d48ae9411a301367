"""The API server as the caller's own kubeconfig sees it: plain JSON in and out, refusals in the server's own words.

No identity but the caller's is ever used, and nothing is retried: what a person decided is sent once.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from interlock.cli.errors import Refused, UsageError
from interlock.crds.types import API_VERSION

Object = dict[str, Any]
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
TIMEOUT_SECONDS = 20
FIELD_MANAGER = "interlock-cli"

JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
_WAYS_OUT = {
    0: "Is the cluster up, and the context right? See `kubectl config get-contexts`.",
    401: "Your credentials are not accepted: renew them, or name another --context.",
}


@dataclass
class Cluster:
    """One API server under one identity."""

    api: client.ApiClient
    namespace: str
    _kinds: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)

    def request(
        self,
        method: Method,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Object:
        """The decoded answer to one request.

        Raises:
            Refused: the API server says no, or does not answer; the message is its own.
        """
        answer: Object = json.loads(self._send(method, path, body, query or {}, content, "application/json") or b"{}")
        return answer

    def text(self, path: str, query: Mapping[str, str]) -> str:
        """An answer that is no JSON, such as a log; raises Refused."""
        return self._send("GET", path, None, query, "application/json", "*/*").decode("utf-8", errors="replace")

    def _send(  # noqa: PLR0917 - one call site each
        self, method: Method, path: str, body: object, query: Mapping[str, str], content: str, accept: str
    ) -> bytes:
        serialized = self.api.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": accept, "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self.api.call_api(*serialized, _request_timeout=TIMEOUT_SECONDS)
            raw: bytes = response.read() or b""
        except ApiException as error:
            raise _refused(error.status or 0, str(error.body or error.reason)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Refused(0, f"no answer from {self.api.configuration.host}: {error}", _WAYS_OUT[0]) from error
        if response.status >= 300:
            raise _refused(response.status, raw.decode(errors="replace"))
        return raw

    def get(self, path: str) -> Object:
        """One object; raises Refused."""
        return self.request("GET", path)

    def find(self, path: str) -> Object | None:
        """One object, or None where there is none; raises Refused for any other reason."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Object]:
        """All objects of a collection, page by page; raises Refused."""
        found: list[Object] = []
        asked = {"limit": "500", **query}
        while True:
            page = self.request("GET", path, query=asked)
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return found
            asked["continue"] = token

    def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """The created object; raises Refused."""
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        return self.request("POST", path, body, query=query)

    def json_patch(self, path: str, operations: Sequence[Mapping[str, Any]]) -> Object:
        """The object after an RFC 6902 patch; raises Refused."""
        return self.request("PATCH", path, operations, content=JSON_PATCH, query={"fieldManager": FIELD_MANAGER})

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """The object after a server-side apply; raises Refused."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        return self.request("PATCH", self.path_of(manifest), manifest, content=APPLY, query=query)

    def path_of(self, manifest: Mapping[str, Any]) -> str:
        """Where the object of a manifest is served; raises Refused if its kind is not."""
        version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in self._kinds.get(version, {}):
            served = self.get(base)["resources"]
            self._kinds[version] = {r["kind"]: (r["name"], r["namespaced"]) for r in served if "/" not in r["name"]}
        if kind not in self._kinds[version]:
            raise Refused(404, f"the API server does not serve {kind} in {version}")
        plural, namespaced = self._kinds[version][kind]
        meta = manifest["metadata"]
        place = f"/namespaces/{meta.get('namespace') or self.namespace}" if namespaced else ""
        return f"{base}{place}/{plural}/{quote(meta['name'], safe='')}"

    def whoami(self) -> str:
        """The user name that the API server knows the caller by; raises Refused."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
        return str(answer["status"]["userInfo"]["username"])

    def close(self) -> None:
        """Closes connections."""
        self.api.rest_client.pool_manager.clear()


def connect(context: str = "", kubeconfig: str = "", namespace: str = "") -> Cluster:
    """The cluster of a kubeconfig's context.

    Raises:
        UsageError: there is no such file or context.
    """
    try:
        configuration = client.Configuration()
        config.load_kube_config(
            config_file=kubeconfig or None,
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        _, current = config.list_kube_config_contexts(config_file=kubeconfig or None)
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        where = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config"))
        way_out = "Name another one with --kubeconfig and --context; `interlock lab up` makes a cluster to try it on."
        raise UsageError(f"kubeconfig {where}: {error}", way_out) from error
    chosen = _context(context, kubeconfig) if context else current
    configuration.retries = False
    return Cluster(client.ApiClient(configuration), namespace or chosen["context"].get("namespace") or "default")


def _context(name: str, kubeconfig: str) -> dict[str, Any]:
    contexts, _ = config.list_kube_config_contexts(config_file=kubeconfig or None)
    found: dict[str, Any] = next(item for item in contexts if item["name"] == name)
    return found


def executions_path(namespace: str = "", name: str = "") -> str:
    """The path of executions: of all namespaces, of one, or one of them."""
    place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"/apis/{API_VERSION}{place}/runbookexecutions" + (f"/{quote(name, safe='')}" if name else "")


def runbooks_path(name: str = "") -> str:
    """The path of runbooks, or of one."""
    return f"/apis/{API_VERSION}/runbooks" + (f"/{quote(name, safe='')}" if name else "")


def _refused(status: int, body: str) -> Refused:
    try:
        message = str(json.loads(body).get("message") or body)
    except (ValueError, AttributeError):
        message = body
    return Refused(status, f"the API server answers: {message.strip()}", _WAYS_OUT.get(status, ""))
