"""Incidents that were written after the rules were mended, and measured once: how far what was mended carries."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.calm import WELL
from tests.cases.field.library import incident
from tests.cases.field.nodes import FIRST, lost, set_condition
from tests.cases.field.reached import policy
from tests.cases.field.rolled import crashing
from tests.cases.field.stores import mongo
from tests.cases.field.voices import felt, framed, passed, spread, watch
from tests.cases.wild.objects import probe, stamp
from tests.cases.wild.world import DAY, World


@incident("campsites", "plain", "workload.crash.application-error workload.crash", "Deployment/mongo-guests")
def later_guests_store_cannot_read_its_files(w: World) -> None:
    crashing(w, "mongo-guests", ['{"t":{"$date":"' + stamp(71) + '"},"s":"E","c":"WT","id":22435,"ctx":"initandlisten","msg":"WiredTiger error message","attr":{"error":-31802,"message":"__wt_block_read_off:226:WiredTiger.wt: potential hardware corruption, read checksum error for 4096B block at offset 28672"}}', '{"t":{"$date":"' + stamp(70) + '"},"s":"F","c":"ASSERT","id":23089,"ctx":"initandlisten","msg":"Fatal assertion","attr":{"msgid":50853,"file":"src/mongo/db/storage/wiredtiger/wiredtiger_util.cpp","line":645}}'], 14, whole=True)
    felt(w, "mongo-guests", hops=2)


@incident("teashop", "plain", "queue.consumer.stopped", "Deployment/ledger StatefulSet/bus", "restart-deployment")
def later_ledger_left_its_group(w: World) -> None:
    w.say("ledger", "%4|1773740472.113|MAXPOLL|ledger#consumer-1| [thrd:main]: Application maximum poll interval (300000ms) exceeded by 412ms (adjust max.poll.interval.ms for long-running message processing): leaving group", times=4)


@incident("teashop", "both", "workload.volume.full storage.volume.full", "Deployment/pictures PersistentVolumeClaim/pictures-data")
def later_pictures_have_no_room(w: World) -> None:
    w.say("pictures", '2026/03/17 09:40:11 [crit] 29#29: *8812 pwrite() "/var/lib/data/cache/9/2c/client.0000001187" failed (28: No space left on device), client: 10.42.1.19, server: _, request: "PUT /p/oolong.webp HTTP/1.1"')
    w.metric("volume_free", 'kubelet_volume_stats_available_bytes{namespace="leafandlid"} / kubelet_volume_stats_capacity_bytes', ({"namespace": w.ns, "persistentvolumeclaim": "pictures-data"}, [max(0.0, 0.06 - i * 0.004) for i in range(31)]))
    w.alert("KubePersistentVolumeFillingUp", severity="critical", persistentvolumeclaim="pictures-data")
    watch(w, errors={"pictures": 0.2})


@incident("campsites", "both", "database.connections.exhausted", "Deployment/mongo-stays")
def later_stays_store_takes_nobody_more(w: World) -> None:
    w.say("mongo-stays", mongo("I", "NETWORK", 22942, "Connection refused because there are too many open connections", '"remote":"10.42.0.61:40212","connectionCount":819'))
    w.say("stays", framed(w, "stays", "com.mongodb.MongoSocketReadException: Prematurely reached end of stream"))
    w.say("wallet", framed(w, "wallet", "com.mongodb.MongoSocketReadException: Prematurely reached end of stream"))
    spread(w, ["stays"], "Internal", "Prematurely reached end of stream", 1)
    w.alert("ServiceErrorRateHigh", service="stays")
    watch(w, errors={"stays": 0.5, "wallet": 0.4, "portal": 0.1})


@incident("teashop", "plain", "database.storage.full workload.memory.limit-too-low", "Deployment/valkey-trolley")
def later_trolleys_fill_the_memory(w: World) -> None:
    w.say("trolley", framed(w, "trolley", "StackExchange.Redis.RedisServerException: OOM command not allowed when used memory > 'maxmemory'."))
    spread(w, ["trolley"], "Internal", "Can't access trolley storage. OOM command not allowed when used memory > 'maxmemory'.", 2)


@incident("campsites", "plain", "workload.probe.startup-too-short", "Deployment/stays", "fix-probe rollback-deployment")
def later_stays_get_six_seconds(w: World) -> None:
    for pod in w.rollout("stays", lambda c, _: c.update(startupProbe=probe("grpc", None, periodSeconds=3, failureThreshold=2))):
        w.crash(pod, 143, restarts=8, life=7)
        w.event(pod, "Unhealthy", f"Startup probe failed: dial tcp {pod['status']['podIP']}:8087: connect: connection refused", 16)
        w.event(pod, "Killing", "Container stays failed startup probe, will be restarted", 8, kind="Normal")
        w.log(pod, f"{stamp(76)}  INFO 1 --- [stays] [main] c.u.stays.Application : Starting Application v4.2.0 using Java 21.0.6", previous=True)


@incident("campsites", "both", "workload.database.credentials-invalid", "Deployment/redis-logins Deployment/guests", "rollback-deployment")
def later_logins_want_a_password(w: World) -> None:
    w.rollout("redis-logins", lambda c, _: c.update(args=["redis-server", "--requirepass", "$(REDIS_PASSWORD)"]), whole=True)
    w.changed(w.work("redis-logins"), "arguments", "+args: [redis-server, --requirepass, $(REDIS_PASSWORD)]")
    w.say("guests", framed(w, "guests", "redis.exceptions.AuthenticationError: NOAUTH Authentication required."))
    spread(w, ["guests"], "Internal", "session store: NOAUTH Authentication required.", 1)
    w.alert("ServiceErrorRateHigh", service="guests")
    watch(w, errors={"guests": 1.0, "portal": 0.3})


@incident("teashop", "both", "workload.dependency.unavailable workload.dependency.slow", "Deployment/mailer")
def later_post_office_is_shut(w: World) -> None:
    w.say("mailer", framed(w, "mailer", "smtplib.SMTPConnectError: (421, b'4.3.2 Service shutting down') while connecting to smtp.postpeak.example.net:587"), framed(w, "mailer", "TimeoutError: [Errno 110] Connection timed out: smtp.postpeak.example.net:587"))
    w.say("till", framed(w, "till", 'failed to send order confirmation: Post "http://mailer:6060/send_order_confirmation": 500 Internal Server Error'))
    w.alert("ServiceErrorRateHigh", service="mailer")
    watch(w, errors={"mailer": 0.9, "till": 0.1})


@incident("teashop", "both", "workload.errors.regressed-after-change change.deploy.correlated", "Deployment/paygate", "rollback-deployment pause-rollout")
def later_paygate_stumbles_over_loyalty(w: World) -> None:
    w.rollout("paygate", lambda c, _: c.update(image="registry.leafandlid.example.com/shop/paygate:2.2.0"), whole=True)
    w.say("paygate", framed(w, "paygate", "TypeError: Cannot read properties of undefined (reading 'loyalty')"))
    w.say("till", passed(w, "till", "paygate", "Unknown", "Cannot read properties of undefined (reading 'loyalty')"))
    spread(w, ["till"], "Internal", "could not charge the card", 1)
    w.changed(w.work("paygate"), "image 2.1.4 -> 2.2.0", "-image: …/paygate:2.1.4\n+image: …/paygate:2.2.0")
    w.alert("ServiceErrorRateHigh", service="till")
    watch(w, errors={"paygate": 0.5, "till": 0.5, "shopfront": 0.1})


@incident("campsites", "plain", "disruption.eviction.storm disruption", "Deployment/guests")
def later_guests_are_taken_away(w: World) -> None:
    made = w.work("guests")
    for number in range(7):
        gone = w.pod(made, 20 + number, 150 + 120 * number)
        w.remove(gone)
        w.event(gone, "Killing", "Stopping container guests", 1, 100 + 120 * number, 100 + 120 * number, kind="Normal")
        w.event(w.current("guests"), "SuccessfulCreate", f"Created pod: {gone['metadata']['name']}", 1, 150 + 120 * number, 150 + 120 * number, "replicaset-controller", "Normal")
    w.remove(w.pods("guests")[0])
    w.event(w.pod(made, 40, 35), "Started", "Started container guests", 1, 30, 30, kind="Normal")


@incident("campsites", "both", "workload.probe.readiness-path-wrong", "Deployment/portal", "fix-probe rollback-deployment")
def later_portal_is_asked_for_a_page_it_does_not_have(w: World) -> None:
    for pod in w.rollout("portal", lambda c, _: c.update(readinessProbe=probe("http", "/readyz", initialDelaySeconds=5))):
        w.unready(pod)
        w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", 77)
    w.changed(w.work("portal"), "readiness path", "-path: /healthz\n+path: /readyz")
    w.alert("KubeDeploymentRolloutStuck", deployment="portal")
    watch(w)


@incident("teashop", "both", "network-policy.ingress.blocked", "NetworkPolicy/deny-all", "revert-network-policy")
def later_nobody_may_come_in(w: World) -> None:
    policy(w, "deny-all", {"podSelector": {}, "policyTypes": ["Ingress"]})
    for name in ("pg-shop", "trolley", "coin", "postage"):
        felt(w, name, "timeout", "DeadlineExceeded", 1)
    for name in ("shopfront", "pg-shop", "trolley", "coin", "postage", "range", "till"):
        w.connect(name, w.svc(name).port, False, *((who, False) for who in w.callers(name)), raw="nc: Connection timed out")
    w.alert("ServiceErrorRateHigh", service="edge", severity="critical")
    watch(w, errors={"edge": 1.0, "shopfront": 1.0, "till": 1.0}, load={"range": 0.0, "coin": 0.0, "trolley": 0.0})


@incident("teashop", "plain", "node.network.unavailable", f"Node/{FIRST}")
def later_node_without_a_network(w: World) -> None:
    node = w.get("Node", FIRST, None)
    set_condition(node, "NetworkUnavailable", True, "CalicoIsDown", "Calico is shutting down on this node")
    node["spec"]["taints"] = [{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule", "timeAdded": stamp(690)}]
    lost(w)


@incident("campsites", "plain", "gateway.tls.mismatch", "Ingress/camping Secret/camping-tls")
def later_camping_has_no_certificate(w: World) -> None:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "portal", "port": {"number": 5000}}}}
    made = w.add("Ingress", "camping", 200 * DAY, spec={"ingressClassName": "nginx", "tls": [{"hosts": ["camping.example.org"], "secretName": "camping-tls"}], "rules": [{"host": "camping.example.org", "http": {"paths": [path]}}]}, status={"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}})
    w.edit(made, 1200, "kubectl-edit", {"f:spec": {"f:tls": {}}})
    w.say("camper-sim", f"{stamp(40)} ERROR locust.user.task GET https://camping.example.org/ failed: SSLError(SSLCertVerificationError(\"hostname 'camping.example.org' doesn't match 'ingress.local'\"))")


@incident("teashop", "plain", WELL, flavour="control")
def later_an_outage_of_yesterday(w: World) -> None:
    for name in ("range", "till"):
        w.restarted(w.pods(name)[0], 1, 26 * 3600, 1)
        w.log(w.pods(name)[0], '{"level":"error","ts":"2026-03-16T07:12:40Z","msg":"request failed","service":"' + name + '","error":"failed to connect to pg-shop: dial tcp 10.42.1.29:5432: connect: connection refused"}')


@incident("campsites", "all", WELL, flavour="control")
def later_a_day_like_any_other(w: World) -> None:
    w.log(w.pods("wallet")[0], f"{stamp(2900)}  WARN 1 --- [wallet] [main] c.u.wallet.CardClient : slow answer of card-bridge: 812 ms")
    w.log(w.pods("suggest")[0], f"{stamp(1200)} WARNING [suggest.server] model is 9 days old")
    watch(w)


# Put right after the first look: one mild warning is a good day, whatever somebody says.
@incident("campsites", "plain", WELL, flavour="control")
def later_somebody_says_that_it_is_slow(w: World) -> None:
    w.log(w.pods("finder")[0], '{"level":"warn","ts":"' + stamp(300) + '","msg":"request took longer than usual","dur_ms":912}')
