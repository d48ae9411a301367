"""Builds snapshots of a small application by hand: what was deployed is said, what controllers make of it is derived.

ReplicaSets, pods, endpoints and their status follow from the Deployments, as the controllers of a cluster would have
it, so that a case says only what is wrong and how it shows.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
APPS = "apps/v1"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def at(seconds_ago: float) -> str:
    """A time before the snapshot."""
    return (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def letters(seed: str, count: int) -> str:
    """Generated names that are the same each time."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big")
    found = ""
    for _ in range(count):
        number, position = divmod(number, len(_LETTERS))
        found += _LETTERS[position]
    return found


def running(*, ready: bool = True, restarts: int = 0, since: float = 3000, last: Json | None = None) -> Json:
    """A container that runs."""
    return {
        "ready": ready,
        "restartCount": restarts,
        "state": {"running": {"startedAt": at(since)}},
        "lastState": {"terminated": last} if last else {},
    }


def waiting(reason: str, message: str = "") -> Json:
    """A container that does not start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"ready": False, "restartCount": 0, "state": state, "lastState": {}}


def ended(code: int, reason: str = "Error", *, ran: float = 2, ago: float = 20, message: str = "") -> Json:
    """How a run ended."""
    times = {"startedAt": at(ago + ran), "finishedAt": at(ago)}
    return {"exitCode": code, "reason": reason, "message": message, **times}


def crashing(code: int = 1, reason: str = "Error", *, restarts: int = 5, ran: float = 2, message: str = "") -> Json:
    """A container that ends again and again."""
    said = "back-off 1m20s restarting failed container"
    return {
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": said}},
        "lastState": {"terminated": ended(code, reason, ran=ran, message=message)},
    }


class Cluster:
    """A cluster with one application in it."""

    def __init__(self, namespace: str = "shop", nodes: Iterable[str] = ("node-1", "node-2", "node-3")) -> None:
        self.namespace = namespace
        self.objects: dict[tuple[str, str], dict[str, Json]] = {}
        self.files: dict[str, Any] = {}
        self.logs: dict[tuple[str, str, bool], dict[str, str]] = {}
        self.states: dict[str, Callable[[int], Json | None]] = {}
        self.old: dict[str, Json] = {}
        self.pod_edits: dict[str, Callable[[Json, int], None]] = {}
        self.no_pods: set[str] = set()
        self.lacks: frozenset[str] = frozenset()
        self.after: Callable[[], None] | None = None
        for name in nodes:
            self.node(name)
        for collected in (
            "pods",
            "events",
            "services",
            "endpoints",
            "deployments",
            "replicasets",
            "configmaps",
            "persistentvolumeclaims",
            "networkpolicies",
            "resourcequotas",
            "statefulsets",
            "daemonsets",
        ):
            self.objects.setdefault((namespace, collected), {})
        self.put(None, "namespaces", {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
        system = {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.0"}
        self.deploy("coredns", 53, namespace="kube-system", container=system, service="kube-dns", replicas=2)
        self.get("deployments", "coredns", "kube-system")["metadata"]["labels"]["k8s-app"] = "kube-dns"
        self.put("kube-system", "configmaps", {"metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}})

    def put(self, namespace: str | None, plural: str, body: Json) -> Json:
        """Adds an object, or replaces it."""
        meta = body["metadata"]
        if namespace:
            meta.setdefault("namespace", namespace)
        meta.setdefault("uid", letters(f"{plural}/{namespace}/{meta['name']}", 12))
        meta.setdefault("creationTimestamp", at(90_000))
        self.objects.setdefault((namespace or "", plural), {})[meta["name"]] = body
        return body

    def get(self, plural: str, name: str, namespace: str | None = "") -> Json:
        """An object of the application."""
        return self.objects[(self.namespace if namespace == "" else namespace or ""), plural][name]

    def node(self, name: str, **spec: Any) -> Json:
        """A node that is well."""
        amount = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}] + [
            {"type": f"{what}Pressure", "status": "False"} for what in ("Memory", "Disk", "PID")
        ]
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
        status = {"allocatable": amount, "capacity": amount, "conditions": conditions}
        return self.put(None, "nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})

    def deploy(
        self,
        name: str,
        port: int | None,
        *,
        env: dict[str, str] | None = None,
        replicas: int = 1,
        container: Json | None = None,
        service: str | None = "",
        service_port: int | None = None,
        namespace: str = "",
        kind: str = "Deployment",
        **spec: Any,
    ) -> Json:
        """A Deployment and its Service."""
        place = namespace or self.namespace
        one: Json = {
            "name": name,
            "image": f"registry.example/{place}/{name}:1.4.2",
            "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        }
        if port is not None:
            one["ports"] = [{"containerPort": port, "protocol": "TCP"}]
        one.update(container or {})
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [one], **spec}}
        body = {
            "metadata": {"name": name, "generation": 1, "labels": {"app": name}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
        }
        plural = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}[kind]
        self.put(place, plural, body)
        if service is not None and port is not None:
            ports = [{"name": "main", "port": service_port or port, "targetPort": port, "protocol": "TCP"}]
            self.service(service or name, {"app": name}, ports, namespace=place)
        return body

    def service(self, name: str, selector: Json, ports: list[Json], namespace: str = "") -> Json:
        """A Service."""
        address = f"10.96.{int(hashlib.sha256(name.encode()).hexdigest()[:2], 16)}.10"
        spec = {"type": "ClusterIP", "clusterIP": address, "selector": selector, "ports": ports}
        return self.put(namespace or self.namespace, "services", {"metadata": {"name": name}, "spec": spec})

    def container(self, name: str) -> Json:
        """The container of a workload."""
        for plural in ("deployments", "statefulsets", "daemonsets"):
            if name in self.objects.get((self.namespace, plural), {}):
                found: Json = self.get(plural, name)["spec"]["template"]["spec"]["containers"][0]
                return found
        raise KeyError(name)

    def spec(self, name: str) -> Json:
        """The pod spec of a Deployment."""
        found: Json = self.get("deployments", name)["spec"]["template"]["spec"]
        return found

    def env(self, name: str, key: str, value: str | None) -> None:
        """Sets a variable of a workload, or removes it."""
        kept = [v for v in self.container(name)["env"] if v["name"] != key]
        self.container(name)["env"] = kept + ([{"name": key, "value": value}] if value is not None else [])

    def rollout(self, name: str) -> None:
        """Remembers the template as it is as revision 1; what is changed afterwards is revision 2."""
        self.old[name] = copy.deepcopy(self.get("deployments", name)["spec"]["template"])

    def event(
        self,
        kind: str,
        name: str,
        reason: str,
        message: str,
        *,
        path: str = "",
        ago: float = 30,
        namespace: str = "",
        type_: str = "Warning",
        count: int = 5,
    ) -> None:
        """Something that a component said."""
        place = namespace or self.namespace
        involved = {"kind": kind, "name": name, "namespace": place, "fieldPath": path}
        number = len(self.objects.setdefault((place, "events"), {}))
        self.put(
            place,
            "events",
            {
                "metadata": {"name": f"{name}.{number:x}", "creationTimestamp": at(ago)},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "type": type_,
                "count": count,
                "lastTimestamp": at(ago),
                "source": {"component": "kubelet"},
            },
        )

    def alert(self, name: str, *, status: str = "firing", severity: str = "critical", **labels: str) -> None:
        """An alert as Alertmanager sends it."""
        about = {"alertname": name, "severity": severity, "namespace": self.namespace, **labels}
        sent = self.files.setdefault("alerts.json", {"alerts": []})["alerts"]
        sent.append({"status": status, "labels": about, "annotations": {}, "startsAt": at(300)})

    def pod_name(self, name: str, index: int = 0, *, new: bool = True) -> str:
        """The name of a workload's pod."""
        if name in self.objects.get((self.namespace, "statefulsets"), {}):
            return f"{name}-{index}"
        place = self.namespace
        revision = 2 if new and name in self.old else 1
        return f"{name}-{letters(f'{place}{name}{revision}', 9)}-{letters(f'{place}{name}{revision}{index}', 5)}"

    def state(self, name: str, made: Callable[[int], Json | None] | Json) -> None:
        """How the containers of a workload's newest pods are; None for a pod that has no node."""
        self.states[name] = made if callable(made) else lambda _: copy.deepcopy(made)

    def log(self, name: str, text: str, *, previous: bool = False, index: int = 0, container: str = "") -> None:
        """What a workload's container writes."""
        pod = self.pod_name(name, index)
        self.logs.setdefault((self.namespace, pod, previous), {})[container or name] = text

    def manifests(self) -> None:
        """What was meant: the application's objects as they are now."""
        documents = []
        for (place, plural), bodies in self.objects.items():
            if place == self.namespace and plural in ("deployments", "services", "configmaps", "networkpolicies"):
                kind = {
                    "deployments": "Deployment",
                    "services": "Service",
                    "configmaps": "ConfigMap",
                    "networkpolicies": "NetworkPolicy",
                }[plural]
                version = APPS if kind == "Deployment" else "v1"
                documents += [{"apiVersion": version, "kind": kind, **copy.deepcopy(b)} for b in bodies.values()]
        self.files["manifests/app.yaml"] = documents

    def settle(self) -> None:
        """Derives ReplicaSets, pods and endpoints."""
        for (place, plural), bodies in list(self.objects.items()):
            if plural in ("deployments", "statefulsets", "daemonsets"):
                for body in list(bodies.values()):
                    self._pods_of(place, plural, body)
        for (place, plural), bodies in list(self.objects.items()):
            if plural == "services":
                for body in bodies.values():
                    self._endpoints_of(place, body)
        if self.after is not None:
            self.after()

    def _pods_of(self, place: str, plural: str, body: Json) -> None:
        name = body["metadata"]["name"]
        wanted = len(self.objects["", "nodes"]) if plural == "daemonsets" else body["spec"]["replicas"]
        template = body["spec"]["template"]
        made: list[Json] = []
        old = self.old.get(name) if place == self.namespace else None
        if plural == "deployments":
            if old is not None:
                made += self._revision(place, body, old, 1, wanted, False)
                fresh = self._revision(place, body, template, 2, min(1, wanted), True)
            else:
                fresh = self._revision(place, body, template, 1, wanted, True)
            made += fresh
        else:
            owner = {
                "kind": {"statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}[plural],
                "name": name,
                "uid": body["metadata"]["uid"],
            }
            for index in range(0 if name in self.no_pods else wanted):
                pod_name = f"{name}-{index}" if plural == "statefulsets" else f"{name}-{letters(f'{name}{index}', 5)}"
                made.append(self._pod(place, name, pod_name, template, owner, {}, index, True))
            fresh = made
        ready = sum(1 for pod in made if pod["status"]["conditions"][0]["status"] == "True")
        body.setdefault("status", {}).update(
            replicas=len(made),
            readyReplicas=ready,
            availableReplicas=ready,
            updatedReplicas=len(fresh),
            unavailableReplicas=max(0, wanted - ready),
            observedGeneration=body["metadata"].get("generation", 1),
            desiredNumberScheduled=wanted,
            numberReady=ready,
        )

    def _revision(self, place: str, body: Json, template: Json, number: int, wanted: int, new: bool) -> list[Json]:
        name = body["metadata"]["name"]
        digest = letters(f"{place}{name}{number}", 9)
        labels = {**template["metadata"]["labels"], "pod-template-hash": digest}
        meta = {
            "name": f"{name}-{digest}",
            "labels": labels,
            "creationTimestamp": at(600 if number == 2 else 90_000),
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [
                {"kind": "Deployment", "name": name, "uid": body["metadata"]["uid"], "controller": True}
            ],
        }
        replica_set = self.put(
            place, "replicasets", {"metadata": meta, "spec": {"replicas": wanted, "template": template}}
        )
        owner = {"kind": "ReplicaSet", "name": meta["name"], "uid": replica_set["metadata"]["uid"]}
        count = 0 if name in self.no_pods and new else wanted
        pods = []
        for index in range(count):
            pod_name = f"{name}-{digest}-{letters(f'{place}{name}{number}{index}', 5)}"
            pods.append(self._pod(place, name, pod_name, template, owner, {"pod-template-hash": digest}, index, new))
        ready = sum(1 for pod in pods if pod["status"]["conditions"][0]["status"] == "True")
        replica_set["status"] = {"replicas": count, "readyReplicas": ready}
        return pods

    def _pod(
        self, place: str, name: str, pod_name: str, template: Json, owner: Json, labels: Json, index: int, new: bool
    ) -> Json:
        made = self.states.get(name, lambda _: running()) if new and place == self.namespace else lambda _: running()
        state = made(index)
        spec = copy.deepcopy(template["spec"])
        nodes = sorted(self.objects["", "nodes"])
        number = int(hashlib.sha256(pod_name.encode()).hexdigest()[:4], 16)
        status: Json = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}
        if state is not None:
            spec["nodeName"] = nodes[number % len(nodes)]
            others = [{"name": c["name"], "image": c["image"], **running()} for c in spec["containers"][1:]]
            statuses = [
                {"name": spec["containers"][0]["name"], "image": spec["containers"][0]["image"], **state},
                *others,
            ]
            if "name" in state:
                statuses[0]["name"] = spec["containers"][0]["name"]
            ready = all(s["ready"] for s in statuses)
            started = any("running" in s["state"] or s.get("lastState") for s in statuses)
            status = {
                "phase": "Running" if started else "Pending",
                "podIP": f"10.244.{number % 200}.{number // 256}",
                "startTime": at(3000),
                "conditions": [
                    {"type": "Ready", "status": str(ready), "lastTransitionTime": at(60)},
                    {"type": "PodScheduled", "status": "True"},
                ],
                "containerStatuses": statuses,
            }
        meta = {
            "name": pod_name,
            "labels": {**template["metadata"]["labels"], **labels},
            "creationTimestamp": at(3100),
            "ownerReferences": [{**owner, "controller": True}],
        }
        pod = {"metadata": meta, "spec": spec, "status": status}
        if new and place == self.namespace and name in self.pod_edits:
            self.pod_edits[name](pod, index)
        return self.put(place, "pods", pod)

    def _endpoints_of(self, place: str, service: Json) -> None:
        selector = service["spec"].get("selector") or {}
        name = service["metadata"]["name"]
        if not selector or name in self.objects.get((place, "endpoints"), {}):
            return
        good: list[Json] = []
        bad: list[Json] = []
        ports: list[Json] = []
        for pod in self.objects.get((place, "pods"), {}).values():
            if all(pod["metadata"]["labels"].get(k) == v for k, v in selector.items()):
                address = {
                    "ip": pod["status"].get("podIP"),
                    "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
                }
                is_ready = pod["status"]["conditions"][0]["status"] == "True"
                if address["ip"]:
                    (good if is_ready else bad).append(address)
                    ports = _ports(service, pod) or ports
        subset: Json = {"ports": ports}
        if good:
            subset["addresses"] = good
        if bad:
            subset["notReadyAddresses"] = bad
        self.put(place, "endpoints", {"metadata": {"name": name}, "subsets": [subset] if good or bad else []})

    def write(self, folder: Path) -> None:
        """The snapshot as files."""
        folder.mkdir(parents=True, exist_ok=True)
        marker = {"collectedAt": at(0), "namespace": self.namespace}
        (folder / "snapshot.json").write_text(json.dumps(marker))
        for (place, plural), bodies in self.objects.items():
            if plural in self.lacks:
                continue
            target = folder / place
            target.mkdir(exist_ok=True)
            (target / f"{plural}.json").write_text(json.dumps({"kind": "List", "items": list(bodies.values())}))
        for (place, pod, previous), texts in self.logs.items() if "logs" not in self.lacks else ():
            target = folder / place / pod
            target.mkdir(exist_ok=True)
            lines = [
                f"==== START logs for container {name} of pod {place}/{pod} ====\n{text}\n"
                f"==== END logs for container {name} of pod {place}/{pod} ====\n"
                for name, text in texts.items()
            ]
            (target / ("logs-previous.txt" if previous else "logs.txt")).write_text("".join(lines))
        for name, content in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            text = yaml.safe_dump_all(content) if name.endswith(".yaml") else json.dumps(content)
            (folder / name).write_text(text)


COREFILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
}
"""


def _ports(service: Json, pod: Json) -> list[Json]:
    found = []
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        if isinstance(target, str):
            named = [p for c in pod["spec"]["containers"] for p in c.get("ports", ()) if p.get("name") == target]
            if not named:
                continue
            target = named[0]["containerPort"]
        found.append({"name": port.get("name", ""), "port": target, "protocol": port.get("protocol", "TCP")})
    return found
