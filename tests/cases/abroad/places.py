"""Applications unlike those of the library: other labels, kinds, sidecars, ways to be told addresses, and much around.

Each has a dozen services and more. Edge calls api, api calls worker and cache, worker calls the store; the rest call
each other and complain now and then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.cases.abroad.tongues import DOTNET, GO, JAVA, NODE, PYTHON, RUST, Tongue
from tests.cases.builder import Cluster, Json, at, ended, letters, running


@dataclass(frozen=True)
class Place:
    """Who plays which part in an application, and how it is built."""

    namespace: str
    edge: str
    api: str
    worker: str
    store: str
    cache: str
    store_port: int
    label: str
    told: Literal["config-map", "fqdn", "flags"]
    sidecar: str
    speaks: Mapping[str, Tongue]
    others: tuple[str, ...]
    store_image: str
    cache_kind: str

    def tongue(self, name: str) -> Tongue:
        """How a service speaks."""
        return self.speaks[name]


PLACES = {
    "bank": Place(
        "ledger-prod", "teller-gw", "accounts", "postings", "pg-core", "session-redis", 5432,
        "app.kubernetes.io/name", "config-map", "",
        {"teller-gw": NODE, "accounts": JAVA, "postings": JAVA},
        ("kyc", "fx", "cards", "statements", "fraud", "limits", "notify", "audit"),
        "docker.io/bitnami/postgresql:15.4.0", "StatefulSet",
    ),
    "clinic": Place(
        "meditrack", "front-door", "appointments", "records", "mysql-main", "memcache", 3306,
        "workload", "fqdn", "istio-proxy",
        {"front-door": GO, "appointments": NODE, "records": PYTHON},
        ("billing", "labs", "imaging", "pharmacy", "patients", "consent", "reminders"),
        "mysql:8.0", "Deployment",
    ),
    "arena": Place(
        "arena-eu-1", "lobby", "matchmaker", "rankings", "scores-pg", "presence", 5433,
        "k8s-app", "flags", "",
        {"lobby": DOTNET, "matchmaker": RUST, "rankings": GO},
        ("chat", "inventory", "loot", "replays", "anticheat", "friends", "guilds", "shopfront", "telemetry", "mail"),
        "ghcr.io/zalando/spilo-15:3.0-p1", "StatefulSet",
    ),
}  # fmt: skip


class Town(Cluster):
    """A cluster with one of these applications in it."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.namespace, nodes=("ip-10-0-1-11", "ip-10-0-2-22", "ip-10-0-3-33", "ip-10-0-4-44"))
        self.place = place

    def deploy(self, name: str, port: int | None, **about: Any) -> Json:
        """A workload under this application's conventions: its labels, ports by name, a sidecar where it has them."""
        sidecar = about.pop("sidecar", False)
        body = super().deploy(name, port, **about)
        if about.get("namespace"):
            return body
        chosen = {self.place.label: name}
        labels = {**chosen, "team": letters(name, 3), "app.kubernetes.io/part-of": self.place.namespace}
        body["metadata"]["labels"] = labels
        body["spec"]["selector"]["matchLabels"] = dict(chosen)
        template = body["spec"]["template"]
        template["metadata"]["labels"] = labels
        if port is not None:
            template["spec"]["containers"][0]["ports"][0]["name"] = "main"
            for service in self.objects[self.namespace, "services"].values():
                if service["spec"].get("selector") == {"app": name}:
                    service["spec"]["selector"] = dict(chosen)
                    service["spec"]["ports"][0]["targetPort"] = "main"
        if sidecar:
            template["spec"]["containers"].append(
                {
                    "name": self.place.sidecar,
                    "image": "docker.io/istio/proxyv2:1.22.0",
                    "ports": [{"containerPort": 15090, "name": "http-envoy"}],
                }
            )
        return body

    def spec_of(self, name: str) -> Json:
        """The pod spec of a workload of any kind."""
        for plural in ("deployments", "statefulsets", "daemonsets"):
            if name in self.objects.get((self.namespace, plural), {}):
                found: Json = self.get(plural, name)["spec"]["template"]["spec"]
                return found
        raise KeyError(name)

    def kind_of(self, name: str) -> str:
        """What kind of workload it is."""
        kinds = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
        return next(k for p, k in kinds.items() if name in self.objects.get((self.namespace, p), {}))

    def tell(self, who: str, key: str, value: str) -> tuple[str, str]:
        """Tells a workload a setting as this application does; the object that holds it."""
        if self.place.told == "config-map":
            self.get("configmaps", f"{who}-env")["data"][key] = value
            return "ConfigMap", f"{who}-env"
        if self.place.told == "flags":
            flag = f"--{key.lower().replace('_', '-')}="
            container = self.container(who)
            container["args"] = [a for a in container.get("args", []) if not a.startswith(flag)] + [flag + value]
            return self.kind_of(who), who
        self.env(who, key, value)
        return self.kind_of(who), who

    def says(self, who: str, kind: str, *, previous: bool = False, **about: Any) -> None:
        """Lets a workload log something in its own words."""
        self.log(who, self.place.tongue(who).said(kind, **about), previous=previous)

    def logs_of(self, who: str, text: str) -> None:
        """Adds to what all pods of a workload log."""
        for index in range(2):
            self.log(who, text, index=index)


PORTS = {"edge": 8443, "api": 8081, "worker": 9000, "cache": 6379}


def built(place: Place) -> Town:
    """The application, well, in the middle of its life."""
    town = Town(place)
    for kind in ("cronjobs", "jobs", "persistentvolumes", "serviceaccounts"):
        town.objects.setdefault((("" if kind == "persistentvolumes" else place.namespace), kind), {})
    _parts(town, place)
    _told(town, place)
    _around(town, place)
    _past(town, place)
    if place.told == "config-map":
        _applied(town, "services")
    return town


def _applied(town: Town, plural: str) -> None:
    """What `kubectl apply` leaves on what it applied."""
    for body in town.objects[town.namespace, plural].values():
        last = json.dumps({"kind": "Service", "metadata": {"name": body["metadata"]["name"]}, "spec": body["spec"]})
        body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": last}


def _parts(town: Town, p: Place) -> None:
    mesh = bool(p.sidecar)
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{p.store}-0"}}
    town.deploy(
        p.store,
        p.store_port,
        kind="StatefulSet",
        container={"image": p.store_image, "volumeMounts": [{"name": "data", "mountPath": "/var/lib/data"}]},
        volumes=[claim],
    )
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "volumeName": "pvc-77aa",
        "resources": {"requests": {"storage": "20Gi"}},
    }
    town.put(
        p.namespace,
        "persistentvolumeclaims",
        {
            "metadata": {"name": f"data-{p.store}-0"},
            "spec": spec,
            "status": {"phase": "Bound", "capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"]},
        },
    )
    volume = {
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "claimRef": {"namespace": p.namespace, "name": f"data-{p.store}-0"},
    }
    town.put(
        None, "persistentvolumes", {"metadata": {"name": "pvc-77aa"}, "spec": volume, "status": {"phase": "Bound"}}
    )
    town.put(
        None,
        "storageclasses",
        {"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer"},
    )
    headless = [{"name": "main", "port": p.store_port, "targetPort": p.store_port}]
    town.service(f"{p.store}-hl", {p.label: p.store}, headless)["spec"]["clusterIP"] = "None"
    image = "memcached:1.6" if "mem" in p.cache else "redis:7.2-alpine"
    town.deploy(p.cache, PORTS["cache"], kind=p.cache_kind, container={"image": image})
    town.deploy(p.worker, PORTS["worker"], replicas=2, sidecar=mesh)
    town.deploy(p.api, PORTS["api"], replicas=2, sidecar=mesh, service_port=80)
    town.deploy(p.edge, PORTS["edge"], replicas=2)
    agent = {"image": "fluent/fluent-bit:3.0"}
    town.deploy("log-agent", None, kind="DaemonSet", container=agent, service=None)


def _told(town: Town, p: Place) -> None:
    zone = f".{p.namespace}.svc.cluster.local"
    ends = {
        p.edge: {"API_URL": f"http://{p.api}{zone}"},
        p.api: {"WORKER_ENDPOINT": f"{p.worker}{zone}:{PORTS['worker']}", "CACHE_ADDR": f"{p.cache}:{PORTS['cache']}"},
        p.worker: {"DB_HOST": f"{p.store}", "DB_PORT": str(p.store_port), "DB_NAME": "main", "DB_USER": "svc"},
    }
    for who, settings in ends.items():
        if p.told == "config-map":
            town.put(p.namespace, "configmaps", {"metadata": {"name": f"{who}-env"}, "data": {}})
            town.container(who)["envFrom"] = [{"configMapRef": {"name": f"{who}-env"}}]
        for key, value in settings.items():
            town.tell(who, key, value)


_GRUMBLES = (
    ("warn", "slow query 1320 ms: SELECT id FROM items", ""),
    ("error", "failed to export traces", "rpc error: code = Unavailable desc = connection refused to otel:4317"),
    ("error", "request failed with status 404 for /robots.txt", ""),
    ("warn", "retrying after timeout (attempt 1/5)", ""),
    ("error", "user input rejected: invalid value for field zip", ""),
    ("warn", "certificate will be renewed in 41 days", ""),
    ("error", "login failed: bad password for user alice@example.org", ""),
    ("warn", "queue depth 12, lag 0", ""),
)


def _around(town: Town, p: Place) -> None:
    for number, name in enumerate(p.others):
        port = 7100 + number
        follower = p.others[(number + 1) % len(p.others)]
        env = {"NEXT_URL": f"http://{follower}:{7100 + (number + 1) % len(p.others)}/v2", "LOG_LEVEL": "info"}
        if number % 3 == 0:
            env["API_BASE"] = f"http://{p.api}.{p.namespace}.svc"
        town.deploy(name, port, env=env, replicas=1 + number % 3, kind="StatefulSet" if number == 4 else "Deployment")
        tongue = (JAVA, GO, PYTHON, NODE, RUST, DOTNET)[number % 6]
        level, words, trace = _GRUMBLES[number % len(_GRUMBLES)]
        lines = [tongue.line("info", f"GET /v2/{n} 200", ago=3000 - n * 40) for n in range(40)]
        lines[7::13] = [tongue.line(level, words, trace, ago=2000)] * len(lines[7::13])
        town.log(name, "\n".join(lines))
    town.log(p.edge, '10.0.1.9 - - [01/Mar/2026:11:59:00 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8"\n' * 20)
    town.log(
        p.store,
        "LOG:  checkpoint complete: wrote 41 buffers\nERROR:  duplicate key value violates unique constraint\n" * 3,
    )


def _past(town: Town, p: Place) -> None:
    first, second, third = p.others[:3]
    town.state(first, running(restarts=4, since=190_000, last=ended(137, "OOMKilled", ran=60_000, ago=190_010)))
    town.state(second, running(restarts=1, since=50_000, last=ended(255, "Unknown", ran=60_000, ago=50_010)))
    town.event(
        "Pod",
        f"{third}-5d9c7b7f4-qqqqq",
        "Unhealthy",
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
        ago=3300,
        count=3,
    )
    town.event(
        "Pod",
        f"{second}-77c9d9d9c-rrrrr",
        "FailedMount",
        'MountVolume.SetUp failed for volume "cfg": configmap "old-cfg" not found',
        ago=3500,
        count=9,
    )
    town.event("Deployment", third, "ScalingReplicaSet", "Scaled up replica set to 2", type_="Normal", ago=240)
    _rolled(town, third)
    town.alert("Watchdog", severity="none")
    town.alert("KubeCPUOvercommit", severity="warning", status="resolved")


def _rolled(town: Town, name: str) -> None:
    """A rollout of somebody else's, a few minutes ago, that went well."""
    body = town.get("deployments", name)
    template = body["spec"]["template"]
    old = {
        **template,
        "spec": {
            **template["spec"],
            "containers": [{**template["spec"]["containers"][0], "image": "registry.example/old:0.9"}],
        },
    }
    meta = {
        "name": f"{name}-oldoldold",
        "labels": {**template["metadata"]["labels"], "pod-template-hash": "oldoldold"},
        "creationTimestamp": at(80_000),
        "annotations": {"deployment.kubernetes.io/revision": "0"},
        "ownerReferences": [{"kind": "Deployment", "name": name, "uid": body["metadata"]["uid"], "controller": True}],
    }
    town.put(
        town.namespace,
        "replicasets",
        {"metadata": meta, "spec": {"replicas": 0, "template": old}, "status": {"replicas": 0}},
    )
