"""Faults of what starts: images, commands, configuration, accounts, init containers, probes."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.foreign.library import Answer, incident
from tests.cases.foreign.world import World

BACK = "rollback-deployment"


@incident("boxoffice", BACK)
def tag_never_pushed(w: World) -> list[Answer]:
    c = w.rollout("seatmap", 2400)
    c["image"] = c["image"].replace("1.88.2", "1.89.0-rc.3")
    for p in w.pods("seatmap"):
        w.unpulled(p, f'rpc error: code = NotFound desc = failed to pull and unpack image "{c["image"]}": failed to resolve reference "{c["image"]}": {c["image"]}: not found')
    w.alert("KubePodNotReady", pod=w.pods("seatmap")[0]["metadata"]["name"], summary="Pod has been in a non-ready state for more than 15 minutes.")
    return [("workload.image.not-found", "Deployment", "seatmap")]


@incident("boxoffice")
def hub_counts_pulls(w: World) -> list[Answer]:
    for name in ("holds-redis",):
        p = w.pods(name)[0]
        p["metadata"]["creationTimestamp"] = "2026-05-19T09:31:00Z"
        w.unpulled(p, 'failed to pull and unpack image "docker.io/library/redis:7.4.2-alpine": failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://registry-1.docker.io/v2/library/redis/manifests/sha256:0271: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit')
    for p in w.pods("cart"):
        w.log(p, '{"level":50,"time":1779183912001,"pid":1,"err":{"type":"Error","message":"connect ECONNREFUSED 172.20.44.9:6379","code":"ECONNREFUSED"},"msg":"redis connection error"}')
    w.alert("CartErrorRateHigh", severity="critical", service="cart")
    return [("workload.image.rate-limited", "StatefulSet", "holds-redis")]


@incident("hauler")
def registry_token_ran_out(w: World) -> list[Answer]:
    w.spec("eta")["imagePullSecrets"] = [{"name": "gar-pull"}]
    pods = w.pods("eta")
    image = w.container("eta")["image"]
    w.unpulled(pods[2], f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials', count=40)
    w.alert("KubeDeploymentReplicasMismatch", deployment="eta")
    return [("workload.image.unauthorized", "Deployment", "eta")]


@incident("hauler")
def exec_format_on_one_node(w: World) -> list[Answer]:
    p = w.pods("geofence")[1]
    p["spec"]["nodeName"] = "gke-fleet-pool-6-7c1e"
    w.crash(p, 255, restarts=31)
    w.log(p, "exec /usr/local/bin/geofence: exec format error", previous=True)
    w.log(p, "exec /usr/local/bin/geofence: exec format error")
    w.alert("KubePodCrashLooping", pod=p["metadata"]["name"], container="geofence", reason="CrashLoopBackOff")
    return [("workload.image.architecture-mismatch", "Deployment", "geofence")]


@incident("hauler", BACK)
def upper_case_in_image(w: World) -> list[Answer]:
    spec = w.spec("driver-api")
    w.rollout("driver-api", 700)
    spec["initContainers"] = [{"name": "wait-schema", "image": "europe-north1-docker.pkg.dev/hauler-394210/Fleet/migrator:v8.1.0", "imagePullPolicy": "IfNotPresent"}]
    for p in w.pods("driver-api"):
        image = spec["initContainers"][0]["image"]
        why = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format: repository name (hauler-394210/Fleet/migrator) must be lowercase'
        w.waits(p, "InvalidImageName", why, init=True)
        w.event(p, "InspectFailed", why, container="wait-schema", count=30, init=True)
        w.event(p, "Failed", "Error: InvalidImageName", container="wait-schema", count=30, init=True)
    return [("workload.image.reference-invalid", "Deployment", "driver-api")]


# It has never been otherwise: no revision to go back to.
@incident("hauler")
def never_pulled_on_new_nodes(w: World) -> list[Answer]:
    w.container("gps-agent")["imagePullPolicy"] = "Never"
    for p in w.pods("gps-agent")[3:]:
        image = w.container("gps-agent")["image"]
        w.waits(p, "ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never')
        w.event(p, "ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never', container="gps-agent", count=88)
        w.event(p, "Failed", "Error: ErrImageNeverPull", container="gps-agent", count=88)
    w.alert("KubeDaemonSetRolloutStuck", daemonset="gps-agent")
    return [("workload.image.never-present", "DaemonSet", "gps-agent")]


@incident("boxoffice")
def registry_out_of_reach_from_the_cluster(w: World) -> list[Answer]:
    c = w.rollout("barcode", 1900)
    c["image"] = "harbor.corp.internal/tickets/barcode:1.3.0"
    for p in w.pods("barcode"):
        w.unpulled(p, 'failed to pull and unpack image "harbor.corp.internal/tickets/barcode:1.3.0": failed to resolve reference "harbor.corp.internal/tickets/barcode:1.3.0": failed to do request: Head "https://harbor.corp.internal/v2/tickets/barcode/manifests/1.3.0": dial tcp 10.4.0.31:443: i/o timeout')
    return [("workload.image.registry-unreachable", "Deployment", "barcode")]


@incident("boxoffice", BACK)
def gunicorn_mistyped(w: World) -> list[Answer]:
    c = w.rollout("fraud-score", 1300)
    c["command"], c["args"] = ["gunicron"], ["-k", "uvicorn.workers.UvicornWorker", "main:app"]
    why = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "gunicron": executable file not found in $PATH'
    for p in w.pods("fraud-score"):
        w.crash(p, 128, reason="StartError", message=why + ": unknown", ran=0)
        w.event(p, "Failed", f"Error: {why}: unknown", container="fraud-score", count=8)
    w.alert("KubePodCrashLooping", pod=w.pods("fraud-score")[0]["metadata"]["name"], container="fraud-score")
    return [("workload.crash.command-not-found", "Deployment", "fraud-score")]


@incident("hauler", BACK)
def script_not_executable(w: World) -> list[Answer]:
    c = w.rollout("alarms", 5000)
    w.put(w.namespace, "configmaps", "alarms-entry", data={"run.sh": "#!/bin/sh\nexec /app/bin/alarms start\n"})
    w.spec("alarms")["volumes"] = [{"name": "entry", "configMap": {"name": "alarms-entry", "defaultMode": 420}}]
    c["volumeMounts"], c["command"] = [{"name": "entry", "mountPath": "/entry"}], ["/entry/run.sh"]
    for p in w.pods("alarms"):
        w.crash(p, 128, reason="StartError", message='failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/entry/run.sh": permission denied: unknown', ran=0, restarts=19)
    return [("workload.crash.entrypoint-denied", "Deployment", "alarms")]


@incident("hauler", BACK)
def flag_from_another_version(w: World) -> list[Answer]:
    c = w.rollout("decoder", 3200)
    c["args"] = ["-workers=8", "-shard-count=12"]
    for p in w.pods("decoder"):
        w.crash(p, 2, restarts=11, ran=0)
        for previous in (True, False):
            w.log(p, "flag provided but not defined: -shard-count\nUsage of /decoder:\n  -brokers string\n    \tKafka brokers (default \"localhost:9092\")\n  -workers int\n    \tparallel decoders (default 4)", previous=previous)
    w.change("Deployment", "decoder", "args", '-  args: ["-workers=8"]\n+  args: ["-workers=8", "-shard-count=12"]', since=3200)
    return [(c, "Deployment", "decoder") for c in ("workload.crash.after-change", "workload.crash.application-error", "workload.config.value-invalid", "workload.rollout.bad-revision")]


@incident("boxoffice", BACK)
def pydantic_misses_a_field(w: World) -> list[Answer]:
    c = w.rollout("pricing", 820)
    c["env"] = [e for e in c["env"] if e["name"] != "PRICING_DB_DSN"]
    for p in w.pods("pricing"):
        w.crash(p, 1, restarts=6)
        text = 'Traceback (most recent call last):\n  File "/app/pricing/main.py", line 14, in <module>\n    settings = Settings()\n               ^^^^^^^^^^\n  File "/usr/local/lib/python3.12/site-packages/pydantic_settings/main.py", line 171, in __init__\n    super().__init__(\npydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nPRICING_DB_DSN\n  Field required [type=missing, input_value={\'WEB_CONCURRENCY\': \'4\'}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.11/v/missing'
        w.log(p, text, previous=True)
    w.alert("KubeDeploymentRolloutStuck", deployment="pricing")
    return [("workload.env.missing", "Deployment", "pricing")]


# Nothing in the cluster says what it was before: a person knows, or Git does.
@incident("boxoffice")
def spring_cannot_bind(w: World) -> list[Answer]:
    w.mine("configmaps", "gate-api")["data"]["application.yaml"] = "holds:\n  ttl: 15mins\n  max-per-session: 8\nserver:\n  shutdown: graceful\n"
    text = "2026-05-19T09:42:51.633Z ERROR 1 --- [           main] o.s.b.d.LoggingFailureAnalysisReporter   : \n\n***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\nFailed to bind properties under 'holds.ttl' to java.time.Duration:\n\n    Property: holds.ttl\n    Value: \"15mins\"\n    Origin: URL [file:/config/application.yaml] - 2:8\n    Reason: failed to convert java.lang.String to java.time.Duration (caused by java.lang.IllegalArgumentException: '15mins' is not a valid duration)\n\nAction:\n\nUpdate your application's configuration"
    for p in w.pods("gate-api")[1:]:
        w.crash(p, 1, restarts=8, ran=9)
        w.log(p, text, previous=True)
    w.change("ConfigMap", "gate-api", "holds.ttl", "-  ttl: 12m\n+  ttl: 15mins", since=1700, who="kubectl-edit")
    w.alert("KubePodCrashLooping", severity="critical", pod=w.pods("gate-api")[1]["metadata"]["name"], container="gate-api")
    return [(c, "ConfigMap", "gate-api") for c in ("workload.config.value-invalid", "workload.config.changed-and-broken")]


@incident("hauler", BACK)
def key_of_a_config_map_misspelt(w: World) -> list[Answer]:
    c = w.rollout("registry", 900)
    w.put(w.namespace, "configmaps", "registry-settings", data={"cors.origins": "https://fleet.example", "page.size": "50"})
    c["env"].append({"name": "PageSize", "valueFrom": {"configMapKeyRef": {"name": "registry-settings", "key": "page-size"}}})
    for p in w.pods("registry"):
        w.waits(p, "CreateContainerConfigError", "couldn't find key page-size in ConfigMap hauler-prod/registry-settings")
        w.event(p, "Failed", "Error: couldn't find key page-size in ConfigMap hauler-prod/registry-settings", container="registry", count=51)
    return [("workload.config.key-missing", "Deployment", "registry"), ("workload.config.key-missing", "ConfigMap", "registry-settings")]


@incident("hauler")
def tls_secret_of_the_broker_gone(w: World) -> list[Answer]:
    w.spec("mqtt")["volumes"] = [{"name": "listener-tls", "secret": {"secretName": "mqtt-listener-tls"}}]
    w.container("mqtt")["volumeMounts"] = [{"name": "listener-tls", "mountPath": "/etc/certs"}]
    w.pending(w.pods("mqtt")[2], "FailedMount", 'MountVolume.SetUp failed for volume "listener-tls" : secret "mqtt-listener-tls" not found')
    w.alert("KubeStatefulSetReplicasMismatch", statefulset="mqtt")
    return [("workload.secret.not-found", "StatefulSet", "mqtt"), ("workload.secret.not-found", "Secret", "mqtt-listener-tls")]


@incident("boxoffice", BACK)
def password_key_renamed(w: World) -> list[Answer]:
    c = w.rollout("venue-admin", 1100)
    c["env"].append({"name": "ConnectionStrings__Default", "valueFrom": {"secretKeyRef": {"name": "venue-admin-db", "key": "connection-string"}}})
    for p in w.pods("venue-admin"):
        w.waits(p, "CreateContainerConfigError", "couldn't find key connection-string in Secret boxoffice/venue-admin-db")
        w.event(p, "Failed", "Error: couldn't find key connection-string in Secret boxoffice/venue-admin-db", container="venue-admin", count=70)
    return [("workload.secret.key-missing", "Deployment", "venue-admin"), ("workload.secret.key-missing", "Secret", "venue-admin-db")]


@incident("hauler")
def account_deleted(w: World) -> list[Answer]:
    del w.objects[w.namespace, "serviceaccounts"]["geofence"]
    w.refused("geofence", 'pods "POD" is forbidden: error looking up service account hauler-prod/geofence: serviceaccount "geofence" not found', short=2)
    w.alert("KubeDeploymentReplicasMismatch", deployment="geofence")
    return [("workload.service-account.not-found", "Deployment", "geofence"), ("workload.service-account.not-found", "ServiceAccount", "geofence")]


@incident("boxoffice", BACK)
def migration_checksum(w: World) -> list[Answer]:
    w.rollout("waitlist", 1500)
    w.spec("waitlist")["initContainers"] = [{"name": "flyway", "image": "docker.io/flyway/flyway:10.22-alpine", "args": ["migrate"]}]
    for p in w.pods("waitlist"):
        w.crash(p, 1, init=True, restarts=7, ran=4)
        text = "Flyway OSS Edition 10.22.0 by Redgate\nDatabase: jdbc:postgresql://seatdb:5432/waitlist (PostgreSQL 16.6)\nERROR: Validate failed: Migrations have failed validation\nMigration checksum mismatch for migration version 37\n-> Applied to database : -1190774021\n-> Resolved locally    : 880172634\nEither revert the changes to the migration, or run repair to update the schema history."
        w.log(p, text, container="flyway")
        w.log(p, text, container="flyway", previous=True)
    return [("workload.crash.init-container-failed", "Deployment", "waitlist")]


@incident("boxoffice", BACK, "fix-probe")
def health_moved_under_a_prefix(w: World) -> list[Answer]:
    w.container("payments-bridge")["livenessProbe"] = {"httpGet": {"path": "/actuator/health/liveness", "port": "http"}, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 2}
    c = w.rollout("payments-bridge", 2000)
    c["livenessProbe"] = {"httpGet": {"path": "/health/live", "port": "http"}, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 2}
    for p in w.pods("payments-bridge"):
        last = {"exitCode": 143, "reason": "Error", "startedAt": "2026-05-19T09:44:40Z", "finishedAt": "2026-05-19T09:45:40Z"}
        w.state(p, {"running": {"startedAt": "2026-05-19T09:45:41Z"}}, last=last, restarts=22, ready=True)
        w.event(p, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404", container="payments-bridge", count=66)
        w.event(p, "Killing", "Container payments-bridge failed liveness probe, will be restarted", container="payments-bridge", count=22, kind="Normal")
    return [("workload.probe.liveness-path-wrong", "Deployment", "payments-bridge")]


# It has never been otherwise: no revision to go back to.
@incident("hauler")
def jvm_slower_than_its_startup_probe(w: World) -> list[Answer]:
    c = w.container("trip-builder")
    c["startupProbe"] = {"httpGet": {"path": "/q/health/started", "port": "http"}, "periodSeconds": 5, "failureThreshold": 6}
    c["livenessProbe"] = {"httpGet": {"path": "/q/health/live", "port": "http"}, "periodSeconds": 10}
    for p in w.pods("trip-builder"):
        w.crash(p, 143, ran=31, restarts=14)
        w.event(p, "Unhealthy", 'Startup probe failed: Get "http://10.61.3.40:8080/q/health/started": dial tcp 10.61.3.40:8080: connect: connection refused', container="trip-builder", count=84)
        w.event(p, "Killing", "Container trip-builder failed startup probe, will be restarted", container="trip-builder", count=14, kind="Normal")
        w.log(p, "2026-05-19T09:44:02.300Z  INFO 1 --- [main] f.TripBuilder : restoring 4811 state stores from changelog topics\n2026-05-19T09:44:29.904Z  INFO 1 --- [main] f.TripBuilder : restored 3102/4811 state stores", previous=True)
    return [("workload.probe.startup-too-short", "Deployment", "trip-builder")]


@incident("boxoffice", BACK, "fix-probe")
def readiness_on_the_old_port(w: World) -> list[Answer]:
    c = w.rollout("barcode", 1800)
    c["readinessProbe"] = {"httpGet": {"path": "/readyz", "port": 8081}, "periodSeconds": 5, "failureThreshold": 3}
    for p in w.pods("barcode"):
        w.state(p, {"running": {"startedAt": "2026-05-19T09:17:40Z"}})
        w.event(p, "Unhealthy", f'Readiness probe failed: Get "http://{p["status"]["podIP"]}:8081/readyz": dial tcp {p["status"]["podIP"]}:8081: connect: connection refused', container="barcode", count=340)
        w.log(p, 'time=2026-05-19T09:17:41.020Z level=INFO msg="listening" addr=:7070\ntime=2026-05-19T09:17:41.021Z level=INFO msg="ready"')
    w.alert("KubeDeploymentRolloutStuck", deployment="barcode")
    return [("workload.probe.readiness-port-wrong", "Deployment", "barcode")]


# It has never been otherwise: no revision to go back to.
@incident("hauler")
def probe_speaks_tls(w: World) -> list[Answer]:
    w.container("dispatcher")["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTPS"}, "periodSeconds": 10, "failureThreshold": 3}
    for p in w.pods("dispatcher"):
        w.state(p, {"running": {"startedAt": "2026-05-18T22:17:40Z"}})
        w.event(p, "Unhealthy", f'Readiness probe failed: Get "https://{p["status"]["podIP"]}:8080/healthz": http: server gave HTTP response to HTTPS client', container="dispatcher", count=4120, since=40000)
    return [("workload.probe.readiness-protocol-wrong", "Deployment", "dispatcher")]


@incident("hauler", BACK, "fix-probe")
def one_second_is_too_short_for_a_probe(w: World) -> list[Answer]:
    w.container("eta")["livenessProbe"] = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 3}
    c = w.rollout("eta", 7000, whole=True)
    c["livenessProbe"] = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 3, "timeoutSeconds": 1, "failureThreshold": 1}
    for p in w.pods("eta"):
        last = {"exitCode": 137, "reason": "Error", "startedAt": "2026-05-19T09:38:40Z", "finishedAt": "2026-05-19T09:43:40Z"}
        w.state(p, {"running": {"startedAt": "2026-05-19T09:43:41Z"}}, last=last, restarts=17, ready=True)
        w.event(p, "Unhealthy", f'Liveness probe failed: Get "http://{p["status"]["podIP"]}:8000/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)', container="eta", count=17)
        w.event(p, "Killing", "Container eta failed liveness probe, will be restarted", container="eta", count=17, kind="Normal")
    return [("workload.probe.liveness-timing-wrong", "Deployment", "eta")]
