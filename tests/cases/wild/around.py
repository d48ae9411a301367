"""What stands beside the incident: the platform's own namespaces, quiet logs, and benign trouble."""

# Objects read better in few long lines.
# fmt: off

import itertools
import random

from tests.cases.wild.objects import Obj, clock, make, owner, stamp, token
from tests.cases.wild.world import DAY, World

QUIET = {
    "go": ('{{"level":"info","ts":"{t}","msg":"rpc finished","method":"/{s}.v1.Api/Get","code":"OK","dur_ms":{n}}}', '{{"level":"info","ts":"{t}","msg":"cache refreshed","entries":{n}}}'),
    "python": ("{t} INFO [{s}.worker] [trace_id=4bf92f3577b34da6a3ce929d0e0e47{n} resource.service.name={s}] processed batch size={n}",),
    "java": ("{t}  INFO 1 --- [{s}] [nio-8080-exec-{n}] c.h.{s}.Controller : handled request in {n} ms",),
    "node": ('{{"level":30,"time":"{t}","pid":1,"name":"{s}","msg":"request completed","responseTime":{n}}}',),
    "php": ('10.42.1.{n} - - [{t}] "GET /index.php HTTP/1.1" 200 {n}41 "-" "Mozilla/5.0"', "[{t}] production.INFO: job done in {n}ms"),
    "dotnet": ("info: {s}.Endpoints[0] {t} Request finished HTTP/1.1 GET /v1/items - 200 in {n}.2ms",),
    "rust": ("{t}  INFO {s}::pipeline: frame batch flushed count={n}",),
    "postgres": ("{t} UTC [{n}] LOG:  checkpoint complete: wrote {n} buffers (0.3%); 0 WAL file(s) added",),
    "mariadb": ("{t} {n} [Note] InnoDB: Buffer pool(s) load completed",),
    "broker": ("{t} [info] <0.{n}.0> accepting AMQP connection", "{t} [info] closing connection"),
    "nats": ("[1] {t} [INF] JetStream cluster new consumer leader",),
    "mongo": ('{{"t":{{"$date":"{t}"}},"s":"I","c":"NETWORK","id":22943,"ctx":"listener","msg":"Connection accepted","attr":{{"remote":"10.42.1.{n}:51234","connectionCount":{n}}}}}',),
    "redis": ("1:M {t} * 100 changes in 300 seconds. Saving...", "1:M {t} * Background saving terminated with success"),
    "memcached": ("<{n} new auto-negotiating client connection",),
    "envoy": ('[{t}] "GET /api/{n} HTTP/1.1" 200 - via_upstream - "-" 0 {n}4 {n} {n} "-" "Mozilla/5.0" "9f1c4e6a" "{s}" "10.42.1.{n}:8080"',),
    "kafka": ("[{t}] INFO [GroupCoordinator 1]: Stabilized group (__consumer_offsets-{n}) with 2 members (kafka.coordinator.group.GroupCoordinator)",),
    "nginx": ('10.42.2.{n} - - [{t}] "GET /media/{n}.jpg HTTP/1.1" 200 {n}11',),
}
BENIGN = {
    "go": '{{"level":"warn","ts":"{t}","msg":"slow consumer, dropping span","dropped":{n}}}',
    "python": "{t} WARNING [{s}] urllib3.connectionpool Connection pool is full, discarding connection: otel-collector. Connection pool size: 10",
    "java": "{t}  WARN 1 --- [{s}] [main] o.h.e.jdbc.spi.SqlExceptionHelper : SQL Warning Code: 0, SQLState: 01000",
    "node": '{{"level":40,"time":"{t}","name":"{s}","msg":"(node:1) DeprecationWarning: url.parse() is deprecated"}}',
    "php": "[{t}] production.WARNING: Deprecated: strlen(): Passing null to parameter #1",
    "dotnet": "warn: Microsoft.AspNetCore.DataProtection.KeyManagement.XmlKeyManager[35] {t} No XML encryptor configured. Key may be persisted to storage in unencrypted form.",
    "rust": "{t}  WARN {s}::auth: rejected frame: bad checksum from device {n}",
}


def platform(world: World) -> None:
    """kube-system and monitoring, well."""
    for ns, name, image, count in (
        ("kube-system", "coredns", "registry.k8s.io/coredns/coredns:v1.12.1", 2),
        ("kube-system", "metrics-server", "registry.k8s.io/metrics-server/metrics-server:v0.7.2", 1),
        ("monitoring", "grafana", "docker.io/grafana/grafana:11.6.1", 1),
    ):
        plain(world, ns, name, image, count)
    meta: Obj = {"labels": {"k8s-app": "kube-proxy"}, "generation": 1}
    labels = {"k8s-app": "kube-proxy"}
    container = {"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.33.4", "resources": {"requests": {"cpu": "100m"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "hostNetwork": True}}
    made = world.add("DaemonSet", "kube-proxy", 41 * DAY, "kube-system", meta=meta, spec={"selector": {"matchLabels": labels}, "template": template})
    for number, where in enumerate(world.nodes()):
        pod = world.pod(made, number, 41 * DAY - number)
        pod["spec"]["nodeName"] = where
    counts = {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 3, "numberAvailable": 3, "updatedNumberScheduled": 3}
    made["status"] = counts | {"numberMisscheduled": 0, "observedGeneration": 1}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}, {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53}]
    spec = {"clusterIP": "172.20.0.10", "selector": {"k8s-app": "kube-dns"}, "ports": ports, "type": "ClusterIP"}
    world.add("Service", "kube-dns", 41 * DAY, "kube-system", meta={"labels": {"k8s-app": "kube-dns"}}, spec=spec)
    zone = ".:53 {\n    errors\n    health\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n    }\n    prometheus :9153\n    forward . /etc/resolv.conf\n    cache 30\n    loop\n    reload\n}\n"
    world.add("ConfigMap", "coredns", 41 * DAY, "kube-system", data={"Corefile": zone})


def plain(world: World, ns: str, name: str, image: str, count: int) -> None:
    labels = {"k8s-app": "kube-dns" if name == "coredns" else name}
    container = {"name": name, "image": image, "resources": {"requests": {"cpu": "100m", "memory": "70Mi"}, "limits": {"memory": "170Mi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "Default"}}
    meta = {"labels": labels, "generation": 2, "annotations": {"deployment.kubernetes.io/revision": "1"}}
    spec: Obj = {"replicas": count, "selector": {"matchLabels": labels}, "template": template, "strategy": {"type": "RollingUpdate"}}
    made = world.add("Deployment", name, 41 * DAY, ns, meta=meta, spec=spec)
    mark = token(10, ns, name)
    inner = {"metadata": {"labels": labels | {"pod-template-hash": mark}}, "spec": template["spec"]}
    more = {"labels": labels | {"pod-template-hash": mark}, "ownerReferences": owner(made), "annotations": meta["annotations"], "generation": 1}
    parent = make("ReplicaSet", f"{name}-{mark}", ns, 41 * DAY, meta=more, spec={"replicas": count, "selector": {"matchLabels": labels}, "template": inner})
    counts = {"replicas": count, "readyReplicas": count, "availableReplicas": count, "fullyLabeledReplicas": count, "observedGeneration": 1}
    parent["status"] = counts
    world.objs.append(parent)
    for number in range(count):
        world.pod(parent, number, 20 * DAY - number)
    said = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "lastTransitionTime": stamp(20 * DAY)}
    made["status"] = {"observedGeneration": 2, "replicas": count, "updatedReplicas": count, "readyReplicas": count, "availableReplicas": count, "conditions": [said]}


def chatter(world: World, seed: str) -> None:
    """Quiet lines before whatever the incident made the pods say; in some, old warnings."""
    chance = random.Random(seed)
    loud = set(chance.sample([s.name for s in world.svcs], 3))
    for s in world.svcs:
        for pod in world.pods(s.name):
            state = pod["status"].get("containerStatuses", [{"state": {}}])[0]["state"]
            if "running" not in state:
                continue
            key = (world.ns, pod["metadata"]["name"], s.name, False)
            times = clock(3300, 55)
            forms = [*QUIET[s.lang], *([BENIGN[s.lang]] if s.name in loud and s.lang in BENIGN else [])]
            lines = [
                form.format(t=next(times).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z", s=s.name, n=chance.randint(11, 99))
                for form in itertools.islice(itertools.cycle(forms), 14)
            ]
            world.logs[key] = lines + world.logs.get(key, [])


def scars(world: World, seed: str, spare: set[str]) -> None:
    """Old restarts, a finished rollout, a late probe: of workloads that the incident does not touch."""
    chance = random.Random(seed + "scars")
    free = [s for s in world.svcs if s.name not in spare and s.kind == "Deployment"]
    first, second, third = chance.sample(free, 3)
    for pod in [p for p in world.pods(first.name) if "containerStatuses" in p["status"]][:1]:
        world.restarted(pod, chance.randint(1, 3), 16 * 3600 + chance.randint(0, 9999), 137 if chance.random() < 0.3 else 1)
    for pod in [p for p in world.pods(second.name) if "podIP" in p["status"]][:1]:
        said = f'Readiness probe failed: Get "http://{pod["status"]["podIP"]}:{second.port}/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        world.event(pod, "Unhealthy", said, 1, 3100, 3100)
    if chance.random() < 0.6:
        for pod in world.rollout(third.name, lambda c, _: c.update(image=c["image"] + "-1"), 2400, whole=True):
            world.event(pod, "Pulled", f'Successfully pulled image "{third.image}-1" in 1.9s (1.9s including waiting)', 1, 2395, 2395, kind="Normal")
        made = world.work(third.name)
        world.event(made, "ScalingReplicaSet", f"Scaled up replica set {world.current(third.name)['metadata']['name']} from 0 to 1", 1, 2398, 2398, "deployment-controller", "Normal")
