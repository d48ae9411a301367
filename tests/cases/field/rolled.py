"""New revisions that do not start, do not stay, or are held unready."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.library import incident
from tests.cases.field.voices import felt, framed, passed, spread, watch
from tests.cases.wild.objects import Obj, probe, stamp
from tests.cases.wild.world import World


def crashing(w: World, name: str, said: list[str], code: int = 1, whole: bool = False, restarts: int = 7) -> None:
    """The pods of the newest revision end with that, again and again."""
    newest = w.current(name)["metadata"]["name"] if w.svc(name).kind == "Deployment" else name
    for pod in [p for p in w.pods(name) if whole or p["metadata"]["name"].startswith(newest)]:
        w.crash(pod, code, restarts=restarts)
        w.log(pod, *said)
        w.log(pod, *said, previous=True)
        w.alert("KubePodCrashLooping", pod=pod["metadata"]["name"], container=name, note=f"Pod {w.ns}/{pod['metadata']['name']} is in waiting state (reason: CrashLoopBackOff).")
    w.patterns.setdefault(name, []).extend((restarts, line) for line in said)


@incident("campsites", "both", "workload.image.not-found", "Deployment/reviews", "rollback-deployment")
def reviews_tag_that_was_never_pushed(w: World) -> None:
    image = "ghcr.io/underacanvas/reviews:2.8.0-rc1"
    for pod in w.rollout("reviews", lambda c, _: c.update(image=image)):
        w.wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found')
        w.event(pod, "Failed", f'Failed to pull image "{image}": rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found', 5)
        w.event(pod, "BackOff", f'Back-off pulling image "{image}"', 41)
    w.changed(w.work("reviews"), "image 2.7.1 -> 2.8.0-rc1", f"-image: ghcr.io/underacanvas/reviews:2.7.1\n+image: {image}")
    w.alert("KubeDeploymentRolloutStuck", deployment="reviews")
    watch(w)


@incident("campsites", "plain", "workload.crash.command-not-found", "Deployment/wallet", "rollback-deployment")
def wallet_command_of_another_image(w: World) -> None:
    said = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/opt/wallet/bin/start": stat /opt/wallet/bin/start: no such file or directory: unknown'
    for pod in w.rollout("wallet", lambda c, _: c.update(command=["/opt/wallet/bin/start"]), whole=True):
        w.crash(pod, 128, "StartError", message=said)
        w.event(pod, "Failed", f"Error: {said}", 8)
    felt(w, "wallet")


@incident("campsites", "both", "workload.crash.after-change workload.crash.application-error workload.rollout.bad-revision", "Deployment/suggest", "rollback-deployment")
def suggest_release_without_its_library(w: World) -> None:
    w.rollout("suggest", lambda c, _: c.update(image="ghcr.io/underacanvas/suggest:0.13.0"), whole=True)
    crashing(w, "suggest", ["Traceback (most recent call last):", '  File "/app/server.py", line 9, in <module>', "    import numpy as np", "ModuleNotFoundError: No module named 'numpy'"], restarts=6)
    w.changed(w.work("suggest"), "image 0.12.3 -> 0.13.0", "-image: ghcr.io/underacanvas/suggest:0.12.3\n+image: ghcr.io/underacanvas/suggest:0.13.0")
    felt(w, "suggest", hops=1)
    watch(w, errors={"portal": 0.2})


@incident("teashop", "all", "workload.probe.readiness-port-wrong", "Deployment/range", "fix-probe rollback-deployment")
def range_asked_on_a_port_it_does_not_have(w: World) -> None:
    for pod in w.rollout("range", lambda c, _: c.update(readinessProbe=probe(3551, None, initialDelaySeconds=5)), whole=True):
        w.unready(pod)
        w.event(pod, "Unhealthy", f"Readiness probe failed: dial tcp {pod['status']['podIP']}:3551: connect: connection refused", 78)
        w.alert("KubePodNotReady", pod=pod["metadata"]["name"])
    w.changed(w.work("range"), "readiness probe moved to the metrics port", "-port: grpc\n+port: 3551")
    felt(w, "range")
    watch(w, errors={"shopfront": 0.7, "till": 0.6, "alike": 0.9, "edge": 0.6})


@incident("teashop", "plain", "workload.probe.liveness-timing-wrong workload.probe.startup-too-short", "Deployment/promo", "fix-probe rollback-deployment")
def promo_killed_before_java_is_up(w: World) -> None:
    hasty = probe("grpc", None, initialDelaySeconds=3, periodSeconds=3, failureThreshold=2)
    for pod in w.rollout("promo", lambda c, _: c.update(livenessProbe=hasty)):
        w.crash(pod, 143, restarts=9, life=9)
        w.event(pod, "Unhealthy", f"Liveness probe failed: dial tcp {pod['status']['podIP']}:9555: connect: connection refused", 20)
        w.event(pod, "Killing", "Container promo failed liveness probe, will be restarted", 10, kind="Normal")
        w.log(pod, f"{stamp(79)}  INFO 1 --- [promo] [main] c.l.promo.Application : Starting Application v2.1.4 using Java 21.0.6 with PID 1", f"{stamp(74)}  INFO 1 --- [promo] [main] o.s.boot.SpringApplication : Loading source class", f"{stamp(71)}  INFO 1 --- [promo] [ionShutdownHook] c.l.promo.Application : Shutting down before start was complete", previous=True)


@incident("teashop", "both", "workload.memory.limit-too-low workload.memory.oom-killed", "Deployment/alike", "raise-memory-limit rollback-deployment")
def alike_limit_halved_too_often(w: World) -> None:
    def less(c: Obj, _: Obj) -> None:
        c["resources"] = {"limits": {"cpu": "500m", "memory": "48Mi"}, "requests": {"cpu": "50m", "memory": "48Mi"}}

    w.rollout("alike", less, whole=True)
    for pod in w.pods("alike"):
        w.crash(pod, 137, "OOMKilled", restarts=8, life=6)
        w.log(pod, f"{stamp(75)} INFO [alike.server] loading model into memory", previous=True)
        w.alert("KubeContainerOOMKilled", pod=pod["metadata"]["name"], container="alike")
    w.changed(w.work("alike"), "memory limit 512Mi -> 48Mi", "-memory: 512Mi\n+memory: 48Mi", who="finops-bot")
    felt(w, "alike", hops=1)
    watch(w, errors={"shopfront": 0.1})


@incident("teashop", "all", "workload.memory.leak", "Deployment/alike", "rotate-leaking-pods evict-pod")
def alike_remembers_every_list(w: World) -> None:
    first, second = w.pods("alike")
    w.restarted(first, 4, 2400, 137, "OOMKilled", life=19000)
    w.event(first, "BackOff", "Back-off restarting failed container alike", 1, 2400, 2390)
    w.log(second, f"{stamp(300)} INFO [alike.server] cached product ids: 1843201", f"{stamp(60)} INFO [alike.server] cached product ids: 1902277")
    w.log(first, f"{stamp(2410)} INFO [alike.server] cached product ids: 2240918", previous=True)
    w.alert("KubeContainerOOMKilled", pod=first["metadata"]["name"], container="alike")
    w.alert("ContainerMemoryNearLimit", pod=second["metadata"]["name"], container="alike", note="Container alike uses 91% of its memory limit and grows")
    watch(w, memory={"alike": (3.6e8, 4.9e8)})


@incident("teashop", "all", "workload.cpu.throttled", "Deployment/coin", "raise-cpu-limit rollback-deployment")
def coin_has_ten_thousandths_of_a_core(w: World) -> None:
    def less(c: Obj, _: Obj) -> None:
        c["resources"]["limits"]["cpu"] = "10m"
        c["resources"]["requests"]["cpu"] = "10m"

    for pod in w.rollout("coin", less, whole=True):
        w.event(pod, "Unhealthy", f"Readiness probe failed: dial tcp {pod['status']['podIP']}:7001: i/o timeout", 6)
    w.changed(w.work("coin"), "cpu limit 500m -> 10m", "-cpu: 500m\n+cpu: 10m", who="finops-bot")
    w.alert("CPUThrottlingHigh", pod=w.pods("coin")[0]["metadata"]["name"], container="coin", note="97% throttling of CPU in namespace leafandlid for container coin")
    for me in ("till", "shopfront"):
        w.say(me, passed(w, me, "coin", "DeadlineExceeded", "context deadline exceeded"))
    watch(w, slow={"coin": 4.8, "till": 5.2, "shopfront": 5.3, "edge": 5.4}, cpu={"coin": 0.01}, throttled={"coin": 0.97})


@incident("teashop", "plain", "workload.image.architecture-mismatch", "Deployment/tare", "rollback-deployment")
def tare_built_on_a_laptop(w: World) -> None:
    w.rollout("tare", lambda c, _: c.update(image="registry.leafandlid.example.com/shop/tare:2.1.5-m2"))
    crashing(w, "tare", ["exec /usr/local/bin/docker-php-entrypoint: exec format error"], 255)


@incident("campsites", "both", "workload.crash.init-container-failed", "Deployment/guests", "rollback-deployment")
def guests_seeded_from_a_file_that_is_not_there(w: World) -> None:
    seed = {"name": "seed", "image": "docker.io/library/mongo:7.0.16", "command": ["mongorestore", "--host", "mongo-guests", "/seed/guests"], "resources": {}}
    line = f"{stamp(70).replace('Z', '.412+0000')}\tFailed: stat /seed/guests: no such file or directory"
    for pod in w.rollout("guests", lambda _, s: s.update(initContainers=[seed])):
        ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": stamp(72), "finishedAt": stamp(70)}}
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off 5m0s restarting failed container=seed pod={pod['metadata']['name']}_{w.ns}"}}
        pod["status"]["initContainerStatuses"] = [{"name": "seed", "image": seed["image"], "ready": False, "restartCount": 7, "started": False, "lastState": ended, "state": waiting}]
        w.wait(pod, "PodInitializing")
        pod["status"]["conditions"][1] |= {"status": "False", "reason": "ContainersNotInitialized", "message": "containers with incomplete status: [seed]"}
        w.event(pod, "BackOff", f"Back-off restarting failed container seed in pod {pod['metadata']['name']}_{w.ns}", 29)
        w.log(pod, line, container="seed")
        w.log(pod, line, previous=True, container="seed")
    w.changed(w.work("guests"), "added an init container", "+initContainers:\n+- name: seed")
    w.alert("KubeDeploymentRolloutStuck", deployment="guests")
    watch(w)


@incident("campsites", "all", "workload.port.sidecar-conflict workload.port.conflict", "Deployment/reviews", "rollback-deployment")
def reviews_sidecar_took_the_port(w: World) -> None:
    side = {"name": "metrics-proxy", "image": "docker.io/nginxinc/nginx-unprivileged:1.27", "ports": [{"containerPort": 8088, "name": "metrics"}], "resources": {}}
    w.rollout("reviews", lambda _, s: s["containers"].append(side))
    crashing(w, "reviews", [framed(w, "reviews", "listen EADDRINUSE: address already in use 0.0.0.0:8088")])
    w.changed(w.work("reviews"), "metrics sidecar", "+- name: metrics-proxy\n+  ports: [{containerPort: 8088}]")
    watch(w)


# Put right after the first look: what is advertised is an address, and a wrong one has a name of its own.
@incident("teashop", "both", "workload.env.invalid workload.env.address-wrong workload.crash.after-change workload.rollout.bad-revision", "StatefulSet/bus", "rollback-statefulset")
def bus_advertises_nowhere(w: World) -> None:
    w.rollout("bus", lambda c, _: c["env"].append({"name": "KAFKA_ADVERTISED_LISTENERS", "value": "PLAINTEXT://0.0.0.0:9092"}), whole=True)
    crashing(w, "bus", ["===> Launching kafka ...", "Exception in thread \"main\" java.lang.IllegalArgumentException: requirement failed: advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.", "\tat kafka.server.KafkaConfig.validateValues(KafkaConfig.scala:1141)"], whole=True)
    w.changed(w.work("bus"), "set advertised listeners", "+- name: KAFKA_ADVERTISED_LISTENERS\n+  value: PLAINTEXT://0.0.0.0:9092")
    felt(w, "bus", hops=2)
    watch(w, errors={"till": 0.9, "shopfront": 0.3})


@incident("campsites", "all", "disruption.eviction.storm disruption", "Deployment/tariffs")
def tariffs_pods_deleted_every_minute(w: World) -> None:
    made = w.work("tariffs")
    for number, pod in enumerate(w.pods("tariffs")):
        w.remove(pod)
        fresh = w.pod(made, number + 7, 22 + number * 9)
        w.event(fresh, "Started", "Started container tariffs", 1, 18, 18, kind="Normal")
        w.event(pod, "Killing", "Stopping container tariffs", 1, 30, 30, kind="Normal")
    for number in range(6):
        gone = w.pod(made, 20 + number, 90 + 60 * number)
        w.remove(gone)
        w.event(gone, "Killing", "Stopping container tariffs", 1, 60 + 60 * number, 60 + 60 * number, kind="Normal")
        w.event(w.current("tariffs"), "SuccessfulCreate", f"Created pod: {gone['metadata']['name']}", 1, 90 + 60 * number, 90 + 60 * number, "replicaset-controller", "Normal")
        w.changed(gone, "pod deleted", ago=60 + 60 * number, who="system:serviceaccount:drills:pod-reaper")
    for me in ("finder", "suggest"):
        w.say(me, passed(w, me, "tariffs", "Unavailable", "error reading from server: EOF"), times=3)
    spread(w, ["finder"], "Unavailable", "tariffs: error reading from server: EOF", 1)
    watch(w, errors={"tariffs": 0.1, "finder": 0.3, "portal": 0.2})


@incident("teashop", "plain", "workload.security.context-denied", "Deployment/pictures", "rollback-deployment")
def pictures_may_not_be_root(w: World) -> None:
    said = "container has runAsNonRoot and image will run as root (pod: \"pictures_leafandlid\", container: pictures)"
    for pod in w.rollout("pictures", lambda c, _: c.update(securityContext={"runAsNonRoot": True, "allowPrivilegeEscalation": False})):
        w.wait(pod, "CreateContainerConfigError", said)
        w.event(pod, "Failed", f"Error: {said}", 44)


@incident("teashop", "plain", "workload.security.read-only-root", "Deployment/mailer", "rollback-deployment")
def mailer_writes_where_it_may_not(w: World) -> None:
    w.rollout("mailer", lambda c, _: c.update(securityContext={"readOnlyRootFilesystem": True}), whole=True)
    crashing(w, "mailer", ["Traceback (most recent call last):", '  File "/app/mailer.py", line 31, in <module>', "    os.makedirs('/app/cache/templates')", "OSError: [Errno 30] Read-only file system: '/app/cache/templates'"])
    felt(w, "mailer", hops=1)
