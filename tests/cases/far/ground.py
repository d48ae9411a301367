"""Two applications as a cluster shows them: chart labels, sidecars, endpoint slices, talkative logs, finished rollouts.

What a case breaks is said in its own few lines; everything else here is well and says a good deal.
"""

import copy
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tests.cases.builder import NOW, Cluster, Json, at, letters
from tests.cases.far.tongues import STYLES, Style, number


class Estate(Cluster):
    """A cluster with a larger application in it; `of` tells each service's style and chatter."""

    def __init__(self, namespace: str, nodes: Iterable[str], *, helm: bool) -> None:
        super().__init__(namespace, nodes)
        self.helm = helm
        self.styles: dict[str, Style] = {}
        self.calls: dict[str, list[str]] = {}
        self.done: dict[str, tuple[Json, float]] = {}
        self.said: dict[tuple[str, int, bool, str], list[str]] = {}
        self.slices = True
        self.get("services", "kube-dns", "kube-system")["spec"]["clusterIP"] = "10.96.0.10"
        for plural in ("endpointslices", "events"):
            self.objects.setdefault((namespace, plural), {})

    def service_of(
        self,
        name: str,
        port: int | None,
        style: str,
        chatter: str,
        *,
        calls: str = "",
        replicas: int = 2,
        kind: str = "Deployment",
        env: dict[str, str] | None = None,
        image: str = "",
        **spec: Any,
    ) -> None:
        """A workload with its Service, its chart's labels and some lines of a quiet day."""
        tag = f"{number(name, 5) + 1}.{number(name + 'b', 20)}.{number(name + 'c', 9)}"
        body = {"image": image or f"harbor.{self.namespace}.example/{self.namespace}/{name}:{tag}"}
        self.deploy(name, port, env=env, replicas=replicas, kind=kind, container=body, **spec)
        self._label(name, tag)
        self.styles[name] = STYLES[style]
        self.calls[name] = calls.split()
        for index in range(replicas):
            for nth, line in enumerate(chatter.split("\n")):
                level, _, text = line.strip().partition(" ")
                for again in (0, 1):
                    ago = 2700 - nth * 120 - again * 1300 + number(f"{name}{index}{nth}{again}", 90)
                    self.say(name, level, text, ago=ago, index=index)

    def _label(self, name: str, tag: str) -> None:
        own = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": self.namespace}
        if not self.helm:
            own = {"app": name, "app.kubernetes.io/part-of": self.namespace}
        extra = {"helm.sh/chart": f"{name}-0.9.4", "app.kubernetes.io/managed-by": "Helm"} if self.helm else {}
        for plural in ("deployments", "statefulsets"):
            if name in self.objects.get((self.namespace, plural), {}):
                body = self.get(plural, name)
                body["metadata"]["labels"] = {**own, **extra, "app.kubernetes.io/version": tag}
                body["spec"]["selector"]["matchLabels"] = own
                body["spec"]["template"]["metadata"]["labels"] = {**own}
        if name in self.objects[self.namespace, "services"]:
            self.get("services", name)["spec"]["selector"] = dict(own)
            self.get("services", name)["metadata"]["labels"] = {**own, **extra}

    def count(self, name: str) -> int:
        """How many replicas a workload wants."""
        for plural in ("deployments", "statefulsets"):
            if name in self.objects.get((self.namespace, plural), {}):
                return int(self.get(plural, name)["spec"]["replicas"])
        raise KeyError(name)

    def say(
        self,
        name: str,
        level: str,
        text: str,
        *,
        ago: float = 60,
        index: int = 0,
        previous: bool = False,
        container: str = "",
    ) -> None:
        """A line in the log of one pod, in the style of its program."""
        style = STYLES["plain"] if container else self.styles[name]
        line = style(name, level, text, ago)
        self.said.setdefault((name, index, previous, container), []).append(f"{10_000_000 - ago:012.1f}\0{line}")

    def fails(
        self,
        name: str,
        *texts: str,
        since: float = 900,
        times: int = 4,
        only: int | None = None,
        level: str = "ERROR",
        trace: str = "",
    ) -> None:
        """Lines that recur in the logs of a workload's pods (or of the first `only`) since then."""
        for index in range(self.count(name) if only is None else only):
            for turn in range(times):
                for nth, text in enumerate(texts):
                    ago = since * (1 - turn / times) - nth * 0.4 - index * 3 + number(f"{name}{index}{turn}", 20)
                    mark, _, rest = text.partition(" ")
                    own = mark if mark in ("INFO", "WARN", "ERROR") else level
                    said = (rest if own == mark else text) + (f"\n{trace}" if trace and nth == 0 else "")
                    self.say(name, own, said, ago=max(ago, 4), index=index)

    def page(
        self,
        alert: str,
        text: str = "",
        /,
        *,
        ago: float = 300,
        status: str = "firing",
        severity: str = "warning",
        **labels: str,
    ) -> None:
        """An alert with what it says of itself."""
        about = {"alertname": alert, "severity": severity, "namespace": self.namespace, **labels}
        sent: Json = {
            "status": status,
            "labels": about,
            "annotations": {"summary": alert, "description": text},
            "startsAt": at(ago),
        }
        if status == "resolved":
            sent["endsAt"] = at(ago / 2)
        self.files.setdefault("alerts.json", {"alerts": []})["alerts"].append(sent)

    def metric(self, name: str, query: str, *series: tuple[Json, Sequence[float]], step: float = 300) -> None:
        """A range of a query as a dashboard would ask for it: six points for each step that is told, the last now."""
        rows: list[Json] = []
        for labels, told in series:
            values = [
                round(v * (1 + (number(f"{name}{labels}{n}{k}", 41) - 20) / 1000), 6)
                for n, v in enumerate(told)
                for k in range(6)
            ]
            points = [[NOW.timestamp() - step / 6 * (len(values) - 1 - n), str(v)] for n, v in enumerate(values)]
            rows.append({"metric": {"namespace": self.namespace} | labels, "values": points})
        answer = {"query": query, "status": "success", "data": {"resultType": "matrix", "result": rows}}
        self.files[f"metrics/{name}.json"] = answer

    def released(self, name: str, ago: float) -> None:
        """The template as it is becomes the former revision; what is changed afterwards has been rolled out since."""
        self.done[name] = (copy.deepcopy(self.get("deployments", name)["spec"]["template"]), ago)

    def config(self, name: str, data: dict[str, str], *, changed: float | None = None, by: str = "helm") -> Json:
        """A ConfigMap, with the time of its last write where it was written again."""
        body = self.put(self.namespace, "configmaps", {"metadata": {"name": name}, "data": data})
        if changed is not None:
            field: Json = {"f:data": {f"f:{key}": {} for key in data}}
            written = {
                "manager": by,
                "operation": "Update",
                "time": at(changed),
                "fieldsType": "FieldsV1",
                "fieldsV1": field,
            }
            body["metadata"]["managedFields"] = [written]
        return body

    def change(self, ago: float, who: str, target: str, summary: str, diff: str = "") -> None:
        """An entry of the change record."""
        kept = self.files.setdefault("changes.json", [])
        kept.append({"at": at(ago), "who": who, "object": target, "summary": summary, "diff": diff})
        kept.sort(key=lambda entry: entry["at"], reverse=True)

    def depends(self) -> None:
        """Who calls whom, as traces tell it."""
        known = self.calls
        self.files["service-dependencies.json"] = [
            {
                "namespace": self.namespace,
                "service": name,
                "calls": calls,
                "calledBy": [other for other, theirs in known.items() if name in theirs],
            }
            for name, calls in known.items()
        ]

    def selects(self, name: str) -> Json:
        """The labels that a workload's pods are selected by."""
        for plural in ("deployments", "statefulsets"):
            if name in self.objects.get((self.namespace, plural), {}):
                return dict(self.get(plural, name)["spec"]["selector"]["matchLabels"])
        raise KeyError(name)

    def hpa(
        self, name: str, low: int, high: int, now: int, cpu: int, target: int = 70, **conditions: tuple[str, str, str]
    ) -> Json:
        """A HorizontalPodAutoscaler on CPU."""
        told = [
            {"type": kind, "status": status, "reason": reason, "message": message}
            for kind, (status, reason, message) in {
                "AbleToScale": ("True", "ReadyForNewScale", "recommended size matches current size"),
                "ScalingActive": (
                    "True",
                    "ValidMetricFound",
                    "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)",
                ),
                "ScalingLimited": ("False", "DesiredWithinRange", "the desired count is within the acceptable range"),
                **conditions,
            }.items()
        ]
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}},
                }
            ],
        }
        current = [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "current": {"averageUtilization": cpu, "averageValue": f"{cpu}m"}},
            }
        ]
        status = {"currentReplicas": now, "desiredReplicas": now, "currentMetrics": current, "conditions": told}
        return self.put(
            self.namespace, "horizontalpodautoscalers", {"metadata": {"name": name}, "spec": spec, "status": status}
        )

    def policy(self, name: str, spec: Json, ago: float) -> None:
        """A NetworkPolicy."""
        self.put(
            self.namespace, "networkpolicies", {"metadata": {"name": name, "creationTimestamp": at(ago)}, "spec": spec}
        )

    def ingress(self, name: str, host: str, paths: dict[str, tuple[str, int]], **annotations: str) -> Json:
        """An Ingress of ingress-nginx."""
        rows = [
            {"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": port}}}}
            for path, (service, port) in paths.items()
        ]
        notes = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        spec = {
            "ingressClassName": "nginx",
            "tls": [{"hosts": [host], "secretName": f"{name}-tls"}],
            "rules": [{"host": host, "http": {"paths": rows}}],
        }
        self.put(
            None, "ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
        )
        return self.put(
            self.namespace,
            "ingresses",
            {
                "metadata": {"name": name, "annotations": notes},
                "spec": spec,
                "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.40"}]}},
            },
        )

    def settle(self) -> None:
        """Controllers' part, with finished rollouts and slices; then what was said becomes logs."""
        super().settle()
        for name, (template, ago) in self.done.items():
            self._finish(name, template, ago)
        if self.slices:
            for name, body in self.objects.get((self.namespace, "endpoints"), {}).items():
                self._slice(name, body)
        for (name, index, previous, container), lines in self.said.items():
            if index < self.count(name) and name not in self.no_pods:
                pod = self.pod_name(name, index)
                text = "\n".join(line.split("\0", 1)[1] for line in sorted(lines))
                text = re.sub("<ip ([a-z-]+)>", lambda m: str(self.get("services", m[1])["spec"]["clusterIP"]), text)
                self.logs.setdefault((self.namespace, pod, previous), {})[container or name] = text

    def _finish(self, name: str, template: Json, ago: float) -> None:
        body = self.get("deployments", name)
        body["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
        body["metadata"]["generation"] = body["status"]["observedGeneration"] = 2
        mine = [
            r
            for r in self.objects[self.namespace, "replicasets"].values()
            if r["metadata"]["ownerReferences"][0]["name"] == name
        ]
        for fresh in mine:
            fresh["metadata"]["creationTimestamp"] = at(ago)
            fresh["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"
        for pod in self.objects[self.namespace, "pods"].values():
            if pod["metadata"]["ownerReferences"][0]["name"] in {r["metadata"]["name"] for r in mine}:
                pod["metadata"]["creationTimestamp"] = pod["status"]["startTime"] = at(ago - 5)
        digest = letters(f"{name}/former", 9)
        meta = copy.deepcopy(mine[0]["metadata"]) if mine else {"ownerReferences": []}
        meta.update(
            name=f"{name}-{digest}",
            creationTimestamp=at(900_000),
            annotations={"deployment.kubernetes.io/revision": "1"},
        )
        meta.pop("uid", None)
        meta["labels"]["pod-template-hash"] = digest
        self.put(
            self.namespace,
            "replicasets",
            {"metadata": meta, "spec": {"replicas": 0, "template": template}, "status": {"replicas": 0}},
        )
        if ago < 3600:
            told = f"Scaled down replica set {name}-{digest} to 0 from 1"
            self.event("Deployment", name, "ScalingReplicaSet", told, ago=ago - 30, type_="Normal", count=1)

    def _slice(self, name: str, body: Json) -> None:
        rows, ports = [], []
        for subset in body["subsets"]:
            ports = [dict(port) for port in subset.get("ports", ())]
            for key, is_ready in (("addresses", True), ("notReadyAddresses", False)):
                for address in subset.get(key, ()):
                    state = {"ready": is_ready, "serving": is_ready, "terminating": False}
                    rows.append({"addresses": [address["ip"]], "conditions": state, "targetRef": address["targetRef"]})
        meta = {"name": f"{name}-{letters(name + 'slice', 5)}", "labels": {"kubernetes.io/service-name": name}}
        self.put(
            self.namespace,
            "endpointslices",
            {"metadata": meta, "addressType": "IPv4", "endpoints": rows, "ports": ports},
        )
