"""Faults written after the rules were mended on the others, in words that were not there: only reported on."""

from tests.cases.abroad.ground import NODES, _refused, _waits
from tests.cases.abroad.library import strange
from tests.cases.abroad.places import PORTS, Place, Town
from tests.cases.abroad.ways import _hidden, _policy, _series, _step
from tests.cases.builder import Json, at, crashing, ended, running
from tests.cases.library import Expected


def _says(t: Town, who: str, words: str, *, times: int = 6, previous: bool = False) -> None:
    t.log(who, "\n".join(f"[{at(n * 15)}] {words}" for n in range(times, 0, -1)), previous=previous)


@strange("rollback-deployment")
def later_shell_does_not_find_it(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["command"] = ["sh", "-c", "gunicorn app:main"]
    t.state(p.worker, crashing(127, restarts=6, ran=1))
    t.log(p.worker, "sh: 1: gunicorn: not found", previous=True)
    return Expected("workload.crash.command-not-found", "Deployment", p.worker)


@strange()
def later_elixir_wants_a_secret(t: Town, p: Place) -> Expected:
    t.container(p.worker)["envFrom"] = []
    t.state(p.worker, crashing(1, restarts=8, ran=2))
    words = "** (RuntimeError) environment variable SECRET_KEY_BASE is missing.\nYou can generate one by calling: mix phx.gen.secret\n    (elixir) lib/config/provider.ex:12"
    t.log(p.worker, words, previous=True)
    return Expected("workload.env.missing", "Deployment", p.worker)


@strange()
def later_ruby_fetches_a_key(t: Town, p: Place) -> Expected:
    t.container(p.api)["envFrom"] = []
    t.state(p.api, crashing(1, restarts=8, ran=2))
    t.log(p.api, 'config/initializers/pay.rb:3:in `fetch\': key not found: "PAY_GATE_TOKEN" (KeyError)', previous=True)
    return Expected("workload.env.missing", "Deployment", p.api)


@strange()
def later_proxy_knows_no_upstream(t: Town, p: Place) -> Expected:
    text = f"upstream back {{ server {p.api}-internal.{p.namespace}.svc.cluster.local:80; }}\nserver {{ listen 8443; location / {{ proxy_pass http://back; }} }}"
    t.put(p.namespace, "configmaps", {"metadata": {"name": "edge-nginx"}, "data": {"default.conf": text}})
    t.spec_of(p.edge)["volumes"] = [{"name": "conf", "configMap": {"name": "edge-nginx"}}]
    t.state(p.edge, crashing(1, restarts=9, ran=1))
    t.log(
        p.edge,
        f'2026/03/01 11:59:20 [emerg] 1#1: host not found in upstream "{p.api}-internal.{p.namespace}.svc.cluster.local:80" in /etc/nginx/conf.d/default.conf:1',
        previous=True,
    )
    return Expected("workload.config.dependency-address-wrong", "ConfigMap", "edge-nginx")


@strange("restore-service-spec")
def later_envoy_sees_no_healthy_host(t: Town, p: Place) -> Expected:
    t.get("services", p.worker)["spec"]["selector"][p.label] = f"{p.worker}-canary"
    _says(
        t,
        p.api,
        f'"POST /v1 HTTP/2" 503 UH no_healthy_upstream - "-" 0 19 0 - "outbound|{PORTS["worker"]}||{p.worker}.{p.namespace}.svc.cluster.local"',
        times=20,
    )
    t.alert("ErrorRatio", service=p.edge)
    return Expected("service.selector.mismatch", "Service", p.worker)


@strange()
def later_broker_has_no_disk(t: Town, p: Place) -> Expected:
    t.deploy("event-log", 9092, kind="StatefulSet", container={"image": "confluentinc/cp-kafka:7.6.0"})
    t.state("event-log", crashing(1, restarts=5, ran=30))
    t.log(
        "event-log",
        "[2026-03-01 11:58:02,114] ERROR Error while appending records to orders-3 in dir /var/lib/kafka/data (kafka.log.LogDirFailureChannel)\njava.io.IOException: No space left on device\n\tat sun.nio.ch.FileDispatcherImpl.write0",
        previous=True,
    )
    t.env(p.worker, "KAFKA_BROKERS", "event-log:9092")
    _says(
        t,
        p.worker,
        "WARN [Consumer clientId=c-1] Connection to node -1 (event-log/10.96.3.3:9092) could not be established. Broker may not be available.",
    )
    return Expected("workload.volume.full", "StatefulSet", "event-log", ("database.storage.full",))


@strange()
def later_only_labelled_namespaces_come_in(t: Town, p: Place) -> Expected:
    peers = [
        {
            "namespaceSelector": {"matchLabels": {"purpose": "clients"}},
            "podSelector": {"matchLabels": {p.label: p.worker}},
        }
    ]
    _policy(t, "db-clients", p.store, ["Ingress"], [{"from": peers}], None)
    _says(t, p.worker, f"SQLSTATE[HY000] [2002] Operation timed out (connecting to {p.store}:{p.store_port})")
    _hidden(t, p)
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "db-clients")


@strange("recreate-job")
def later_job_ran_out_of_time(t: Town, p: Place) -> Expected:
    spec = {
        "activeDeadlineSeconds": 600,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "r/x:1"}]}},
    }
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "DeadlineExceeded",
        "message": "Job was active longer than specified deadline",
    }
    t.put(
        p.namespace,
        "jobs",
        {
            "metadata": {"name": "reindex", "creationTimestamp": at(1500)},
            "spec": spec,
            "status": {"failed": 1, "conditions": [failed], "startTime": at(1490)},
        },
    )
    t.event("Job", "reindex", "DeadlineExceeded", "Job was active longer than specified deadline", ago=800)
    return Expected("job.failed.deadline", "Job", "reindex")


@strange()
def later_volume_is_nearly_full(t: Town, p: Place) -> Expected:
    free = {f"data-{p.store}-0": [0.2 - n * 0.0065 for n in range(30)]}
    _series(
        t,
        "volume-free",
        "kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes",
        free,
        "persistentvolumeclaim",
    )
    t.alert("KubePersistentVolumeFillingUp", persistentvolumeclaim=f"data-{p.store}-0")
    return Expected("storage.volume.full", "PersistentVolumeClaim", f"data-{p.store}-0")


@strange()
def later_quota_by_events_only(t: Town, p: Place) -> Expected:
    hard = {"limits.memory": "8Gi"}
    t.put(
        p.namespace,
        "resourcequotas",
        {
            "metadata": {"name": "mem-cap"},
            "spec": {"hard": hard},
            "status": {"hard": hard, "used": {"limits.memory": "8Gi"}},
        },
    )
    _refused(
        t,
        p.worker,
        'pods "x-1" is forbidden: exceeded quota: mem-cap, requested: limits.memory=256Mi, used: limits.memory=8Gi, limited: limits.memory=8Gi',
    )
    t.get("deployments", p.worker)["status"] = {}
    return Expected("namespace.quota.memory-exceeded", "ResourceQuota", "mem-cap")


@strange()
def later_host_port_is_taken(t: Town, p: Place) -> Expected:
    t.get("deployments", p.worker)["spec"]["replicas"] = 5
    t.container(p.worker)["ports"][0]["hostPort"] = 9000
    _waits(t, p.worker, "4 node(s) didn't have free ports for the requested pod ports")
    return Expected("workload.port.conflict", "Deployment", p.worker)


@strange()
def later_all_nodes_are_kept_for_others(t: Town, p: Place) -> Expected:
    for name in NODES:
        t.get("nodes", name, None)["spec"]["taints"] = [{"key": "pool", "value": "batch", "effect": "NoSchedule"}]
    _waits(t, p.worker, "4 node(s) had untolerated taint {pool: batch}")
    return Expected("scheduling.taint.untolerated", "Deployment", p.worker)


@strange("raise-memory-limit")
def later_agent_is_killed_everywhere(t: Town, p: Place) -> Expected:
    t.container("log-agent")["resources"] = {"limits": {"memory": "32Mi"}}
    t.state("log-agent", crashing(137, "OOMKilled", restarts=22, ran=70))
    return Expected("workload.memory.oom-killed", "DaemonSet", "log-agent", ("workload.memory.limit-too-low",))


@strange()
def later_liveness_is_impatient(t: Town, p: Place) -> Expected:
    t.container(p.api)["livenessProbe"] = {
        "httpGet": {"path": "/live", "port": "main"},
        "timeoutSeconds": 1,
        "periodSeconds": 3,
        "failureThreshold": 1,
    }
    t.state(p.api, running(restarts=14, since=20, last=ended(137, ran=200, ago=25)))
    words = f'Liveness probe failed: Get "http://10.244.1.7:{PORTS["api"]}/live": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    for index in range(2):
        t.event("Pod", t.pod_name(p.api, index), "Unhealthy", words, count=30)
        t.event(
            "Pod",
            t.pod_name(p.api, index),
            "Killing",
            f"Container {p.api} failed liveness probe, will be restarted",
            type_="Normal",
        )
    return Expected("workload.probe.liveness-timing-wrong", "Deployment", p.api)


@strange()
def later_store_knows_no_such_setting(t: Town, p: Place) -> Expected:
    text = "[mysqld]\ninnodb_bufer_pool_size=1G\n"
    t.put(p.namespace, "configmaps", {"metadata": {"name": "db-conf"}, "data": {"my.cnf": text}})
    t.spec_of(p.store)["volumes"].append({"name": "conf", "configMap": {"name": "db-conf"}})
    t.state(p.store, crashing(7, restarts=9, ran=3))
    t.log(
        p.store,
        "[ERROR] [MY-000067] [Server] unknown variable 'innodb_bufer_pool_size=1G'.\n[ERROR] [MY-010119] [Server] Aborting",
        previous=True,
    )
    t.says(p.worker, "store-refused", host=p.store, port=p.store_port)
    return Expected("workload.config.value-invalid", "ConfigMap", "db-conf")


@strange()
def later_node_drops_packets(t: Town, p: Place) -> Expected:
    lost = {name: _step(0.0, 900.0 if name == NODES[2] else 0.0) for name in NODES}
    _series(t, "node-drops", "sum by (node) (rate(node_network_receive_drop_total[2m]))", lost, "node")
    _hidden(t, p)
    return Expected("node.network.packet-loss", "Node", NODES[2])


@strange()
def later_processor_is_used_up(t: Town, p: Place) -> Expected:
    t.container(p.worker)["resources"] = {"requests": {"cpu": "200m"}, "limits": {"cpu": "200m", "memory": "256Mi"}}
    used = {p.worker: _step(0.06, 0.198), p.api: _step(0.05, 0.05), p.edge: _step(0.04, 0.04)}
    _series(t, "cpu", "sum by (container) (rate(container_cpu_usage_seconds_total[2m]))", used, "container")
    slow = {p.worker: _step(0.1, 2.2), p.api: _step(0.12, 2.3), p.edge: _step(0.15, 2.4)}
    _series(t, "p99", "histogram_quantile(0.99, sum by (service, le) (rate(request_seconds_bucket[2m])))", slow)
    t.alert("SlowRequests", service=p.edge)
    return Expected("workload.cpu.saturated", "Deployment", p.worker, ("workload.cpu", "workload.latency.saturation"))


@strange()
def later_tls_secret_is_gone(t: Town, p: Place) -> Expected:
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": p.edge, "port": {"number": PORTS["edge"]}}},
    }
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["www.example"], "secretName": "www-tls"}],
        "rules": [{"host": "www.example", "http": {"paths": [path]}}],
    }
    t.put(p.namespace, "ingresses", {"metadata": {"name": "public"}, "spec": spec})
    t.put(None, "ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    t.put(p.namespace, "secrets", {"metadata": {"name": "other"}, "data": {"k": ""}})
    t.event(
        "Ingress",
        "public",
        "Sync",
        'Error getting SSL certificate "www-tls": local SSL certificate www-tls was not found. Using default certificate',
    )
    return Expected("gateway.tls.mismatch", "Ingress", "public")


@strange()
def later_kubelet_may_not_speak(t: Town, p: Place) -> Expected:
    for name in NODES:
        broken = name == NODES[3]
        raw = (
            'E0301 11:51:00 kubelet_node_status.go:92] "Unable to register node with API server" err="Post https://10.0.0.1:6443/api/v1/nodes: x509: certificate has expired or is not yet valid"'
            if broken
            else ""
        )
        t.files[f"node-services/{name}.json"] = [
            {
                "service": "kubelet",
                "active": "activating" if broken else "active",
                "sub": "auto-restart" if broken else "running",
                "raw": raw,
            }
        ]
    body = t.get("nodes", NODES[3], None)
    body["status"]["conditions"][0] = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }
    return Expected("node.certificate.expired", "Node", NODES[3], ("node.kubelet.down",))


@strange(flavour="control")
def later_well_at_its_maximum(t: Town, p: Place) -> Expected:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": p.api}, "minReplicas": 2, "maxReplicas": 2}
    status = {
        "currentReplicas": 2,
        "desiredReplicas": 2,
        "conditions": [{"type": "ScalingActive", "status": "True"}, {"type": "AbleToScale", "status": "True"}],
    }
    t.put(p.namespace, "horizontalpodautoscalers", {"metadata": {"name": "fixed"}, "spec": spec, "status": status})
    _says(t, p.worker, "WARN HikariPool-1 - Thread starvation or clock leap detected (housekeeper delta=51s)", times=2)
    _says(t, p.api, "error: client aborted request (ECONNRESET)", times=3)
    return Expected("none.healthy", "Namespace", p.namespace, ("none",))


@strange(flavour="control")
def later_well_with_debris(t: Town, p: Place) -> Expected:
    owner = [{"kind": "CronJob", "name": "sweep", "uid": "c", "controller": True}]
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "x"}
    done = {"type": "Complete", "status": "True"}
    t.put(
        p.namespace,
        "cronjobs",
        {
            "metadata": {"name": "sweep"},
            "spec": {"schedule": "@daily"},
            "status": {"lastScheduleTime": at(20_000), "lastSuccessfulTime": at(19_000)},
        },
    )
    for name, ago, condition in (("sweep-1", 106_400, failed), ("sweep-2", 20_000, done)):
        t.put(
            p.namespace,
            "jobs",
            {
                "metadata": {"name": name, "ownerReferences": owner, "creationTimestamp": at(ago)},
                "spec": {},
                "status": {"conditions": [condition], "startTime": at(ago)},
            },
        )
    spec: Json = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "selector": {p.label: "decommissioned"},
        "ports": [{"port": 80}],
    }
    t.put(p.namespace, "services", {"metadata": {"name": "leftover-metrics"}, "spec": {**spec, "selector": None}})
    return Expected("none.healthy", "Namespace", p.namespace, ("none",))
