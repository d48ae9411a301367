"""Between two that are well: Services, policies, the network, certificates."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.library import incident
from tests.cases.field.rolled import crashing
from tests.cases.field.voices import direct, felt, framed, passed, spread, watch
from tests.cases.wild.objects import Obj, stamp
from tests.cases.wild.world import DAY, World


def service(w: World, name: str, summary: str, diff: str, **spec: object) -> None:
    found = w.get("Service", name)
    found["spec"] |= spec
    w.edit(found, 780, "kubectl-edit", {"f:spec": {f"f:{key}": {} for key in spec}})
    found["metadata"].pop("generation")
    w.changed(found, summary, diff, 780, "kim@example.net")


@incident("campsites", "both", "service.port.target-mismatch", "Service/finder", "restore-service-spec")
def finder_is_looked_for_on_a_port_nobody_opens(w: World) -> None:
    port = w.get("Service", "finder")["spec"]["ports"][0] | {"targetPort": 8182}
    service(w, "finder", "edited by hand", "-targetPort: grpc\n+targetPort: 8182", ports=[port])
    felt(w, "finder")
    w.alert("ServiceErrorRateHigh", service="portal")
    watch(w, errors={"portal": 0.7}, load={"finder": 0.0, "map-index": 0.0, "tariffs": 1.0})


@incident("teashop", "both", "service.selector.mismatch service.endpoints.empty", "Service/trolley", "restore-service-spec")
def trolley_service_chooses_nobody(w: World) -> None:
    service(w, "trolley", "edited by hand", "-  app.kubernetes.io/name: trolley\n+  app.kubernetes.io/name: trolley-v2", selector={"app.kubernetes.io/name": "trolley-v2"})
    felt(w, "trolley")
    w.alert("ServiceErrorRateHigh", service="till")
    watch(w, errors={"shopfront": 0.6, "till": 1.0, "edge": 0.5}, load={"trolley": 0.0})


@incident("teashop", "plain", "service.port.target-mismatch workload.port.name-mismatch", "Service/postage", "restore-service-spec")
def postage_port_by_another_name(w: World) -> None:
    port = w.get("Service", "postage")["spec"]["ports"][0] | {"targetPort": "grpc-web"}
    service(w, "postage", "", "", ports=[port])
    felt(w, "postage")


@incident("campsites", "all", "workload.network.delay workload.network.degraded node.network.delay", "Deployment/wallet")
def wallet_is_two_seconds_away(w: World) -> None:
    w.say("stays", framed(w, "stays", "io.grpc.StatusRuntimeException: DEADLINE_EXCEEDED: CallOptions deadline exceeded after 1.999871203s. Name resolution delay 0.000000000 seconds. [closed=[], open=[[buffered_nanos=241881, remote_addr=wallet/172.20.0.20:8090]]]"))
    spread(w, ["stays"], "DeadlineExceeded", "wallet: CallOptions deadline exceeded", 1)
    w.connect("wallet", 8090, True, ("stays", True), ("prober", True), raw="open; rtt min/avg/max/mdev = 2001.1/2004.3/2009.8/2.4 ms, 0% packet loss; other services 0.3 ms")
    w.alert("ServiceLatencyHigh", service="stays", note="99th percentile of stays is 4.1 s; wallet itself handles a request in 30 ms")
    w.metric("tcp_rtt", 'avg by (service) (tcp_connection_rtt_seconds{namespace="underacanvas"})', ({"namespace": w.ns, "service": "wallet"}, [0.0004] * 17 + [2.003] * 14), ({"namespace": w.ns, "service": "card-bridge"}, [0.0004] * 31), ({"namespace": w.ns, "service": "mongo-stays"}, [0.0005] * 31))
    watch(w, slow={"stays": 4.1, "portal": 4.2}, errors={"stays": 0.4})


@incident("campsites", "both", "workload.network.packet-loss workload.network.degraded", "Deployment/mongo-guests NetworkChaos/drill-mongo-guests")
def guests_store_loses_packets(w: World) -> None:
    spec = {"action": "loss", "mode": "all", "direction": "to", "duration": "30m", "loss": {"loss": "45", "correlation": "25"}, "selector": {"namespaces": [w.ns], "labelSelectors": {"app": "mongo-guests"}}}
    made = w.add("NetworkChaos", "drill-mongo-guests", 900, spec=spec, status={"experiment": {"desiredPhase": "Run", "containerRecords": [{"id": f"{w.ns}/{w.pods('mongo-guests')[0]['metadata']['name']}", "phase": "Injected", "injectedCount": 1}]}})
    w.changed(made, "created", ago=900, who="chaos-dashboard")
    w.say("guests", framed(w, "guests", "pymongo.errors.NetworkTimeout: mongo-guests:27017: timed out (configured timeouts: socketTimeoutMS: 20000.0ms, connectTimeoutMS: 20000.0ms)"), framed(w, "guests", "pymongo.errors.AutoReconnect: mongo-guests:27017: connection closed"))
    spread(w, ["guests"], "DeadlineExceeded", "timed out", 1)
    w.connect("mongo-guests", 27017, False, ("guests", False), ("prober", True), raw="5 attempts, 2 succeeded; 45% packet loss")
    watch(w, slow={"guests": 9.0, "portal": 9.1}, errors={"guests": 0.3})


def policy(w: World, name: str, spec: Obj, ago: float = 800) -> Obj:
    made = w.add("NetworkPolicy", name, ago, spec=spec)
    made["metadata"]["managedFields"][0]["manager"] = "kubectl-client-side-apply"
    w.changed(made, "created", ago=ago, who="kim@example.net")
    return made


@incident("teashop", "both", "network-policy.ingress.blocked", "NetworkPolicy/valkey-only-from-the-cart", "revert-network-policy")
def trolley_is_shut_out_of_its_store(w: World) -> None:
    peer = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "cart"}}}
    policy(w, "valkey-only-from-the-cart", {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "valkey-trolley"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer], "ports": [{"port": 6379, "protocol": "TCP"}]}]})
    felt(w, "valkey-trolley", "timeout")
    w.connect("valkey-trolley", 6379, False, ("trolley", False), ("prober", False), raw="nc: valkey-trolley (172.20.0.27:6379): Connection timed out")
    w.alert("ServiceErrorRateHigh", service="till")
    watch(w, errors={"trolley": 1.0, "till": 1.0, "shopfront": 0.5})


@incident("campsites", "all", "network-policy.dns.blocked network-policy.egress.blocked", "NetworkPolicy/stays-egress", "revert-network-policy")
def stays_may_not_ask_for_names(w: World) -> None:
    to = [{"podSelector": {"matchLabels": {"app": name}}} for name in ("mongo-stays", "memcached-stays", "wallet", "courier-mq")]
    policy(w, "stays-egress", {"podSelector": {"matchLabels": {"app": "stays"}}, "policyTypes": ["Egress"], "egress": [{"to": to}]})
    w.say("stays", framed(w, "stays", "com.mongodb.MongoTimeoutException: Timed out while waiting for a server that matches WritableServerSelector. Client view of cluster state is {type=UNKNOWN, servers=[{address=mongo-stays:27017, type=UNKNOWN, state=CONNECTING, exception={com.mongodb.MongoSocketException: mongo-stays: Temporary failure in name resolution}"), framed(w, "stays", "io.grpc.StatusRuntimeException: UNAVAILABLE: Unable to resolve host wallet; Caused by: java.net.UnknownHostException: wallet: Temporary failure in name resolution"))
    spread(w, ["stays"], "Unavailable", "Unable to resolve host wallet", 1)
    w.alert("ServiceErrorRateHigh", service="stays")
    watch(w, errors={"stays": 1.0, "portal": 0.3})


@incident("campsites", "plain", "network-policy.egress.blocked", "NetworkPolicy/no-way-out", "revert-network-policy")
def tariffs_may_call_nobody(w: World) -> None:
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    policy(w, "no-way-out", {"podSelector": {"matchLabels": {"app": "tariffs"}}, "policyTypes": ["Egress"], "egress": [dns]})
    for store in ("mongo-tariffs", "memcached-tariffs", "registry"):
        w.say("tariffs", direct(w, "tariffs", store, "timeout"))
    spread(w, ["tariffs"], "DeadlineExceeded", "context deadline exceeded", 2)


@incident("teashop", "both", "certificate.expired", "Certificate/shop-tls Secret/shop-tls")
def shop_certificate_ran_out(w: World) -> None:
    said = "Certificate expired on Mon, 16 Mar 2026 23:59:59 UTC"
    spec = {"secretName": "shop-tls", "dnsNames": ["shop.leafandlid.example.com"], "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}
    status = {"notAfter": "2026-03-16T23:59:59Z", "notBefore": "2025-12-17T00:00:00Z", "conditions": [{"type": "Ready", "status": "False", "reason": "Expired", "message": said, "lastTransitionTime": "2026-03-17T00:00:00Z"}]}
    made = w.add("Certificate", "shop-tls", 300 * DAY, spec=spec, status=status)
    w.add("Secret", "shop-tls", 300 * DAY, type="kubernetes.io/tls", data={"tls.crt": "", "tls.key": ""})
    w.event(made, "Failed", "The certificate request has failed to complete and will be retried: Failed to wait for order resource \"shop-tls-1\" to become ready: order is in \"errored\" state: 429 urn:ietf:params:acme:error:rateLimited", 6, 50000, 3000, "cert-manager-certificates-issuing")
    w.say("shopper-sim", f"{stamp(40)} ERROR locust.user.task GET https://shop.leafandlid.example.com/ failed: SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1010)'))")
    w.alert("CertificateExpired", severity="critical", name="shop-tls", note=said)
    watch(w)


@incident("teashop", "plain", "gateway.backend.not-found", "Ingress/shop")
def shop_is_routed_to_a_service_of_old(w: World) -> None:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "edge-proxy", "port": {"number": 8080}}}}
    made = w.add("Ingress", "shop", 200 * DAY, spec={"ingressClassName": "nginx", "rules": [{"host": "shop.leafandlid.example.com", "http": {"paths": [path]}}]}, status={"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}})
    w.edit(made, 640, "kubectl-edit", {"f:spec": {"f:rules": {}}})
    w.event(made, "Sync", "Scheduled for sync", 2, 640, 630, "nginx-ingress-controller", "Normal")


# Put right after the first look: the variable must be edited, so its name is as good as that of the port.
@incident("teashop", "all", "workload.port.not-listening workload.env.invalid workload.env.address-wrong", "Deployment/tare", "rollback-deployment")
def tare_listens_to_itself(w: World) -> None:
    for pod in w.rollout("tare", lambda c, _: c["env"].append({"name": "LISTEN", "value": "127.0.0.1:8090"}), whole=True):
        w.unready(pod)
        w.event(pod, "Unhealthy", f'Readiness probe failed: Get "http://{pod["status"]["podIP"]}:8090/ping": dial tcp {pod["status"]["podIP"]}:8090: connect: connection refused', 80)
        w.log(pod, f"[{stamp(830)}] NOTICE: ready to handle connections, listening on 127.0.0.1:8090")
    w.changed(w.work("tare"), "environment", "+- name: LISTEN\n+  value: 127.0.0.1:8090")
    felt(w, "tare")
    watch(w, errors={"postage": 1.0, "shopfront": 0.3, "till": 0.9})


@incident("campsites", "both", "workload.memory.oom-killed workload.memory.limit-too-low", "Deployment/registry", "raise-memory-limit rollback-deployment")
def registry_is_killed_and_nobody_finds_anybody(w: World) -> None:
    for pod in w.rollout("registry", lambda c, _: c["resources"].update(limits={"cpu": "500m", "memory": "24Mi"}, requests={"cpu": "50m", "memory": "24Mi"}), whole=True):
        w.crash(pod, 137, "OOMKilled", restarts=9, life=7)
        w.log(pod, f"{stamp(74)} [INFO]  agent: Starting server: address=[::]:8500 network=tcp protocol=http", previous=True)
    for me in ("portal", "finder", "map-index", "tariffs"):
        w.say(me, direct(w, me, "registry"))
    w.say("portal", framed(w, "portal", 'rpc error: code = Unavailable desc = name resolver error: produced zero addresses for consul://registry:8500/finder'), framed(w, "portal", 'rpc error: code = Unavailable desc = last resolver error: Get \\"http://registry:8500/v1/health/service/stays?passing=1\\": connect: connection refused'))
    w.changed(w.work("registry"), "memory", "-memory: 256Mi\n+memory: 24Mi")
    watch(w, errors={"portal": 1.0, "finder": 0.6})


@incident("campsites", "plain", "workload.replicas.zero", "StatefulSet/courier-mq", "restore-replicas scale-deployment")
def season_watch_waits_for_a_broker_at_zero(w: World) -> None:
    made = w.work("courier-mq")
    for pod in w.pods("courier-mq"):
        w.remove(pod)
    made["spec"]["replicas"] = 0
    w.edit(made, 1500, "kubectl", {"f:spec": {"f:replicas": {}}})
    crashing(w, "season-watch", ['{"level":"fatal","ts":"' + stamp(70) + '","msg":"cannot reach the broker","error":"dial tcp: lookup courier-mq on 172.20.0.10:53: no such host"}'])
    for me in ("stays", "letters"):
        w.say(me, direct(w, me, "courier-mq", "dns"))
    w.say("portal", passed(w, "portal", "stays", "Internal", "confirmation not queued"), times=3)
