"""Objects as an API server returns them, with all that it, controllers and kubelet add."""

# Objects read better in few long lines.
# fmt: off

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Obj = dict[str, Any]

NOW = datetime(2026, 3, 17, 9, 41, 12, tzinfo=UTC)
COMPONENTS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1"}
API = COMPONENTS | {
    "Job": "batch/v1", "CronJob": "batch/v1", "EndpointSlice": "discovery.k8s.io/v1", "StorageClass": "storage.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1", "Ingress": "networking.k8s.io/v1", "IngressClass": "networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2", "PodDisruptionBudget": "policy/v1", "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1", "Lease": "coordination.k8s.io/v1", "Certificate": "cert-manager.io/v1",
    "NetworkChaos": "chaos-mesh.org/v1alpha1", "VirtualService": "networking.istio.io/v1",
}


def stamp(ago: float) -> str:
    """The time that many seconds before the snapshot was taken."""
    return (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def uid(*words: object) -> str:
    digest = hashlib.sha256(repr(words).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def token(size: int, *words: object) -> str:
    """A suffix as controllers generate it: no vowels, no look-alikes."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    digest = hashlib.sha256(repr(words).encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:size])


def fields_of(value: Any) -> Any:
    """The leaves of an object as managed fields write them."""
    return {f"f:{key}": fields_of(inner) for key, inner in value.items()} if isinstance(value, dict) else {}


def managed(manager: str, ago: float, api: str, fields: Obj, part: str | None = None) -> Obj:
    entry: Obj = {"manager": manager, "operation": "Update", "apiVersion": api, "time": stamp(ago)}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    return entry | ({"subresource": part} if part else {})


def make(kind: str, name: str, namespace: str | None, age: float, **rest: Any) -> Obj:
    """An object that Helm made ``age`` seconds ago."""
    api = API.get(kind, "v1")
    meta: Obj = {"name": name, "uid": uid(kind, namespace, name), "creationTimestamp": stamp(age)}
    meta["resourceVersion"] = str(1_000_000 + int(hashlib.sha256(f"{kind}{name}".encode()).hexdigest()[:6], 16))
    parts = {key: rest[key] for key in ("spec", "data", "rules") if isinstance(rest.get(key), dict)}
    labels: Obj = {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/managed-by": {}}, "f:annotations": {".": {}}}}
    made = kind in ("Pod", "ReplicaSet", "Endpoints", "EndpointSlice")  # by controllers; of these the fields tell nothing
    written = {"f:metadata": {"f:ownerReferences": {}}} if made else labels | fields_of(parts)
    meta["managedFields"] = [managed("kube-controller-manager" if made else "helm", age, api, written)]
    if namespace:
        meta["namespace"] = namespace
    meta |= rest.pop("meta", {})
    return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}


def owner(obj: Obj, controller: bool = True) -> list[Obj]:
    return [
        {
            "apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"],
            "uid": obj["metadata"]["uid"], "controller": controller, "blockOwnerDeletion": True,
        }
    ]


def condition(kind: str, ok: bool | None, ago: float, reason: str | None = None, message: str | None = None) -> Obj:
    found: Obj = {"type": kind, "status": {True: "True", False: "False", None: "Unknown"}[ok]}
    found |= {"lastProbeTime": None, "lastTransitionTime": stamp(ago)}
    return found | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def probe(port: int | str, path: str | None = "/healthz", **timing: int) -> Obj:
    how = {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}} if path else {"tcpSocket": {"port": port}}
    times = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    return how | times | timing


def node(name: str, zone: str, cpu: str = "4", memory: str = "16205924Ki", labels: Obj | None = None) -> Obj:
    ago = 86400 * 41
    full = {
        "beta.kubernetes.io/arch": "amd64", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name, "node.kubernetes.io/instance-type": "m6i.xlarge",
        "topology.kubernetes.io/region": zone[:-1], "topology.kubernetes.io/zone": zone,
    } | (labels or {})
    size = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "83873772Ki", "hugepages-2Mi": "0"}
    ready = [
        condition("MemoryPressure", False, ago, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        condition("DiskPressure", False, ago, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", False, ago, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", True, ago, "KubeletReady", "kubelet is posting ready status"),
    ]
    for entry in ready:
        entry.pop("lastProbeTime")
        entry["lastHeartbeatTime"] = stamp(40)
    info = {"kubeletVersion": "v1.33.4", "containerRuntimeVersion": "containerd://1.7.27", "osImage": "Ubuntu 22.04.5 LTS"}
    status = {"capacity": size, "allocatable": size | {"cpu": f"{int(cpu) * 1000 - 80}m"}, "conditions": ready}
    status |= {"nodeInfo": info, "addresses": [{"type": "Hostname", "address": name}]}
    spec = {"podCIDR": "10.42.1.0/24", "providerID": f"aws:///{zone}/i-{uid(name)[:8]}"}
    return make("Node", name, None, ago, meta={"labels": full}, spec=spec, status=status)


def matches(selector: Obj | None, labels: Obj) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


def dump(items: list[Obj], kind: str) -> str:
    version = items[0]["apiVersion"] if items else "v1"
    whole = {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "4189277"}, "items": items}
    return json.dumps(whole)


def clock(ago: float, step: float) -> Iterator[datetime]:
    moment = NOW - timedelta(seconds=ago)
    while True:
        yield moment
        moment += timedelta(seconds=step)
