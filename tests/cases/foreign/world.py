"""A cluster as its API server would show it, drawn by other hands than the builder of the first library.

Conditions, owners, slices and events have the shape that each component gives them: the scheduler's events carry a
series and no count, the kubelet's a field path, controllers' none. Faults edit what is deployed before pods are made,
or the pods afterwards; status of workloads and endpoints follows from the pods when the snapshot is written.
"""

# Objects read better in few long lines.
# fmt: off

import copy
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.cases.builder import letters

Json = dict[str, Any]
NOW = datetime(2026, 5, 19, 9, 47, 12, tzinfo=UTC)
KINDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet",
    "pods": "Pod",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "nodes": "Node",
}
COLLECTED = ["pods", "events", "services", "endpoints", "endpointslices", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "configmaps", "persistentvolumeclaims", "resourcequotas", "limitranges", "networkpolicies", "ingresses", "horizontalpodautoscalers", "poddisruptionbudgets", "serviceaccounts", "roles", "rolebindings", "leases", "controllerrevisions"]


def ago(seconds: float) -> str:
    """A time before the snapshot."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """A cluster with one application in it."""

    def __init__(self, namespace: str, nodes: dict[str, Json], labels: Callable[[str], tuple[Json, Json]]) -> None:
        self.namespace = namespace
        self.labels = labels
        self.objects: dict[tuple[str, str], dict[str, Json]] = {(namespace, p): {} for p in COLLECTED}
        self.objects["kube-system", "pods"] = {}
        self.objects["kube-system", "events"] = {}
        self.logs: dict[tuple[str, str, bool], dict[str, str]] = {}
        self.files: Json = {}
        self.olds: dict[str, tuple[Json, float, bool]] = {}
        self.chatter: dict[str, str] = {}
        self.settled = False
        for name, labels_of in nodes.items():
            self.node(name, labels_of)
        self.put("", "namespaces", namespace, labels={"kubernetes.io/metadata.name": namespace}, status={"phase": "Active"})

    def put(self, place: str, plural: str, name: str, *, labels: Json | None = None, age: float = 8e6, **body: Any) -> Json:
        """Adds an object."""
        meta: Json = {"name": name, "uid": letters(plural + place + name, 16), "creationTimestamp": ago(age), "resourceVersion": "88213412"}
        if place:
            meta["namespace"] = place
        if labels:
            meta["labels"] = labels
        made = {"metadata": meta, **body}
        self.objects.setdefault((place, plural), {})[name] = made
        return made

    def mine(self, plural: str, name: str) -> Json:
        """An object of the application."""
        return self.objects[self.namespace, plural][name]

    def node(self, name: str, labels: Json) -> None:
        """A node that is well."""
        amount = {"cpu": "8", "memory": "32386124Ki", "pods": "58", "ephemeral-storage": "94477937300"}
        kinds = (("MemoryPressure", "False", "KubeletHasSufficientMemory"), ("DiskPressure", "False", "KubeletHasNoDiskPressure"), ("PIDPressure", "False", "KubeletHasSufficientPID"), ("Ready", "True", "KubeletReady"))
        conditions = [{"type": t, "status": s, "reason": r, "message": "", "lastHeartbeatTime": ago(40), "lastTransitionTime": ago(4e6)} for t, s, r in kinds]
        info = {"kubeletVersion": "v1.31.7", "containerRuntimeVersion": "containerd://1.7.27", "architecture": labels.get("kubernetes.io/arch", "amd64"), "osImage": "Bottlerocket OS 1.36.0"}
        self.put("", "nodes", name, labels={"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **labels}, spec={"providerID": f"aws:///{name}"}, status={"capacity": amount, "allocatable": {**amount, "cpu": "7910m"}, "conditions": conditions, "nodeInfo": info})

    def condition(self, node: str, kind: str, status: str, reason: str, message: str, since: float = 900) -> None:
        """Changes what a node says of itself."""
        for one in self.objects["", "nodes"][node]["status"]["conditions"]:
            if one["type"] == kind:
                one.update(status=status, reason=reason, message=message, lastTransitionTime=ago(since))

    def deploy(self, name: str, image: str, *, kind: str = "Deployment", replicas: int = 2, port: int = 8080, env: Json | None = None, log: str = "", place: str = "", extra: Json | None = None, sidecar: Json | None = None, **container: Any) -> Json:
        """A workload with its Service."""
        all_labels, selector = self.labels(name)
        requests = {"requests": {"cpu": "150m", "memory": "256Mi"}, "limits": {"memory": "768Mi"}}
        one: Json = {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "env": [{"name": k, "value": v} for k, v in (env or {}).items()], "resources": requests, "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}], **container}
        spec: Json = {"containers": [one, *([sidecar] if sidecar else [])], "serviceAccountName": name, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", **(extra or {})}
        place = place or self.namespace
        plural = kind.lower() + "s"
        kinds: Json = {"Deployment": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10}, "StatefulSet": {"replicas": replicas, "serviceName": f"{name}", "podManagementPolicy": "OrderedReady", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}, "DaemonSet": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}}
        body = self.put(place, plural, name, labels=all_labels, spec={"selector": {"matchLabels": selector}, "template": {"metadata": {"labels": all_labels}, "spec": spec}, **kinds[kind]})
        body["metadata"]["generation"] = 7
        if place == self.namespace:
            self.put(place, "serviceaccounts", name, labels=all_labels)
            if kind != "DaemonSet":
                self.service(name, selector, port)
            self.chatter[name] = log
        return body

    def service(self, name: str, selector: Json, port: int) -> None:
        """A Service with one port."""
        spec = {"type": "ClusterIP", "clusterIP": f"172.20.{int(hashlib.sha256(name.encode()).hexdigest()[:2], 16)}.9", "selector": selector, "ports": [{"name": "http", "port": port, "targetPort": "http", "protocol": "TCP"}]}
        self.put(self.namespace, "services", name, labels=self.labels(name)[0], spec=spec)

    def workload(self, name: str) -> tuple[str, str, Json]:
        """Where a workload is, under which plural, and its object."""
        for (place, plural), bodies in self.objects.items():
            if plural in ("deployments", "statefulsets", "daemonsets") and name in bodies:
                return place, plural, bodies[name]
        raise KeyError(name)

    def spec(self, name: str) -> Json:
        """The pod spec of a workload."""
        found: Json = self.workload(name)[2]["spec"]["template"]["spec"]
        return found

    def container(self, name: str) -> Json:
        """The first container of a workload."""
        found: Json = self.spec(name)["containers"][0]
        return found

    def rollout(self, name: str, since: float = 1500, *, whole: bool = False) -> Json:
        """Begins a change of a Deployment: what is edited afterwards is the new revision. Returns the container."""
        self.olds[name] = (copy.deepcopy(self.workload(name)[2]["spec"]["template"]), since, whole)
        return self.container(name)

    def pods(self, name: str, *, new: bool = True) -> list[Json]:
        """The pods of a workload; those of its new revision where one is rolled out."""
        self.settle()
        place, _, body = self.workload(name)
        wanted = body["spec"]["selector"]["matchLabels"].items()
        found = [p for p in self.objects[place, "pods"].values() if wanted <= p["metadata"]["labels"].items()]
        return [p for p in found if p["metadata"]["annotations"]["rev"] == ("new" if new else "old")]

    def settle(self) -> None:
        """Makes the pods that controllers would have made."""
        if self.settled:
            return
        self.settled = True
        for (place, plural), bodies in list(self.objects.items()):
            if plural == "deployments":
                for name, body in bodies.items():
                    self._revisions(place, name, body)
            elif plural in ("statefulsets", "daemonsets"):
                for name, body in bodies.items():
                    nodes = list(self.objects["", "nodes"])
                    for i in range(len(nodes) if plural == "daemonsets" else body["spec"]["replicas"]):
                        pod = f"{name}-{i if plural == 'statefulsets' else letters(name + str(i), 5)}"
                        self.pod(place, pod, body["spec"]["template"], {"kind": KINDS[plural], "name": name, "uid": body["metadata"]["uid"]}, node=nodes[i % len(nodes)])

    def _revisions(self, place: str, name: str, body: Json) -> None:
        wanted = body["spec"]["replicas"]
        old, since, whole = self.olds.get(name, (None, 6e5, True))
        fresh = wanted if whole else max(1, -(-wanted // 4) + wanted // 4)
        plans = [("new", body["spec"]["template"], fresh, since)]
        if old is not None:
            plans.insert(0, ("old", old, 0 if whole else wanted - wanted // 4, 6e5))
        for number, (rev, template, count, age) in enumerate(plans):
            digest = letters(f"{name}{rev}", 9)
            labels = {**template["metadata"]["labels"], "pod-template-hash": digest}
            owner = {"kind": "Deployment", "name": name, "uid": body["metadata"]["uid"], "controller": True}
            one = self.put(place, "replicasets", f"{name}-{digest}", labels=labels, age=age, spec={"replicas": count, "template": copy.deepcopy(template)}, status={"replicas": count})
            one["metadata"].update(ownerReferences=[owner], annotations={"deployment.kubernetes.io/revision": str(11 + number)})
            holder = {"kind": "ReplicaSet", "name": f"{name}-{digest}", "uid": one["metadata"]["uid"]}
            for i in range(count):
                self.pod(place, f"{name}-{digest}-{letters(name + rev + str(i), 5)}", {"metadata": {"labels": labels}, "spec": template["spec"]}, holder, age=age, rev=rev)
        body["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(10 + len(plans))}

    def pod(self, place: str, name: str, template: Json, owner: Json, *, node: str = "", age: float = 6e5, rev: str = "new") -> Json:
        """A pod that runs well."""
        number = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
        nodes = sorted(self.objects["", "nodes"])
        spec = copy.deepcopy(template["spec"])
        spec["nodeName"] = node or nodes[number % len(nodes)]
        kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        statuses = [self._status(c, {"running": {"startedAt": ago(age - 20)}}) for c in spec["containers"]]
        status: Json = {"phase": "Running", "podIP": f"10.61.{number % 250}.{number // 250 % 250}", "hostIP": "10.60.1.1", "startTime": ago(age - 3), "qosClass": "Burstable", "conditions": [{"type": k, "status": "True", "lastTransitionTime": ago(age - 30)} for k in kinds], "containerStatuses": statuses}
        if spec.get("initContainers"):
            done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": ago(age - 5), "finishedAt": ago(age - 12)}}
            status["initContainerStatuses"] = [self._status(c, done) for c in spec["initContainers"]]
        made = self.put(place, "pods", name, labels=dict(template["metadata"]["labels"]), age=age, spec=spec, status=status)
        made["metadata"].update(ownerReferences=[{**owner, "controller": True}], annotations={"rev": rev}, generateName=name[:-5])
        return made

    def _status(self, container: Json, state: Json) -> Json:
        return {"name": container["name"], "image": container["image"], "imageID": f"sha256:{letters(container['image'], 20)}", "ready": True, "started": True, "restartCount": 0, "state": state, "lastState": {}}

    def unready(self, pod: Json, since: float = 300) -> None:
        """Marks a pod as not ready."""
        for one in pod["status"]["conditions"]:
            if one["type"] in ("Ready", "ContainersReady"):
                names = [s["name"] for s in pod["status"].get("containerStatuses", ()) if not s["ready"]]
                one.update(status="False", reason="ContainersNotReady", message=f"containers with unready status: [{' '.join(names)}]", lastTransitionTime=ago(since))

    def state(self, pod: Json, state: Json, *, last: Json | None = None, restarts: int = 0, index: int = 0, init: bool = False, ready: bool = False) -> None:
        """How a container of a pod is."""
        one = pod["status"]["initContainerStatuses" if init else "containerStatuses"][index]
        one.update(state=state, lastState={"terminated": last} if last else {}, restartCount=restarts, ready=ready, started=ready)
        if init:
            for c in pod["status"]["containerStatuses"]:
                c.update(state={"waiting": {"reason": "PodInitializing"}}, ready=False, started=False)
            next(c for c in pod["status"]["conditions"] if c["type"] == "Initialized").update(status="False", reason="ContainersNotInitialized")
        if "waiting" in state and not last and (init or len(pod["status"]["containerStatuses"]) == 1):
            pod["status"]["phase"] = "Pending"
        if not ready:
            self.unready(pod)

    def crash(self, pod: Json, code: int, *, reason: str = "Error", message: str = "", restarts: int = 7, ran: float = 3, since: float = 60, index: int = 0, init: bool = False) -> None:
        """A container that ends again and again."""
        name = pod["spec"]["initContainers" if init else "containers"][index]["name"]
        ended = {"exitCode": code, "reason": reason, "startedAt": ago(since + ran), "finishedAt": ago(since), "containerID": "containerd://5e1f"}
        if message:
            ended["message"] = message
        meta = pod["metadata"]
        back = f"back-off 5m0s restarting failed container={name} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
        self.state(pod, {"waiting": {"reason": "CrashLoopBackOff", "message": back}}, last=ended, restarts=restarts, index=index, init=init)
        self.event(pod, "BackOff", back.replace("back-off 5m0s", "Back-off"), container=name, count=restarts * 9, init=init)

    def waits(self, pod: Json, reason: str, message: str, *, index: int = 0, init: bool = False) -> None:
        """A container that does not start."""
        self.state(pod, {"waiting": {"reason": reason, "message": message}}, index=index, init=init)

    def unpulled(self, pod: Json, why: str, *, index: int = 0, init: bool = False, count: int = 6) -> None:
        """An image that cannot be pulled, as the kubelet tells it."""
        one = pod["spec"]["initContainers" if init else "containers"][index]
        image, name = one["image"], one["name"]
        self.waits(pod, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {why}', index=index, init=init)
        for reason, text in (("Failed", f'Failed to pull image "{image}": {why}'), ("Failed", "Error: ErrImagePull"), ("BackOff", f'Back-off pulling image "{image}"'), ("Failed", "Error: ImagePullBackOff")):
            self.event(pod, reason, text, container=name, count=count, kind="Normal" if reason == "BackOff" else "Warning", init=init)
        self.event(pod, "Pulling", f'Pulling image "{image}"', container=name, kind="Normal", count=4, init=init)

    def unscheduled(self, pod: Json, message: str, *, since: float = 1200, reason: str = "Unschedulable") -> None:
        """A pod that the scheduler finds no node for."""
        pod["spec"].pop("nodeName", None)
        condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message, "lastTransitionTime": ago(since)}
        pod["status"] = {"phase": "Pending", "conditions": [condition], "qosClass": "Burstable"}
        if reason == "Unschedulable":
            self.event(pod, "FailedScheduling", message, source="default-scheduler", since=since)

    def pending(self, pod: Json, reason: str, message: str, *, since: float = 1200, count: int = 14) -> None:
        """A pod that has a node and cannot start there: volumes, or its sandbox."""
        for one in pod["status"]["containerStatuses"]:
            one.update(state={"waiting": {"reason": "ContainerCreating"}}, ready=False, started=False)
        pod["status"]["phase"] = "Pending"
        pod["status"].pop("podIP", None)
        self.unready(pod, since)
        next(c for c in pod["status"]["conditions"] if c["type"] == "PodReadyToStartContainers")["status"] = "False"
        self.event(pod, reason, message, count=count, since=since)

    def event(self, about: Json | tuple[str, str], reason: str, message: str, *, kind: str = "Warning", source: str = "kubelet", count: int = 3, since: float = 900, last: float = 45, container: str = "", init: bool = False, place: str = "") -> None:
        """Something that a component said of an object."""
        if isinstance(about, tuple):
            involved: Json = {"kind": about[0], "name": about[1], "namespace": place or self.namespace}
        else:
            meta = about["metadata"]
            involved = {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
        if container:
            involved["fieldPath"] = f"spec.{'initContainers' if init else 'containers'}{{{container}}}"
        where = involved["namespace"]
        kept = self.objects.setdefault((where, "events"), {})
        made = self.put(where, "events", f"{involved['name']}.18{letters(reason + message + str(len(kept)), 14)}", age=since)
        made.update(involvedObject=involved, reason=reason, message=message, type=kind)
        if source == "default-scheduler":
            made.update(firstTimestamp=None, lastTimestamp=None, eventTime=ago(since), action="Scheduling", reportingComponent=source, reportingInstance="default-scheduler-ip-10-60-0-4", source={}, series={"count": count, "lastObservedTime": ago(last)})
        else:
            made.update(firstTimestamp=ago(since), lastTimestamp=ago(last), eventTime=None, count=count, source={"component": source}, reportingComponent=source)

    def refused(self, name: str, why: str, *, short: int = 1) -> None:
        """A ReplicaSet, StatefulSet, DaemonSet or Job whose pods the API server refuses."""
        place, plural, _ = self.workload(name)
        for pod in self.pods(name)[-short:]:
            del self.objects[place, "pods"][pod["metadata"]["name"]]
            owner = pod["metadata"]["ownerReferences"][0]
            self.event((owner["kind"], owner["name"]), "FailedCreate", f"Error creating: {why.replace('POD', pod['metadata']['name'])}", source=f"{owner['kind'].lower()}-controller", count=17)
        if plural == "deployments":
            one = self.objects[place, plural][name]
            one["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": why.replace("POD", f"{name}-"), "lastTransitionTime": ago(1000)}]}

    def log(self, pod: Json, text: str, *, container: str = "", previous: bool = False) -> None:
        """What a container wrote."""
        meta = pod["metadata"]
        self.logs.setdefault((meta["namespace"], meta["name"], previous), {})[container or pod["spec"]["containers"][0]["name"]] = text

    def alert(self, alertname: str, *, severity: str = "warning", since: float = 600, status: str = "firing", summary: str = "", **labels: str) -> None:
        """An alert as Alertmanager sends it."""
        one = {"status": status, "labels": {"alertname": alertname, "severity": severity, "prometheus": "monitoring/k8s", **({} if "nowhere" in labels else {"namespace": self.namespace}), **{k: v for k, v in labels.items() if k != "nowhere"}}, "annotations": {"summary": summary or alertname}, "startsAt": ago(since), "endsAt": ago(120) if status == "resolved" else "0001-01-01T00:00:00Z"}
        self.files.setdefault("alerts.json", {"version": "4", "receiver": "oncall", "alerts": []})["alerts"].append(one)

    def metric(self, name: str, query: str, series: list[tuple[Json, list[float]]]) -> None:
        """An answer of Prometheus; values are a minute apart and end at the snapshot."""
        result = [{"metric": labels, "values": [[NOW.timestamp() - 60 * (len(v) - 1 - i), str(x)] for i, x in enumerate(v)]} for labels, v in series]
        self.files[f"metrics/{name}.json"] = {"query": query, "status": "success", "data": {"resultType": "matrix", "result": result}}

    def change(self, kind: str, name: str, summary: str, diff: str, *, since: float = 1500, who: str = "argocd-application-controller") -> None:
        """A recorded change."""
        self.files.setdefault("changes.json", []).append({"at": ago(since), "who": who, "object": {"kind": kind, "namespace": self.namespace, "name": name}, "summary": summary, "diff": diff})

    def finish(self) -> None:
        """Derives the status of workloads and the endpoints from the pods."""
        self.settle()
        for (place, plural), bodies in list(self.objects.items()):
            if plural in ("deployments", "statefulsets", "daemonsets"):
                for body in bodies.values():
                    self._workload_status(place, plural, body)
        for name, body in self.objects[self.namespace, "services"].items():
            self._endpoints(name, body)
        for pod in self.objects[self.namespace, "pods"].values():
            first, key = pod["spec"]["containers"][0]["name"], (self.namespace, pod["metadata"]["name"], False)
            runs = pod["status"].get("containerStatuses", [{"state": {}}])[0]["state"]
            if self.chatter.get(first) and "running" in runs:
                self.logs.setdefault(key, {}).setdefault(first, self.chatter[first])

    def _workload_status(self, place: str, plural: str, body: Json) -> None:
        wanted = body["spec"]["selector"]["matchLabels"].items()
        pods = [p for p in self.objects.get((place, "pods"), {}).values() if wanted <= p["metadata"]["labels"].items() and p["status"]["phase"] in ("Running", "Pending")]
        ready = sum(_is_ready(p) for p in pods)
        new = sum(p["metadata"]["annotations"]["rev"] == "new" for p in pods)
        body.setdefault("status", {}).setdefault("conditions", [])
        if plural == "daemonsets":
            nodes = len(self.objects["", "nodes"])
            body["status"].update(desiredNumberScheduled=nodes, currentNumberScheduled=nodes, numberReady=ready, numberAvailable=ready, numberUnavailable=nodes - ready, observedGeneration=7)
            return
        count = body["spec"]["replicas"]
        made = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": new, "unavailableReplicas": max(0, count - ready), "observedGeneration": 7}
        body["status"] = {**made, **body["status"]}
        if plural == "deployments":
            there = "True" if ready >= count - count // 4 else "False"
            body["status"]["conditions"].append({"type": "Available", "status": there, "reason": "MinimumReplicasAvailable" if there == "True" else "MinimumReplicasUnavailable", "lastTransitionTime": ago(900)})

    def _endpoints(self, name: str, body: Json) -> None:
        wanted = body["spec"].get("selector", {}).items()
        pods = [p for p in self.objects[self.namespace, "pods"].values() if wanted and wanted <= p["metadata"]["labels"].items() and p["status"].get("podIP")]
        ports = [{"name": p["name"], "port": next((q["containerPort"] for pod in pods for c in pod["spec"]["containers"] for q in c.get("ports", ()) if q.get("name") == p["targetPort"]), p["port"]), "protocol": "TCP"} for p in body["spec"]["ports"]]
        subset: Json = {"ports": ports}
        for key, good in (("addresses", True), ("notReadyAddresses", False)):
            if found := [{"ip": p["status"]["podIP"], "nodeName": p["spec"].get("nodeName"), "targetRef": {"kind": "Pod", "name": p["metadata"]["name"], "namespace": self.namespace}} for p in pods if _is_ready(p) == good]:
                subset[key] = found
        self.put(self.namespace, "endpoints", name, subsets=[subset] if len(subset) > 1 else [])
        slices = [{"addresses": [p["status"]["podIP"]], "conditions": {"ready": _is_ready(p), "serving": _is_ready(p), "terminating": False}, "nodeName": p["spec"].get("nodeName"), "targetRef": {"kind": "Pod", "name": p["metadata"]["name"], "namespace": self.namespace}} for p in pods]
        self.put(self.namespace, "endpointslices", f"{name}-{letters(name, 5)}", labels={"kubernetes.io/service-name": name}, addressType="IPv4", ports=ports, endpoints=slices)

    def write(self, folder: Path) -> None:
        """The snapshot as files."""
        self.finish()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "snapshot.json").write_text(json.dumps({"collectedAt": ago(0), "namespace": self.namespace}))
        for (place, plural), bodies in self.objects.items():
            (folder / place).mkdir(exist_ok=True)
            for body in bodies.values() if plural == "pods" else ():
                body["metadata"].get("annotations", {}).pop("rev", None)
            (folder / place / f"{plural}.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": list(bodies.values())}))
        for (place, pod, previous), texts in self.logs.items():
            (folder / place / pod).mkdir(parents=True, exist_ok=True)
            said = "".join(f"==== START logs for container {c} of pod {place}/{pod} ====\n{t}\n==== END logs for container {c} of pod {place}/{pod} ====\n" for c, t in texts.items())
            (folder / place / pod / ("logs-previous.txt" if previous else "logs.txt")).write_text(said)
        for name, content in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(content))


def _is_ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
