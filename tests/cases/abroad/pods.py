"""Faults of one workload's own: images, crashes, memory, probes, ports, volumes, rollouts."""

from tests.cases.abroad.library import strange
from tests.cases.abroad.places import PORTS, Place, Town
from tests.cases.builder import Json, at, crashing, ended, running, waiting
from tests.cases.library import Expected

BACK = ("rollback-deployment",)


def _pulls(t: Town, who: str, words: str, reason: str = "ImagePullBackOff") -> None:
    image = t.container(who)["image"]
    t.state(who, waiting(reason, f'Back-off pulling image "{image}": ErrImagePull: {words}'))
    for index in range(2):
        t.event("Pod", t.pod_name(who, index), "Failed", f'Failed to pull image "{image}": {words}', ago=25)


@strange()
def pulls_are_counted(t: Town, p: Place) -> Expected:
    _pulls(t, p.worker, "failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.")  # fmt: skip
    return Expected("workload.image.rate-limited", "Deployment", p.worker)


@strange()
def registry_does_not_answer(t: Town, p: Place) -> Expected:
    _pulls(t, p.worker, 'failed to do request: Head "https://registry.example/v2/x/manifests/1": dial tcp 10.9.9.9:443: i/o timeout')  # fmt: skip
    return Expected("workload.image.registry-unreachable", "Deployment", p.worker)


@strange(*BACK)
def new_platform_only(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["image"] = "registry.example/worker:2.0-arm"
    _pulls(t, p.worker, "no match for platform in manifest: not found")
    return Expected("workload.image.architecture-mismatch", "Deployment", p.worker)


@strange()
def image_must_be_there_already(t: Town, p: Place) -> Expected:
    t.container(p.api)["imagePullPolicy"] = "Never"
    words = f'Container image "{t.container(p.api)["image"]}" is not present with pull policy of Never'
    t.state(p.api, waiting("ErrImageNeverPull", words))
    return Expected("workload.image.never-present", "Deployment", p.api)


@strange(*BACK)
def sidecar_tag_is_gone(t: Town, p: Place) -> Expected:
    t.rollout(p.api)
    containers = t.spec_of(p.api)["containers"]
    if len(containers) == 1:
        containers.append({"name": "envoy", "image": "docker.io/envoyproxy/envoy:v1.30.9"})
    containers[1]["image"] = "docker.io/envoyproxy/envoy:v1.99.0"

    def edit(pod: Json, index: int) -> None:
        status = pod["status"]["containerStatuses"][1]
        status.update(waiting("ImagePullBackOff", 'Back-off pulling image "docker.io/envoyproxy/envoy:v1.99.0"'))
        pod["status"]["conditions"][0]["status"] = "False"
        words = 'Failed to pull image "docker.io/envoyproxy/envoy:v1.99.0": rpc error: code = NotFound desc = failed to pull and unpack image: failed to resolve reference: docker.io/envoyproxy/envoy:v1.99.0: not found'
        t.event("Pod", pod["metadata"]["name"], "Failed", words)

    t.pod_edits[p.api] = edit
    return Expected("workload.image.not-found", "Deployment", p.api)


@strange()
def it_always_crashed(t: Town, p: Place) -> Expected:
    t.state(p.worker, crashing(1, restarts=19, ran=4))
    t.says(p.worker, "crash", previous=True, times=1)
    return Expected("workload.crash.application-error", "Deployment", p.worker)


@strange(*BACK)
def it_crashes_since_the_release(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["image"] = "registry.example/x/worker:2.0.0-rc1"
    t.state(p.worker, crashing(2, restarts=6, ran=3))
    t.says(p.worker, "crash", previous=True, times=1)
    return Expected("workload.crash.after-change", "Deployment", p.worker, ("workload.rollout.bad-revision",))


@strange(*BACK)
def no_such_binary(t: Town, p: Place) -> Expected:
    t.rollout(p.api)
    t.container(p.api)["command"] = ["/usr/local/bin/servr"]
    words = 'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/usr/local/bin/servr": stat /usr/local/bin/servr: no such file or directory: unknown'
    t.state(p.api, crashing(128, "StartError", message=words))
    return Expected("workload.crash.command-not-found", "Deployment", p.api)


@strange()
def migration_fails(t: Town, p: Place) -> Expected:
    t.spec_of(p.worker)["initContainers"] = [{"name": "migrate", "image": "registry.example/flyway:9"}]

    def edit(pod: Json, index: int) -> None:
        init = {"name": "migrate", "image": "registry.example/flyway:9", **crashing(1, restarts=7, ran=6)}
        pod["status"]["initContainerStatuses"] = [init]
        pod["status"]["containerStatuses"][0].update(waiting("PodInitializing"))
        pod["status"].update(phase="Pending")
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, {"type": "Initialized", "status": "False", "reason": "ContainersNotInitialized", "message": "containers with incomplete status: [migrate]"}]  # fmt: skip

    t.pod_edits[p.worker] = edit
    words = 'Migration V12__totals.sql failed\nSQL State  : 42701\nMessage    : column "total" of relation "t" already exists'
    t.log(p.worker, words, previous=True, container="migrate")
    return Expected("workload.crash.init-container-failed", "Deployment", p.worker)


@strange("raise-memory-limit")
def heap_is_killed(t: Town, p: Place) -> Expected:
    t.container(p.api)["resources"] = {"requests": {"memory": "256Mi", "cpu": "200m"}, "limits": {"memory": "256Mi"}}
    t.state(p.api, crashing(137, "OOMKilled", restarts=8, ran=140))
    t.log(p.api, t.place.tongue(p.api).line("info", "cache warmed with 1900000 entries"), previous=True)
    t.alert("KubePodCrashLooping", pod=t.pod_name(p.api), container=p.api)
    return Expected("workload.memory.oom-killed", "Deployment", p.api, ("workload.memory.limit-too-low",))


@strange()
def memory_climbs_for_hours(t: Town, p: Place) -> Expected:
    state = running(restarts=5, since=1500, last=ended(137, "OOMKilled", ran=21_000, ago=1510))
    t.state(p.worker, state)
    began = 1772366400 - 160 * 300
    climbing = [[began + n * 300, str(60_000_000 + 3_000_000 * ((n + 65) % 70))] for n in range(160)]
    flat = [[began + n * 300, str(90_000_000 + 400_000 * (n % 3))] for n in range(160)]
    result = [
        {"metric": {"namespace": p.namespace, "pod": t.pod_name(p.worker), "container": p.worker}, "values": climbing},
        {"metric": {"namespace": p.namespace, "pod": t.pod_name(p.edge), "container": p.edge}, "values": flat},
    ]
    t.files["metrics/working-set.json"] = {
        "query": f'container_memory_working_set_bytes{{namespace="{p.namespace}",container!=""}}',
        "data": {"resultType": "matrix", "result": result},
    }
    return Expected("workload.memory.leak", "Deployment", p.worker)


@strange("raise-cpu-limit")
def throttled_by_measure(t: Town, p: Place) -> Expected:
    t.container(p.worker)["resources"] = {"requests": {"cpu": "50m"}, "limits": {"cpu": "100m", "memory": "256Mi"}}
    values = {p.worker: "0.93", p.api: "0.02", p.edge: "0.01"}
    result = [
        {"metric": {"namespace": p.namespace, "pod": t.pod_name(w), "container": w}, "values": [[1772365200 + n * 60, v] for n in range(20)]}
        for w, v in values.items()
    ]  # fmt: skip
    query = "sum by (namespace, pod, container) (rate(container_cpu_cfs_throttled_periods_total[5m])) / sum by (namespace, pod, container) (rate(container_cpu_cfs_periods_total[5m]))"
    t.files["metrics/throttling.json"] = {"query": query, "data": {"resultType": "matrix", "result": result}}
    slow = [
        {
            "metric": {"service": w, "namespace": p.namespace},
            "values": [[1772365200 + n * 60, "2.4"] for n in range(20)],
        }
        for w in (p.worker, p.api, p.edge)
    ]
    query = "histogram_quantile(0.99, sum by (service, le) (rate(http_server_request_duration_seconds_bucket[5m])))"
    t.files["metrics/p99.json"] = {"query": query, "data": {"resultType": "matrix", "result": slow}}
    t.alert("SLOLatencyBurn", service=p.edge)
    return Expected("workload.cpu.throttled", "Deployment", p.worker)


def _probed(t: Town, who: str, kind: str, probe: Json, words: str, state: Json) -> None:
    t.container(who)[f"{kind}Probe"] = {"periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3, **probe}
    t.state(who, state)
    for index in range(2):
        t.event(
            "Pod", t.pod_name(who, index), "Unhealthy", f"{kind.capitalize()} probe failed: {words}", count=40, ago=9
        )


@strange()
def readiness_asks_for_an_old_page(t: Town, p: Place) -> Expected:
    probe = {"httpGet": {"path": "/healthz/ready", "port": "main"}}
    _probed(t, p.worker, "readiness", probe, "HTTP probe failed with statuscode: 404", running(ready=False))
    line = t.place.tongue(p.worker).line
    t.logs_of(p.worker, "\n".join(line("info", "GET /healthz/ready 404", ago=n * 10) for n in range(9, 0, -1)))
    return Expected("workload.probe.readiness-path-wrong", "Deployment", p.worker)


@strange()
def liveness_knocks_beside_the_door(t: Town, p: Place) -> Expected:
    state = running(restarts=9, since=15, last=ended(143, ran=40, ago=20))
    _probed(t, p.api, "liveness", {"tcpSocket": {"port": 18081}}, "dial tcp 10.244.3.9:18081: connect: connection refused", state)  # fmt: skip
    t.event("Pod", t.pod_name(p.api), "Killing", f"Container {p.api} failed liveness probe, will be restarted", type_="Normal")  # fmt: skip
    return Expected("workload.probe.liveness-port-wrong", "Deployment", p.api)


@strange()
def readiness_speaks_tls(t: Town, p: Place) -> Expected:
    probe = {"httpGet": {"path": "/", "port": PORTS["worker"], "scheme": "HTTPS"}}
    words = f'Get "https://10.244.1.7:{PORTS["worker"]}/": http: server gave HTTP response to HTTPS client'
    _probed(t, p.worker, "readiness", probe, words, running(ready=False))
    return Expected("workload.probe.readiness-protocol-wrong", "Deployment", p.worker)


@strange()
def slow_to_start(t: Town, p: Place) -> Expected:
    probe = {"httpGet": {"path": "/up", "port": "main"}, "periodSeconds": 2, "failureThreshold": 5}
    state = crashing(143, restarts=11, ran=12)
    _probed(t, p.api, "startup", probe, f'Get "http://10.244.1.7:{PORTS["api"]}/up": dial tcp 10.244.1.7:{PORTS["api"]}: connect: connection refused', state)  # fmt: skip
    t.event("Pod", t.pod_name(p.api), "Killing", f"Container {p.api} failed startup probe, will be restarted", type_="Normal")  # fmt: skip
    line = t.place.tongue(p.api).line
    t.log(p.api, f"{line('info', 'starting, loading catalogue', ago=30)}\n{line('info', 'loaded 31 of 96 tables', ago=21)}", previous=True)  # fmt: skip
    return Expected("workload.probe.startup-too-short", "Deployment", p.api)


@strange()
def held_by_its_owner(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["image"] = "registry.example/worker:1.5.0"
    t.get("deployments", p.worker)["spec"]["paused"] = True
    t.no_pods.add(p.worker)

    def cut() -> None:
        t.get("deployments", p.worker)["status"].update(updatedReplicas=0)

    t.after = cut
    t.alert("KubeDeploymentRolloutStuck", deployment=p.worker)
    return Expected("workload.rollout.paused", "Deployment", p.worker)


@strange("scale-deployment", "restore-replicas")
def nobody_wants_the_api(t: Town, p: Place) -> Expected:
    t.get("deployments", p.api)["spec"]["replicas"] = 0
    t.says(p.edge, "refused", host=p.api, port=80)
    t.alert("HighErrorRate", service=p.edge)
    return Expected("workload.replicas.zero", "Deployment", p.api)


@strange()
def store_was_put_to_sleep(t: Town, p: Place) -> Expected:
    t.get("statefulsets", p.store)["spec"]["replicas"] = 0
    t.state(p.worker, crashing(1, restarts=7, ran=5))
    t.says(p.worker, "store-refused", previous=True, host=p.store, port=p.store_port)
    t.says(p.api, "refused", host=p.worker, port=PORTS["worker"])
    return Expected("workload.replicas.zero", "StatefulSet", p.store)


@strange("rollback-deployment")
def sidecar_takes_the_port(t: Town, p: Place) -> Expected:
    t.rollout(p.api)
    containers = t.spec_of(p.api)["containers"]
    extra = {"name": "metrics-exporter", "image": "prom/exporter:1", "ports": [{"containerPort": PORTS["api"]}]}
    t.spec_of(p.api)["containers"] = [containers[0], extra, *containers[1:]]
    t.state(p.api, crashing(1, restarts=6, ran=3))
    t.says(p.api, "bind", previous=True, times=1, port=PORTS["api"])
    return Expected("workload.port.sidecar-conflict", "Deployment", p.api)


@strange()
def store_may_not_write_its_disk(t: Town, p: Place) -> Expected:
    t.state(p.store, crashing(1, restarts=9, ran=1))
    t.log(p.store, "initdb: error: could not change permissions of directory \"/var/lib/data/pgdata\": Permission denied\nmkdir: cannot create directory '/var/lib/data/x': Permission denied", previous=True)  # fmt: skip
    t.says(p.worker, "store-refused", host=p.store, port=p.store_port)
    return Expected("workload.volume.permission-denied", "StatefulSet", p.store)


@strange()
def disk_of_the_store_is_full(t: Town, p: Place) -> Expected:
    t.state(p.store, crashing(1, restarts=3, ran=20))
    t.log(p.store, 'PANIC:  could not write to file "pg_wal/xlogtemp.91": No space left on device\nLOG:  server process was terminated by signal 6: Aborted', previous=True)  # fmt: skip
    t.says(p.worker, "store-refused", host=p.store, port=p.store_port)
    return Expected("database.storage.full", "StatefulSet", p.store)


@strange()
def first_ones_must_wait(t: Town, p: Place) -> Expected:
    body = t.get("statefulsets", p.store)
    body["spec"].update(replicas=3, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 3}})

    def cut() -> None:
        body["status"].update(updatedReplicas=0, currentRevision=f"{p.store}-66b", updateRevision=f"{p.store}-99c")

    t.after = cut
    t.alert("KubeStatefulSetUpdateNotRolledOut", statefulset=p.store)
    return Expected("workload.rollout.partition-held", "StatefulSet", p.store)


@strange()
def it_listens_elsewhere(t: Town, p: Place) -> Expected:
    probe = {"tcpSocket": {"port": "main"}}
    words = f"dial tcp 10.244.1.7:{PORTS['worker']}: connect: connection refused"
    _probed(t, p.worker, "readiness", probe, words, running(ready=False))
    line = t.place.tongue(p.worker).line("info", "server listening on 0.0.0.0:9191", ago=2900)
    t.logs_of(p.worker, line)
    return Expected("workload.port.not-listening", "Deployment", p.worker, ("workload.probe.readiness-port-wrong",))


@strange()
def nothing_may_be_written(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["securityContext"] = {"readOnlyRootFilesystem": True}
    t.state(p.worker, crashing(1, restarts=5))
    words = {
        "java": "java.nio.file.FileSystemException: /tmp/tomcat.8081: Read-only file system",
        "python": "OSError: [Errno 30] Read-only file system: '/app/cache'",
        "go": "open /app/state.db: read-only file system",
    }
    tongue = t.place.tongue(p.worker)
    t.log(
        p.worker, tongue.line("error", "startup failed", words.get(tongue.name, "Read-only file system")), previous=True
    )
    return Expected("workload.security.read-only-root", "Deployment", p.worker)


@strange()
def root_is_refused(t: Town, p: Place) -> Expected:
    t.spec_of(p.api)["securityContext"] = {"runAsNonRoot": True}
    words = f'container has runAsNonRoot and image will run as root (pod: "x", container: {p.api})'
    t.state(p.api, waiting("CreateContainerConfigError", words))
    return Expected("workload.security.context-denied", "Deployment", p.api)


@strange()
def disk_is_elsewhere(t: Town, p: Place) -> Expected:
    t.state(p.store, waiting("ContainerCreating"))
    words = 'Multi-Attach error for volume "pvc-77aa" Volume is already exclusively attached to one node and can\'t be attached to another'
    t.event("Pod", f"{p.store}-0", "FailedAttachVolume", words)
    t.says(p.worker, "store-refused", host=p.store, port=p.store_port)
    return Expected("workload.volume.multi-attach", "StatefulSet", p.store)


@strange("recreate-job")
def job_gave_up(t: Town, p: Place) -> Expected:
    spec = {
        "backoffLimit": 2,
        "template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "load", "image": "registry.example/load:3"}]}
        },
    }
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
        "lastTransitionTime": at(200),
    }
    body = {
        "metadata": {"name": "eod-load", "creationTimestamp": at(900)},
        "spec": spec,
        "status": {"failed": 3, "conditions": [failed], "startTime": at(890)},
    }
    t.put(p.namespace, "jobs", body)
    t.event("Job", "eod-load", "BackoffLimitExceeded", "Job has reached the specified backoff limit", ago=200)
    t.alert("KubeJobFailed", job_name="eod-load", severity="warning")
    return Expected("job.failed.backoff", "Job", "eod-load", ("job.failed.application",))


@strange()
def schedule_was_switched_off(t: Town, p: Place) -> Expected:
    body = {
        "metadata": {"name": "settle"},
        "spec": {"schedule": "*/15 * * * *", "suspend": True},
        "status": {"lastScheduleTime": at(20_000), "lastSuccessfulTime": at(19_900)},
    }
    t.put(p.namespace, "cronjobs", body)
    t.alert("KubeCronJobNotRun", cronjob="settle", severity="warning")
    return Expected("job.cron.suspended", "CronJob", "settle")
