"""Something that a workload is told, and is wrong: variables, ConfigMaps, secrets, names."""

# Objects read better in few long lines.
# fmt: off

from collections.abc import Callable

from tests.cases.field.library import incident
from tests.cases.field.rolled import crashing
from tests.cases.field.voices import FRAME, felt, framed, spread, watch
from tests.cases.wild.objects import Obj, stamp
from tests.cases.wild.world import World


def told(name: str, value: str | None) -> Callable[[Obj, Obj], None]:
    """A change of one variable; None takes it away."""

    def change(c: Obj, _: Obj) -> None:
        c["env"] = [e for e in c["env"] if e["name"] != name] + ([{"name": name, "value": value}] if value is not None else [])

    return change


def edited(w: World, name: str, **data: str) -> Obj:
    """A ConfigMap changed by hand a quarter of an hour ago."""
    found = w.get("ConfigMap", name)
    was = dict(found["data"])
    found["data"] |= data
    w.edit(found, 900, "kubectl-edit", {"f:data": {f"f:{key}": {} for key in data}})
    found["metadata"].pop("generation")
    w.changed(found, "edited by hand", "\n".join(f"-{key}: {was.get(key, '')[:400]}\n+{key}: {value[:400]}" for key, value in data.items()), 900, "jo@underacanvas.example")
    return found


@incident("campsites", "both", "workload.config.config-map-not-found", "Deployment/portal ConfigMap/portal-settings", "rollback-deployment")
def portal_settings_were_never_made(w: World) -> None:
    for pod in w.rollout("portal", lambda c, _: c.update(envFrom=[{"configMapRef": {"name": "portal-settings"}}])):
        w.wait(pod, "CreateContainerConfigError", 'configmap "portal-settings" not found')
        w.event(pod, "Failed", 'Error: configmap "portal-settings" not found', 61)
    w.changed(w.work("portal"), "renamed the settings", "-name: portal-config\n+name: portal-settings")
    watch(w)


@incident("campsites", "plain", "workload.secret.key-missing", "Deployment/card-bridge Secret/card-bridge-credentials", "rollback-deployment")
def card_bridge_key_has_another_name(w: World) -> None:
    entry = {"name": "PSP_KEY", "valueFrom": {"secretKeyRef": {"name": "card-bridge-credentials", "key": "api-key"}}}
    for pod in w.rollout("card-bridge", lambda c, _: c["env"].append(entry)):
        said = f"couldn't find key api-key in Secret {w.ns}/card-bridge-credentials"
        w.wait(pod, "CreateContainerConfigError", said)
        w.event(pod, "Failed", f"Error: {said}", 52)


@incident("teashop", "both", "workload.env.missing", "Deployment/postage", "rollback-deployment")
def postage_is_not_told_where_to_ask(w: World) -> None:
    w.rollout("postage", told("TARE_ADDR", None), whole=True)
    crashing(w, "postage", ["thread 'main' panicked at src/main.rs:24:44:", "called `Result::unwrap()` on an `Err` value: NotPresent: environment variable TARE_ADDR not set", "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"], 101)
    for pod in w.pods("postage"):
        w.alert("KubePodNotReady", pod=pod["metadata"]["name"])
    w.changed(w.work("postage"), "tidied the environment", "-- name: TARE_ADDR\n-  value: http://tare:8090")
    felt(w, "postage")
    watch(w, errors={"till": 0.9, "shopfront": 0.4, "edge": 0.4})


@incident("campsites", "both", "workload.env.address-wrong", "Deployment/stays", "rollback-deployment")
def stays_calls_the_wallet_at_the_bridge_port(w: World) -> None:
    w.rollout("stays", told("WALLET_ADDR", "wallet:8091"), whole=True)
    address = w.get("Service", "wallet")["spec"]["clusterIP"]
    w.say("stays", framed(w, "stays", f"io.grpc.StatusRuntimeException: UNAVAILABLE: io exception; Caused by: io.netty.channel.ConnectTimeoutException: connection timed out after 20000 ms: wallet/{address}:8091"))
    w.changed(w.work("stays"), "environment", "-  value: wallet:8090\n+  value: wallet:8091")
    spread(w, ["stays"], "Unavailable", "payment not authorized: UNAVAILABLE: io exception", 1)
    watch(w, errors={"stays": 0.5, "portal": 0.2})
    w.alert("ServiceErrorRateHigh", service="portal", note="portal answers 20% of requests with an error")


@incident("campsites", "both", "workload.env.address-wrong workload.database.address-wrong", "Deployment/guests", "rollback-deployment")
def guests_ask_for_a_store_that_is_not_there(w: World) -> None:
    w.rollout("guests", told("MONGO_HOST", "mongo-guest"), whole=True)
    crashing(w, "guests", ["Traceback (most recent call last):", '  File "/app/guests/db.py", line 22, in connect', "    client.admin.command('ping')", "pymongo.errors.ServerSelectionTimeoutError: mongo-guest:27017: [Errno -2] Name or service not known (configured timeouts: socketTimeoutMS: 20000.0ms, connectTimeoutMS: 20000.0ms), Timeout: 30s, Topology Description: <TopologyDescription id: 67d7f0, topology_type: Unknown, servers: [<ServerDescription ('mongo-guest', 27017) server_type: Unknown>]>"])
    w.changed(w.work("guests"), "environment", "-  value: mongo-guests\n+  value: mongo-guest")
    felt(w, "guests", hops=1)
    watch(w, errors={"portal": 0.5})


@incident("campsites", "all", "workload.config.dependency-address-wrong workload.config.changed-and-broken", "ConfigMap/reviews-config", "restore-config")
def reviews_fetch_photos_from_a_name_that_is_not_there(w: World) -> None:
    edited(w, "reviews-config", PHOTOS_HOST="photo-store", PHOTOS_PORT="8089")
    for pod in w.pods("reviews"):
        w.restarted(pod, 1, 880, 0, "Completed")
    w.say("reviews", framed(w, "reviews", "request to http://photo-store:8089/thumbs failed, reason: getaddrinfo ENOTFOUND photo-store"))
    spread(w, ["reviews"], "Internal", "photos: getaddrinfo ENOTFOUND photo-store", 1)
    w.alert("ServiceErrorRateHigh", service="reviews", note="reviews answers 38% of requests with an error")
    watch(w, errors={"reviews": 0.38, "portal": 0.1})


@incident("teashop", "both", "workload.config.value-invalid workload.config.changed-and-broken", "ConfigMap/edge-config", "restore-config")
def edge_configuration_with_a_slip_of_the_pen(w: World) -> None:
    edited(w, "edge-config", **{"envoy.yaml": "static_resources:\n  clusters:\n  - name: shopfront\n    conect_timeout: 1s\n    type: STRICT_DNS\n"})
    said = f"[{stamp(70)}][1][critical][main] [source/server/server.cc:424] error initializing configuration '/etc/envoy/envoy.yaml': Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: invalid JSON in envoy.config.bootstrap.v3.Bootstrap @ static_resources.clusters[0]: message envoy.config.cluster.v3.Cluster: no such field: 'conect_timeout') has unknown fields"
    crashing(w, "edge", [said], whole=True)
    w.say("shopper-sim", FRAME["locust"].format(t=stamp(40), text="GET / failed: ConnectionError(MaxRetryError(\"HTTPConnectionPool(host='edge', port=8080): Max retries exceeded with url: / (Caused by NewConnectionError('[Errno 111] Connection refused'))\"))"))
    watch(w, errors={"edge": 1.0}, load={"edge": 0.0, "shopfront": 0.0})


@incident("teashop", "all", "workload.config.dependency-address-wrong workload.config.changed-and-broken", "ConfigMap/collector-config", "restore-config")
def collector_sends_traces_to_a_port_that_is_shut(w: World) -> None:
    edited(w, "collector-config", **{"config.yaml": "exporters:\n  otlphttp/traces:\n    endpoint: http://traces:4319\nservice:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [otlphttp/traces]\n"})
    for pod in w.pods("collector"):
        w.restarted(pod, 1, 870, 0, "Completed")
    address = w.get("Service", "traces")["spec"]["clusterIP"]
    w.say("collector", f'{stamp(50)}\tinfo\tinternal/retry_sender.go:133\tExporting failed. Will retry the request after interval.\t{{"kind": "exporter", "data_type": "traces", "name": "otlphttp/traces", "error": "failed to make an HTTP request: Post \\"http://traces:4319/v1/traces\\": dial tcp {address}:4319: connect: connection refused", "interval": "24.8s"}}', f'{stamp(44)}\terror\tinternal/queue_sender.go:84\tExporting failed. Dropping data.\t{{"kind": "exporter", "name": "otlphttp/traces", "error": "no more retries left", "dropped_items": 512}}')
    w.alert("OtelExporterFailing", service="collector", note="The collector fails to export all of its spans")
    watch(w)


@incident("campsites", "plain", "workload.service-account.not-found", "Deployment/guests ServiceAccount/guests-v2", "rollback-deployment")
def guests_under_an_account_nobody_made(w: World) -> None:
    w.rollout("guests", lambda _, s: s.update(serviceAccountName="guests-v2", serviceAccount="guests-v2"))
    newest = w.current("guests")
    w.remove(next(p for p in w.pods("guests") if p["metadata"]["name"].startswith(newest["metadata"]["name"])))
    newest["spec"]["replicas"] = 1
    said = f'pods "{newest["metadata"]["name"]}-" is forbidden: error looking up service account {w.ns}/guests-v2: serviceaccount "guests-v2" not found'
    newest["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": stamp(800)}]}
    w.event(newest, "FailedCreate", f"Error creating: {said}", 17, source="replicaset-controller")


@incident("campsites", "both", "workload.dns.misconfigured", "Deployment/suggest", "rollback-deployment")
def suggest_resolves_by_the_host(w: World) -> None:
    w.rollout("suggest", lambda _, s: s.update(dnsPolicy="Default"), whole=True)
    w.say("suggest", framed(w, "suggest", 'grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with: status = StatusCode.UNAVAILABLE details = "DNS resolution failed for tariffs:8084: C-ares status is not ARES_SUCCESS qtype=A name=tariffs is_balancer=0: Domain name not found">'), framed(w, "suggest", "pymongo.errors.ServerSelectionTimeoutError: mongo-map:27017: [Errno -2] Name or service not known"))
    w.changed(w.work("suggest"), "pod template", "-dnsPolicy: ClusterFirst\n+dnsPolicy: Default")
    spread(w, ["suggest"], "Unavailable", "DNS resolution failed for tariffs:8084", 1)
    w.alert("ServiceErrorRateHigh", service="suggest", note="suggest answers all requests with an error")
    watch(w, errors={"suggest": 1.0, "portal": 0.1})


@incident("campsites", "plain", "workload.volume.permission-denied", "Deployment/photos", "rollback-deployment")
def photos_lost_their_group(w: World) -> None:
    w.rollout("photos", lambda _, s: s.update(securityContext={"runAsUser": 1000, "runAsGroup": 1000}), whole=True)
    crashing(w, "photos", ["Error: EACCES: permission denied, mkdir '/var/lib/data/thumbs'", "    at Object.mkdirSync (node:fs:1372:26)", "    at Object.<anonymous> (/app/store.js:14:6) {", "  errno: -13, code: 'EACCES', syscall: 'mkdir', path: '/var/lib/data/thumbs'"])
    felt(w, "photos", hops=1)


@incident("teashop", "plain", "workload.database.port-wrong workload.env.address-wrong", "Deployment/range", "rollback-deployment")
def range_knocks_at_the_pooler_that_was_removed(w: World) -> None:
    w.rollout("range", told("DB_PORT", "6432"), whole=True)
    crashing(w, "range", ['{"level":"fatal","ts":"' + stamp(70) + '","msg":"cannot open the database","error":"failed to connect to `user=shop database=shop`: 10.42.1.29:6432 (pg-shop): dial error: dial tcp 10.42.1.29:6432: connect: connection refused"}'])
    felt(w, "range", skip=("alike",))


@incident("teashop", "all", "workload.config.key-missing workload.config.changed-and-broken", "ConfigMap/mailer-config", "restore-config")
def mailer_template_key_was_renamed(w: World) -> None:
    entry = {"name": "MAIL_SENDER", "valueFrom": {"configMapKeyRef": {"name": "mailer-config", "key": "MAIL_SENDER"}}}
    for holder in (w.work("mailer"), w.current("mailer")):
        holder["spec"]["template"]["spec"]["containers"][0]["env"].append(entry)
    edited(w, "mailer-config", SENDER_ADDRESS="orders@leafandlid.example.com")
    for pod in w.pods("mailer"):
        pod["spec"]["containers"][0]["env"].append(entry)
        w.wait(pod, "CreateContainerConfigError", f"couldn't find key MAIL_SENDER in ConfigMap {w.ns}/mailer-config")
        w.event(pod, "Failed", f"Error: couldn't find key MAIL_SENDER in ConfigMap {w.ns}/mailer-config", 33)
    felt(w, "mailer", hops=1)
    w.alert("KubePodNotReady", pod=w.pods("mailer")[0]["metadata"]["name"])
    watch(w, errors={"till": 0.2})
