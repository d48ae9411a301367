"""The API server as the agents see it: read anything that they are granted, create one kind of object.

Plain JSON over the asyncio client: agents read many kinds and keep only parts of them, so typed models of the whole
API would be built only to be taken apart. Every answer is bounded in time and bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config

from interlock.agents.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ClusterUnavailableError,
    RefusedError,
)

Json = dict[str, Any]

LARGEST_ANSWER = 16 * 1024 * 1024
LIST_LIMIT = 500

# Kind: path below the API server's root, plural.
KINDS: Mapping[str, tuple[str, str]] = {
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "Service": ("/api/v1", "services"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "LimitRange": ("/api/v1", "limitranges"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "Endpoints": ("/api/v1", "endpoints"),
    "PersistentVolume": ("/api/v1", "persistentvolumes"),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Ingress": ("/apis/networking.k8s.io/v1", "ingresses"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "IngressClass": ("/apis/networking.k8s.io/v1", "ingressclasses"),
    "ValidatingWebhookConfiguration": ("/apis/admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"),
    "MutatingWebhookConfiguration": ("/apis/admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations"),
    "APIService": ("/apis/apiregistration.k8s.io/v1", "apiservices"),
    "Runbook": ("/apis/interlock.dev/v1alpha1", "runbooks"),
    "RunbookExecution": ("/apis/interlock.dev/v1alpha1", "runbookexecutions"),
}
CLUSTER_SCOPED = frozenset(
    {
        "Namespace",
        "Node",
        "PersistentVolume",
        "StorageClass",
        "IngressClass",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "APIService",
        "Runbook",
    }
)

# Kinds that other projects bring and analyzers read, by the group that serves them where it is installed.
ADDED: Mapping[str, tuple[str, str]] = {
    "VirtualService": ("/apis/networking.istio.io/v1", "virtualservices"),
    "NetworkChaos": ("/apis/chaos-mesh.org/v1alpha1", "networkchaos"),
    "HTTPChaos": ("/apis/chaos-mesh.org/v1alpha1", "httpchaos"),
    "Certificate": ("/apis/cert-manager.io/v1", "certificates"),
    "Issuer": ("/apis/cert-manager.io/v1", "issuers"),
    "GitRepository": ("/apis/source.toolkit.fluxcd.io/v1", "gitrepositories"),
    "Kustomization": ("/apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "HelmRelease": ("/apis/helm.toolkit.fluxcd.io/v2", "helmreleases"),
    "Application": ("/apis/argoproj.io/v1alpha1", "applications"),
    "VerticalPodAutoscaler": ("/apis/autoscaling.k8s.io/v1", "verticalpodautoscalers"),
}


def api_version(kind: str) -> str:
    """`apps/v1` for a Deployment."""
    return KINDS[kind][0].removeprefix("/api/").removeprefix("/apis/")


class Reader(Protocol):
    """What evidence is collected through."""

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        """The object, None when there is none."""

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        """The objects, at most LIST_LIMIT."""

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        """The end of a container's log, None when there is none."""

    async def served(self) -> frozenset[str]:
        """The API groups with their versions that are served, such as `cert-manager.io/v1`."""


class Server(Reader, Protocol):
    """What incidents are worked on through."""

    async def create(self, kind: str, namespace: str, body: Json) -> Json:
        """The created object."""

    async def whoami(self) -> str:
        """The user name that the API server knows this identity by."""


class Cluster:
    """The API server, under the agents' own identity."""

    def __init__(self, api: client.ApiClient, timeout: float) -> None:
        self._api = api
        self._timeout = timeout

    @classmethod
    async def connect(cls, kubeconfig: Path | None, call_timeout: float) -> Self:
        """A client for this kubeconfig, or for the cluster that this process runs in.

        Raises:
            kubernetes.aio.config.ConfigException: there is no such configuration.
        """
        configuration = client.Configuration()
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
        return cls(client.ApiClient(configuration=configuration), call_timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.close()

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        """The object, None when there is none.

        Raises:
            AccessDeniedError, ClusterUnavailableError: it cannot be told.
        """
        status, body = await self._call("GET", f"{_path(kind, namespace)}/{quote(name, safe='')}")
        return None if status == 404 else _object(body)

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        """The objects of a namespace, or of the cluster; at most LIST_LIMIT.

        Raises:
            AccessDeniedError, ClusterUnavailableError: it cannot be told.
        """
        query = {"limit": str(LIST_LIMIT), "resourceVersion": "", "labelSelector": labels, "fieldSelector": fields}
        asked = urlencode({key: value for key, value in query.items() if value})
        status, body = await self._call("GET", f"{_path(kind, namespace)}?{asked}")
        return [] if status == 404 else list(_object(body).get("items") or ())

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        """The last `limit_bytes` of a container's log, None when there is none (never started, no previous run).

        Raises:
            AccessDeniedError, ClusterUnavailableError: it cannot be told.
        """
        asked = {"container": container, "tailLines": "200", "previous": "true" if previous else "false"}
        path = f"{_path('Pod', namespace)}/{quote(pod, safe='')}/log?{urlencode(asked)}"
        status, body = await self._call("GET", path, accept="*/*")
        if status in (400, 404, 422):  # the container waits to start, or has no previous run
            return None
        return body[-limit_bytes:].decode("utf-8", errors="replace")

    async def served(self) -> frozenset[str]:
        """The API groups with their versions that are served, such as `cert-manager.io/v1`.

        Raises:
            AccessDeniedError, ClusterUnavailableError: it cannot be told.
        """
        _, body = await self._call("GET", "/apis")
        versions = (v for group in _object(body).get("groups") or () for v in group.get("versions") or ())
        return frozenset(str(version.get("groupVersion")) for version in versions)

    async def create(self, kind: str, namespace: str, body: Json) -> Json:
        """The created object.

        Raises:
            AlreadyExistsError, RefusedError, AccessDeniedError, ClusterUnavailableError: it was not created; with
                the last one it may have been.
        """
        _, answer = await self._call("POST", _path(kind, namespace), body=body)
        return _object(answer)

    async def whoami(self) -> str:
        """The user name that the API server knows this identity by."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        _, answer = await self._call("POST", path, body=review)
        return str(_object(answer)["status"]["userInfo"]["username"])

    async def _call(
        self, method: str, path: str, *, body: Json | None = None, accept: str = "application/json"
    ) -> tuple[int, bytes]:
        headers = {"Accept": accept, "Content-Type": "application/json"}
        request = await self._api.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        verb, url, sent, content, _ = request
        try:
            answer = await self._api.call_api(verb, url, sent, content, _request_timeout=self._timeout)
            read = await _bounded(answer.response)
        except (aiohttp.ClientError, TimeoutError, OSError) as lost:
            raise ClusterUnavailableError(f"{method} {path}: {str(lost) or type(lost).__name__}") from lost
        _judge(method, path, answer.status, read)
        return answer.status, read


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    async with response:
        read = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            read += chunk
            if len(read) > LARGEST_ANSWER:
                raise ClusterUnavailableError(f"{response.url.path}: the answer is larger than {LARGEST_ANSWER} bytes")
        return bytes(read)


def _judge(method: str, path: str, status: int, body: bytes) -> None:
    if status < 300 or (method == "GET" and status in (400, 404, 422)):
        return
    said = _message(body)
    if status == 409 and method == "POST":
        raise AlreadyExistsError(said)
    if "status unknown for quota" in said:  # the quota's controller has not counted yet; it will
        raise ClusterUnavailableError(f"{method} {path}: {said}")
    if method == "POST" and (status in (400, 404, 422) or (status == 403 and _is_admission(said))):
        raise RefusedError(said)
    if status in (401, 403):
        raise AccessDeniedError(f"{method} {path}: {said}")
    raise ClusterUnavailableError(f"{method} {path}: {status} {said}")


def _is_admission(message: str) -> bool:
    # RBAC says "User … cannot create resource"; policies and quotas refuse the object.
    return "cannot create resource" not in message


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body).get("message", ""))[:1024]
    except (ValueError, AttributeError):
        return body[:200].decode("utf-8", errors="replace")


def _object(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except ValueError as wrong:
        raise ClusterUnavailableError(f"the answer is not JSON: {wrong}") from wrong
    if not isinstance(value, dict):
        raise ClusterUnavailableError("the answer is not an object")
    return value


def _path(kind: str, namespace: str | None) -> str:
    root, plural = KINDS.get(kind) or ADDED[kind]
    if namespace is None or kind in CLUSTER_SCOPED:
        return f"{root}/{plural}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{plural}"
