"""A namespace that works, what can be done to it, and what its controllers would make of that."""

# Objects read better in few long lines.
# fmt: off

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cases.wild.objects import NOW, Obj, condition, make, managed, matches, node, owner, probe, stamp, token, uid

PLURALS = {
    "Pod": "pods", "Event": "events", "Service": "services", "Endpoints": "endpoints", "EndpointSlice": "endpointslices",
    "Deployment": "deployments", "ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets",
    "Job": "jobs", "CronJob": "cronjobs", "ConfigMap": "configmaps", "Secret": "secrets", "ServiceAccount": "serviceaccounts",
    "PersistentVolumeClaim": "persistentvolumeclaims", "ResourceQuota": "resourcequotas", "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets", "Role": "roles", "RoleBinding": "rolebindings", "Lease": "leases",
    "Node": "nodes", "PersistentVolume": "persistentvolumes", "StorageClass": "storageclasses", "Namespace": "namespaces",
    "Certificate": "certificates", "NetworkChaos": "networkchaos", "VirtualService": "virtualservices",
}
DAY = 86400.0


@dataclass(frozen=True)
class Svc:
    """A workload with its Service, in a line."""

    name: str
    image: str
    port: int = 8080
    replicas: int = 2
    kind: str = "Deployment"
    calls: tuple[str, ...] = ()
    env: Obj = field(default_factory=dict)
    lang: str = "go"
    mem: str = "256Mi"
    cpu: str = "500m"
    config: bool = False
    secret: bool = False
    disk: str | None = None
    probed: str | None = "/healthz"
    port_name: str = "http"
    account: bool = False


@dataclass
class World:
    ns: str
    svcs: tuple[Svc, ...]
    label: str = "app.kubernetes.io/name"
    objs: list[Obj] = field(default_factory=list)
    logs: dict[tuple[str, str, str, bool], list[str]] = field(default_factory=dict)
    alerts: list[Obj] = field(default_factory=list)
    metrics: dict[str, Obj] = field(default_factory=dict)
    patterns: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    refused: list[tuple[str, int, list[tuple[str, bool]], str]] = field(default_factory=list)
    changes: list[Obj] = field(default_factory=list)
    units: dict[str, list[Obj]] = field(default_factory=dict)
    intended: dict[str, list[Obj]] = field(default_factory=dict)
    ip: int = 10

    # Looking

    def all(self, kind: str, ns: str | None = "") -> list[Obj]:
        where = self.ns if ns == "" else ns
        return [o for o in self.objs if o["kind"] == kind and o["metadata"].get("namespace") == where]

    def get(self, kind: str, name: str, ns: str | None = "") -> Obj:
        return next(o for o in self.all(kind, ns) if o["metadata"]["name"] == name)

    def svc(self, name: str) -> Svc:
        return next(s for s in self.svcs if s.name == name)

    def work(self, name: str) -> Obj:
        return self.get(self.svc(name).kind, name)

    def pods(self, name: str, ns: str = "") -> list[Obj]:
        return [p for p in self.all("Pod", ns) if p["metadata"]["labels"].get(self.label) == name]

    def callers(self, name: str) -> list[str]:
        return [s.name for s in self.svcs if name in s.calls]

    def nodes(self) -> list[str]:
        return [n["metadata"]["name"] for n in self.all("Node", None)]

    # Making

    def add(self, kind: str, name: str, age: float = 30 * DAY, ns: str | None = "", **rest: Any) -> Obj:
        made = make(kind, name, self.ns if ns == "" else ns, age, **rest)
        self.objs.append(made)
        return made

    def remove(self, obj: Obj) -> None:
        self.objs = [o for o in self.objs if o is not obj]

    def template(self, s: Svc) -> Obj:
        main: Obj = {"name": s.name, "image": s.image, "imagePullPolicy": "IfNotPresent"}
        main["ports"] = [{"name": s.port_name, "containerPort": s.port, "protocol": "TCP"}]
        main["env"] = [{"name": key, "value": value} for key, value in s.env.items()]
        if s.secret:
            ref = {"secretKeyRef": {"name": f"{s.name}-credentials", "key": "password"}}
            main["env"].append({"name": "DB_PASSWORD", "valueFrom": ref})
        if s.config:
            main["envFrom"] = [{"configMapRef": {"name": f"{s.name}-config"}}]
        main["resources"] = {"limits": {"cpu": s.cpu, "memory": s.mem}, "requests": {"cpu": "50m", "memory": s.mem}}
        if s.probed is not None:
            main["readinessProbe"] = probe(s.port_name, s.probed or None, initialDelaySeconds=5)
            main["livenessProbe"] = probe(s.port_name, s.probed or None, initialDelaySeconds=20)
        main |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        spec: Obj = {"containers": [main], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30}
        spec |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {}}
        if s.account:
            spec |= {"serviceAccountName": s.name, "serviceAccount": s.name}
        if s.disk and s.kind != "StatefulSet":
            spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": f"{s.name}-data"}}]
        if s.disk:
            main["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/data"}]
        return {"metadata": {"creationTimestamp": None, "labels": self.labels(s)}, "spec": spec}

    def labels(self, s: Svc) -> Obj:
        return {self.label: s.name} | ({"app.kubernetes.io/instance": self.ns} if "/" in self.label else {})

    def build(self) -> "World":
        """The namespace as it was before anything went wrong."""
        for name, zone in (("ip-10-0-1-17", "eu-west-1a"), ("ip-10-0-2-81", "eu-west-1b"), ("ip-10-0-3-140", "eu-west-1c")):
            self.objs.append(node(name + ".eu-west-1.compute.internal", zone))
        for ns in (self.ns, "kube-system", "monitoring", "default"):
            labels = {"kubernetes.io/metadata.name": ns}
            body = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
            self.add("Namespace", ns, 41 * DAY, None, meta={"labels": labels}, **body)
        self.add(
            "StorageClass", "gp3", 41 * DAY, None, provisioner="ebs.csi.aws.com", reclaimPolicy="Delete",
            volumeBindingMode="WaitForFirstConsumer", allowVolumeExpansion=True,
            meta={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        )
        for ns in (self.ns, "kube-system", "monitoring"):
            self.add("ServiceAccount", "default", 41 * DAY, ns)
            body = {"data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nMIIC…\n-----END CERTIFICATE-----\n"}}
            self.add("ConfigMap", "kube-root-ca.crt", 41 * DAY, ns, **body)
        for s in self.svcs:
            self.deploy(s)
        return self

    def deploy(self, s: Svc) -> None:
        meta: Obj = {"labels": self.labels(s) | {"app.kubernetes.io/managed-by": "Helm"}, "generation": 4}
        meta["annotations"] = {"meta.helm.sh/release-name": self.ns, "meta.helm.sh/release-namespace": self.ns}
        spec: Obj = {"selector": {"matchLabels": {self.label: s.name}}, "template": self.template(s)}
        if s.config:
            self.add("ConfigMap", f"{s.name}-config", data={"LOG_LEVEL": "info", "REQUEST_TIMEOUT": "5s"})
        if s.secret:
            self.add("Secret", f"{s.name}-credentials", type="Opaque", data={"username": "", "password": ""})
        if s.account:
            self.add("ServiceAccount", s.name)
        if s.kind != "DaemonSet":
            spec["replicas"] = s.replicas
        if s.kind == "Deployment":
            rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
            spec |= {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
            spec |= {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 10}
            meta["annotations"]["deployment.kubernetes.io/revision"] = "4"
        if s.kind == "StatefulSet":
            spec |= {"serviceName": s.name, "podManagementPolicy": "OrderedReady", "updateStrategy": {"type": "RollingUpdate"}}
        if s.disk and s.kind == "StatefulSet":
            claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": s.disk}}}
            spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim | {"storageClassName": "gp3"}}]
        made = self.add(s.kind, s.name, meta=meta, spec=spec)
        if s.kind == "Deployment":
            self.replica_set(made, 4, 9 * DAY)
        for number in range(s.replicas if s.kind != "DaemonSet" else len(self.nodes())):
            self.pod(made, number, 2 * DAY + 3000 * number)
        if s.disk:
            for number in range(s.replicas if s.kind == "StatefulSet" else 1):
                self.claim(f"data-{s.name}-{number}" if s.kind == "StatefulSet" else f"{s.name}-data", s.disk)
        if s.port:
            self.service(s)

    def claim(self, name: str, size: str, phase: str = "Bound") -> Obj:
        volume = f"pvc-{uid('pv', self.ns, name)}"
        spec: Obj = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        spec |= {"storageClassName": "gp3", "volumeMode": "Filesystem"}
        status: Obj = {"phase": phase}
        if phase == "Bound":
            spec["volumeName"] = volume
            status |= {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}}
            ref = {"kind": "PersistentVolumeClaim", "namespace": self.ns, "name": name, "uid": uid("PersistentVolumeClaim", self.ns, name)}
            body: Obj = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "claimRef": ref}
            body |= {"persistentVolumeReclaimPolicy": "Delete", "storageClassName": "gp3", "volumeMode": "Filesystem"}
            self.add("PersistentVolume", volume, ns=None, spec=body, status={"phase": "Bound"})
        return self.add("PersistentVolumeClaim", name, spec=spec, status=status)

    def service(self, s: Svc) -> Obj:
        self.ip += 1
        port = {"name": s.port_name, "port": s.port, "protocol": "TCP", "targetPort": s.port_name}
        address = "None" if s.kind == "StatefulSet" else f"172.20.{self.ip // 200}.{self.ip % 200}"
        spec = {"selector": {self.label: s.name}, "ports": [port], "clusterIP": address, "clusterIPs": [address]}
        spec |= {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
        return self.add("Service", s.name, spec=spec, status={"loadBalancer": {}}, meta={"labels": self.labels(s)})

    def replica_set(self, deployment: Obj, revision: int, age: float) -> Obj:
        template = copy.deepcopy(deployment["spec"]["template"])
        name = deployment["metadata"]["name"]
        mark = token(10, name, revision)
        template["metadata"]["labels"]["pod-template-hash"] = mark
        labels = {self.label: name, "pod-template-hash": mark}
        meta = {"labels": labels, "ownerReferences": owner(deployment), "generation": 2}
        meta["annotations"] = {"deployment.kubernetes.io/revision": str(revision), "deployment.kubernetes.io/desired-replicas": "2"}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        return self.add("ReplicaSet", f"{name}-{mark}", age, meta=meta, spec=spec)

    def current(self, name: str) -> Obj:
        """The newest ReplicaSet of a Deployment."""
        sets = [o for o in self.all("ReplicaSet") if o["metadata"]["ownerReferences"][0]["name"] == name]
        return max(sets, key=lambda o: int(o["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))

    def pod(self, made: Obj, number: int, age: float) -> Obj:
        """A pod that is well, of a workload or a Job."""
        name = made["metadata"]["name"]
        parent = self.current(name) if made["kind"] == "Deployment" else made
        template = copy.deepcopy(parent["spec"]["template"])
        suffix = {"StatefulSet": str(number)}.get(made["kind"], token(5, name, number, age))
        spec = template["spec"]
        where = self.nodes()[(number + len(name)) % len(self.nodes())]
        spec["nodeName"] = where
        spec.setdefault("serviceAccountName", "default")
        spec |= {"enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0}
        spec["tolerations"] = [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ]
        mount = f"kube-api-access-{token(5, name, number)}"
        volume = {"name": mount, "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}}
        spec["volumes"] = [*spec.get("volumes", []), volume]
        if made["kind"] == "StatefulSet" and made["spec"].get("volumeClaimTemplates"):
            spec["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}-{number}"}})
        self.ip += 1
        meta = {"labels": template["metadata"]["labels"], "ownerReferences": owner(parent)}
        meta["generateName"] = parent["metadata"]["name"] + "-"
        status: Obj = {"phase": "Running", "hostIP": "10.0.1.17", "podIP": f"10.42.{self.ip // 250}.{self.ip % 250}"}
        status |= {"qosClass": "Burstable", "startTime": stamp(age - 1), "podIPs": [{"ip": f"10.42.1.{self.ip % 250}"}]}
        found = self.add("Pod", f"{parent['metadata']['name']}-{suffix}", age, made["metadata"]["namespace"], meta=meta, spec=spec, status=status)
        status["containerStatuses"] = [self.running(found, c, age - 4) for c in spec["containers"]]
        self.conditions(found, age)
        return found

    def running(self, pod: Obj, container: Obj, age: float) -> Obj:
        ident = "containerd://" + uid(pod["metadata"]["name"], container["name"]).replace("-", "") * 2
        found: Obj = {"name": container["name"], "image": container["image"], "ready": True, "started": True}
        found |= {"restartCount": 0, "containerID": ident, "imageID": f"{container['image'].split(':')[0]}@sha256:{uid(container['image']).replace('-', '') * 2}"}
        return found | {"lastState": {}, "state": {"running": {"startedAt": stamp(age)}}}

    def conditions(self, pod: Obj, ago: float, scheduled: bool = True, why: str | None = None) -> None:
        names = [c["name"] for c in pod["status"].get("containerStatuses", []) if not c["ready"]]
        if not scheduled:
            pod["status"]["conditions"] = [condition("PodScheduled", False, ago, "Unschedulable", why)]
            return
        reason, said = ("ContainersNotReady", f"containers with unready status: [{' '.join(names)}]") if names else (None, None)
        pod["status"]["conditions"] = [
            condition("PodReadyToStartContainers", True, ago), condition("Initialized", True, ago),
            condition("Ready", not names, ago, reason, said), condition("ContainersReady", not names, ago, reason, said),
            condition("PodScheduled", True, ago),
        ]

    # Doing

    def rollout(self, name: str, change: Callable[[Obj, Obj], Any], ago: float = 840, whole: bool = False, manager: str = "helm") -> list[Obj]:
        """A new revision; the first of its pods (all, if whole), and the old ones where they still serve."""
        made, s = self.work(name), self.svc(name)
        template = made["spec"]["template"]
        change(template["spec"]["containers"][0], template["spec"])
        made["metadata"]["generation"] += 1
        made["metadata"]["managedFields"][0] |= {"time": stamp(ago), "manager": manager}
        old = self.pods(name)
        if s.kind == "Deployment":
            made["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "5"
            self.replica_set(made, 5, ago)
        if s.kind != "Deployment" or whole:
            going = old if whole else old[-1:] if s.kind != "Deployment" or len(old) >= 4 else []
            for pod in going:
                self.remove(pod)
        count = len(old) if whole else 1
        numbers = [len(old) - 1] if s.kind == "StatefulSet" and not whole else range(count)
        return [self.pod(made, number, ago - 2) for number in numbers]

    def edit(self, obj: Obj, ago: float = 700, manager: str = "kubectl-edit", fields: Obj | None = None) -> Obj:
        """Mark an object as changed by hand."""
        entry = managed(manager, ago, obj["apiVersion"], fields or {"f:spec": {}})
        obj["metadata"]["managedFields"].append(entry)
        obj["metadata"]["generation"] = obj["metadata"].get("generation", 1) + 1
        return obj

    def crash(self, pod: Obj, code: int = 1, reason: str = "Error", restarts: int = 7, ago: float = 70, life: float = 4, message: str = "") -> None:
        """CrashLoopBackOff."""
        status = pod["status"]["containerStatuses"][0]
        ended: Obj = {"exitCode": code, "reason": reason, "startedAt": stamp(ago + life), "finishedAt": stamp(ago)}
        ended["containerID"] = status["containerID"]
        if message:
            ended["message"] = message
        full = f"{pod['metadata']['name']}_{self.ns}({pod['metadata']['uid']})"
        said = f"back-off 5m0s restarting failed container={status['name']} pod={full}"
        status |= {"ready": False, "started": False, "restartCount": restarts, "lastState": {"terminated": ended}}
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": said}}
        self.conditions(pod, 800)
        self.event(pod, "BackOff", f"Back-off restarting failed container {status['name']} in pod {full}", restarts * 4, 800, 25)

    def restarted(self, pod: Obj, times: int, ago: float, code: int = 1, reason: str = "Error", life: float = 5000) -> None:
        """Runs again, after it ended ``ago`` seconds before."""
        status = pod["status"]["containerStatuses"][0]
        ended = {"exitCode": code, "reason": reason, "startedAt": stamp(ago + life), "finishedAt": stamp(ago)}
        status |= {"restartCount": times, "lastState": {"terminated": ended}}
        status["state"] = {"running": {"startedAt": stamp(ago - 2)}}

    def wait(self, pod: Obj, reason: str, message: str = "", ago: float = 800) -> None:
        status = pod["status"]["containerStatuses"][0]
        status |= {"ready": False, "started": False}
        status["state"] = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        pod["status"]["phase"] = "Pending"
        for key in ("containerID", "imageID"):
            status[key] = ""
        self.conditions(pod, ago)

    def unready(self, pod: Obj, ago: float = 800) -> None:
        for status in pod["status"]["containerStatuses"][:1]:
            status["ready"] = False
        self.conditions(pod, ago)

    def unplaced(self, pod: Obj, why: str, ago: float = 800) -> None:
        pod["spec"].pop("nodeName")
        pod["status"] = {"phase": "Pending", "qosClass": "Burstable"}
        self.conditions(pod, ago, False, why)
        self.event(pod, "FailedScheduling", why, 1, ago, 30, source="default-scheduler")

    def event(
        self, obj: Obj, reason: str, message: str, count: int = 1, first: float = 800, last: float = 60,
        source: str = "kubelet", kind: str = "Warning", field_path: str | None = None,
    ) -> None:
        ns = obj["metadata"].get("namespace") or "default"
        name = obj["metadata"]["name"]
        involved: Obj = {"kind": obj["kind"], "name": name, "uid": obj["metadata"]["uid"], "apiVersion": obj["apiVersion"]}
        involved |= {"namespace": ns} if obj["metadata"].get("namespace") else {}
        involved |= {"fieldPath": field_path} if field_path else {}
        body: Obj = {"involvedObject": involved, "reason": reason, "message": message, "type": kind, "eventTime": None}
        body |= {"reportingInstance": "", "reportingComponent": source, "source": {"component": source}}
        if source == "kubelet" and obj["kind"] == "Pod" and obj["spec"].get("nodeName"):
            body["source"]["host"] = body["reportingInstance"] = obj["spec"]["nodeName"]
        if source == "default-scheduler":
            body |= {"source": {}, "eventTime": stamp(first).replace("Z", ".204811Z"), "action": "Scheduling"}
            body |= {"firstTimestamp": None, "lastTimestamp": None, "reportingInstance": "default-scheduler-ip-10-0-0-9"}
            if last < first:
                body["series"] = {"count": max(2, int((first - last) / 300)), "lastObservedTime": stamp(last).replace("Z", ".993120Z")}
        else:
            body |= {"firstTimestamp": stamp(first), "lastTimestamp": stamp(last), "count": count}
        made = make("Event", f"{name}.{uid(name, reason, message)[:13].replace('-', '')}", ns, first, **body)
        made["metadata"].pop("managedFields")
        self.objs.append(made)

    def log(self, pod: Obj, *lines: str, previous: bool = False, container: str | None = None) -> None:
        inner = container or pod["spec"]["containers"][0]["name"]
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"], inner, previous)
        self.logs.setdefault(key, []).extend(lines)

    def say(self, name: str, *lines: str, times: int = 6) -> None:
        """What all pods of a service log, several times; also folded."""
        for pod in self.pods(name):
            self.log(pod, *(line for _ in range(times) for line in lines))
        self.patterns.setdefault(name, []).extend((times * 17, line) for line in lines)

    def alert(self, name: str, /, ago: float = 600, severity: str = "warning", note: str = "", **labels: str) -> None:
        full = {"alertname": name, "severity": severity, "namespace": self.ns, "prometheus": "monitoring/k8s"} | labels
        notes = {"summary": note or name, "runbook_url": f"https://runbooks.prometheus-operator.dev/{name.lower()}"}
        body: Obj = {"status": "firing", "labels": full, "annotations": notes, "startsAt": stamp(ago), "endsAt": "0001-01-01T00:00:00Z"}
        self.alerts.append(body | {"generatorURL": "http://prometheus.monitoring:9090/graph", "fingerprint": uid(str(full))[:16].replace("-", "")})

    def metric(self, name: str, query: str, *series: tuple[Obj, Sequence[float]], step: int = 60) -> None:
        """An answer of query_range that ends when the snapshot was taken."""
        found = []
        for labels, values in series:
            start = NOW.timestamp() - step * (len(values) - 1)
            found.append({"metric": labels, "values": [[start + step * i, f"{v:g}"] for i, v in enumerate(values)]})
        self.metrics[name] = {"status": "success", "query": query, "data": {"resultType": "matrix", "result": found}}

    def changed(self, obj: Obj, summary: str, diff: str = "", ago: float = 860, who: str = "ci-deployer") -> None:
        ref = {"kind": obj["kind"], "namespace": obj["metadata"].get("namespace"), "name": obj["metadata"]["name"]}
        self.changes.append({"at": stamp(ago), "who": who, "object": ref, "summary": summary, "diff": diff})

    def connect(self, service: str, port: int, ok: bool, *probes: tuple[str, bool], raw: str = "") -> None:
        self.refused.append((service, port, list(probes), raw or ("open" if ok else "nc: connect: Connection refused")))


def healthy_endpoints(world: World, service: Obj) -> tuple[list[Obj], list[Obj]]:
    """The pods behind a Service: ready ones, and others."""
    chosen = [p for p in world.all("Pod") if matches(service["spec"].get("selector"), p["metadata"]["labels"])]
    chosen = [p for p in chosen if p["status"].get("podIP") and p["status"]["phase"] == "Running"]
    ready = [p for p in chosen if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"]["conditions"])]
    return ready, [p for p in chosen if p not in ready]
