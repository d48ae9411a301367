"""Faults on the way between services: names, ports, policies, addresses."""

from tests.cases.far.ground import Estate
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor


@case(stagedoor, "service.selector.mismatch Service/barcode", cures="restore-service-spec")
def barcode_selector(c: Estate) -> None:
    c.get("services", "barcode")["spec"]["selector"] = {
        "app.kubernetes.io/name": "barcode",
        "app.kubernetes.io/instance": "stagedoor",
        "app.kubernetes.io/component": "sealer",
    }
    c.fails(
        "ticket-mint",
        "ERROR TicketConsumer|seal failed, requeue: Error: 14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED <ip barcode>:9090 (2026-03-01T11:40:11.001Z)",
        since=1300,
        times=6,
    )
    c.page("TicketMintRequeue", "redelivered ratio 0.99", deployment="ticket-mint", ago=1000)


@case(stagedoor, "service.port.target-mismatch Service/fraud", cures="restore-service-spec")
def fraud_target_port(c: Estate) -> None:
    c.container("fraud")["ports"] = [{"name": "grpc", "containerPort": 50051, "protocol": "TCP"}]
    c.get("services", "fraud")["spec"]["ports"] = [
        {"name": "grpc", "port": 50051, "targetPort": 50052, "protocol": "TCP"}
    ]
    c.fails(
        "order-desk",
        "WARN d.s.orders.FraudGate|fraud check skipped: io.grpc.StatusRuntimeException: UNAVAILABLE: io exception; Caused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: fraud/<ip fraud>:50051",
        since=5000,
        times=8,
    )
    c.page("FraudCheckSkipped", "all orders unscored", service="order-desk", ago=4000)


@case(haulwave, "service.port.protocol-mismatch Service/mqtt", cures="restore-service-spec")
def mqtt_over_udp(c: Estate) -> None:
    c.get("services", "mqtt")["spec"]["ports"] = [{"name": "mqtt", "port": 1883, "targetPort": 1883, "protocol": "UDP"}]
    c.fails(
        "device-gw",
        "ERROR mqtt connect failed|network Error : dial tcp <ip mqtt>:1883: connect: connection refused",
        since=1600,
        times=8,
    )
    c.page("DeviceFramesDropped", "no frames from 4100 devices", deployment="device-gw", ago=1200, severity="critical")


@case(stagedoor, "network-policy.egress.blocked NetworkPolicy/order-desk-egress", cures="revert-network-policy")
def egress_without_database(c: Estate) -> None:
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    own = [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": n}}}
        for n in ("pricing", "payments", "fraud", "bus", "seat-hold")
    ]
    c.policy(
        "order-desk-egress",
        {
            "podSelector": {"matchLabels": c.selects("order-desk")},
            "policyTypes": ["Egress"],
            "egress": [dns, {"to": own}],
        },
        ago=1100,
    )
    c.fails(
        "order-desk",
        "ERROR com.zaxxer.hikari.pool.HikariPool|HikariPool-1 - Exception during pool initialization. org.postgresql.util.PSQLException: The connection attempt failed. Caused by: java.net.SocketTimeoutException: Connect timed out",
        "ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|HikariPool-1 - Connection is not available, request timed out after 30002ms (total=0, active=0, idle=0, waiting=22)",
        since=1000,
        times=6,
    )
    c.page("HighErrorRate", "order-desk 5xx", service="order-desk", ago=800, severity="critical")


@case(stagedoor, "network-policy.ingress.blocked NetworkPolicy/hold-redis", cures="revert-network-policy")
def redis_lets_nobody_in(c: Estate) -> None:
    friend = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "seat-holder"}}}
    c.policy(
        "hold-redis",
        {
            "podSelector": {"matchLabels": c.selects("hold-redis")},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [friend], "ports": [{"port": 6379}]}],
        },
        ago=4000,
    )
    c.fails(
        "seat-hold",
        "ERROR d.s.hold.HoldService|Cannot hold seats: io.lettuce.core.RedisConnectionException: Unable to connect to hold-redis/<unresolved>:6379; Caused by: io.netty.channel.ConnectTimeoutException: connection timed out after 10000 ms: hold-redis/<ip hold-redis>:6379",
        since=3800,
        times=7,
    )
    c.fails("seatmap", "WARN cache read failed|Connection timed out (os error 110)", since=3700)
    c.fails(
        "notify",
        "ERROR consumer: Cannot connect to redis://hold-redis:6379/2: Timeout connecting to server. Trying again in 32.00 seconds... (16/100)",
        since=3700,
    )
    c.page("SeatHoldErrors", "holds fail", service="seat-hold", ago=3400)


@case(
    haulwave,
    "network-policy.dns.blocked NetworkPolicy/default-deny-egress",
    "network-policy.egress.blocked NetworkPolicy/default-deny-egress",
    cures="revert-network-policy",
)
def nobody_resolves(c: Estate) -> None:
    c.policy(
        "default-deny-egress",
        {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]},
        ago=1500,
    )
    c.fails(
        "fleet-api",
        "ERROR upstream failed|Error: getaddrinfo EAI_AGAIN trips",
        "ERROR upstream failed|Error: getaddrinfo EAI_AGAIN driver-id",
        since=1400,
        times=6,
    )
    c.fails(
        "trips",
        'ERROR o.a.c.c.C.[.[.[/].[dispatcherServlet]|I/O error on GET request for "http://geofence:7070/eval": geofence: Temporary failure in name resolution',
        since=1400,
    )
    c.fails(
        "device-gw",
        "ERROR mqtt connect failed|dial tcp: lookup mqtt on 10.96.0.10:53: read udp 10.244.1.12:41200->10.96.0.10:53: i/o timeout",
        since=1350,
        times=5,
    )
    c.fails(
        "invoicing",
        "ERROR [77de] SocketError (Failed to open TCP connection to trips:8080 (getaddrinfo: Temporary failure in name resolution))",
        since=1300,
    )
    c.page("FleetApiErrors", "fleet-api 5xx", service="fleet-api", ago=1100, severity="critical")


@case(
    haulwave,
    "control-plane.coredns.misconfigured ConfigMap/coredns",
    "control-plane.coredns.misconfigured Deployment/coredns",
    "control-plane.coredns.misconfigured ConfigMap/coredns-custom",
)
def corefile_without_cluster_zone(c: Estate) -> None:
    text = c.get("configmaps", "coredns", "kube-system")["data"]["Corefile"].replace(
        "kubernetes cluster.local", "kubernetes k8s.haulwave.example"
    )
    c.get("configmaps", "coredns", "kube-system")["data"]["Corefile"] = text
    c.fails(
        "fleet-api",
        "ERROR upstream failed|Error: getaddrinfo ENOTFOUND trips",
        "ERROR upstream failed|Error: getaddrinfo ENOTFOUND driver-id",
        since=900,
        times=6,
    )
    c.fails(
        "trips",
        'ERROR i.h.trips.TripAssembler|I/O error on GET request for "http://geofence:7070/eval": java.net.UnknownHostException: geofence',
        since=900,
    )
    c.fails(
        "device-gw",
        "ERROR mqtt connect failed|dial tcp: lookup mqtt on 10.96.0.10:53: no such host",
        since=880,
        times=5,
    )
    c.page("FleetApiErrors", "fleet-api 5xx", service="fleet-api", ago=700, severity="critical")


@case(stagedoor, "workload.env.address-wrong Deployment/storefront", cures="rollback-deployment")
def storefront_typo(c: Estate) -> None:
    c.released("storefront", 2600)
    c.env("storefront", "SEARCH_URL", "http://search.stagedoor.svc.cluster.lcoal:8081")
    c.fails(
        "storefront",
        "ERROR search unavailable, rendering empty list|TypeError: fetch failed; cause: Error: getaddrinfo ENOTFOUND search.stagedoor.svc.cluster.lcoal",
        since=2500,
        times=7,
    )
    c.page("SearchEmptyResults", "share of empty result pages 1.0", service="storefront", ago=2000)


# Nothing in the cluster says what it was before: a person knows, or Git does.
@case(
    stagedoor,
    "workload.config.dependency-address-wrong ConfigMap/pricing-config",
    "workload.config.dependency-address-wrong Deployment/pricing",
)
def pricing_config_port(c: Estate) -> None:
    c.config(
        "pricing-config",
        {
            "pricing.yaml": "fx:\n  ttl: 300\nseats:\n  base_url: http://seatmap:9080\n  timeout: 2\nfees:\n  service: 0.085\n"
        },
        changed=3100,
        by="kubectl-edit",
    )
    c.get("deployments", "pricing")["spec"]["template"]["spec"]["volumes"] = [
        {"name": "config", "configMap": {"name": "pricing-config"}}
    ]
    c.fails(
        "pricing",
        "ERROR pricing.seats|cannot load seat classes from http://seatmap:9080/classes: httpx.ConnectError: [Errno 111] Connection refused",
        since=2900,
        times=7,
    )
    c.page("QuoteErrors", "pricing 5xx 0.8", service="pricing", ago=2500)


# Names outside of the cluster are decided there: a person says which one is right.
@case(stagedoor, "service.external-name.wrong Service/psp")
def psp_external_name(c: Estate) -> None:
    c.env("payments", "Psp__BaseUrl", "https://psp:443")
    c.put(
        c.namespace,
        "services",
        {"metadata": {"name": "psp"}, "spec": {"type": "ExternalName", "externalName": "api.paystream-live.exmaple"}},
    )
    c.fails(
        "payments",
        "ERROR Stagedoor.Payments.PspClient|System.Net.Http.HttpRequestException: Name or service not known (psp:443)\n ---> System.Net.Sockets.SocketException (0xFFFDFFFF): Name or service not known",
        since=2000,
        times=6,
    )
    c.fails(
        "order-desk",
        "ERROR d.s.orders.PaymentStep|capture failed: 502 Bad Gateway from POST http://payments:8080/capture",
        since=1900,
    )
    c.page("CaptureFailing", "captures fail", service="payments", ago=1500, severity="critical")
