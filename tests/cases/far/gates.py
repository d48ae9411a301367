"""Faults at the gates: certificates, Ingresses, a mesh."""

from typing import Any

from tests.cases.builder import at
from tests.cases.far.ground import Estate
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor


@case(
    stagedoor,
    "certificate.expired Secret/barcode-tls",
    "certificate.expired Certificate/barcode-tls",
    "certificate.expired Deployment/barcode",
    "certificate.expired Service/barcode",
)
def barcode_certificate_expired(c: Estate) -> None:
    c.get("deployments", "barcode")["spec"]["template"]["spec"]["volumes"] = [
        {"name": "tls", "secret": {"secretName": "barcode-tls"}}
    ]
    c.fails(
        "ticket-mint",
        "ERROR TicketConsumer|seal failed, requeue: Error: 14 UNAVAILABLE: No connection established. Last error: Error: certificate has expired",
        since=3000,
        times=7,
    )
    c.fails("barcode", "WARN handshake failed|remote error: tls: expired certificate", since=3000, level="WARN")
    c.page("TicketMintRequeue", "redelivered ratio 0.99", deployment="ticket-mint", ago=2700)


@case(
    stagedoor,
    "certificate.name-mismatch Secret/barcode-tls",
    "certificate.name-mismatch Certificate/barcode-tls",
    "certificate.name-mismatch Deployment/barcode",
    "certificate.name-mismatch Service/barcode",
    "workload.env.address-wrong Deployment/ticket-mint",
)
def barcode_certificate_other_name(c: Estate) -> None:
    c.get("deployments", "barcode")["spec"]["template"]["spec"]["volumes"] = [
        {"name": "tls", "secret": {"secretName": "barcode-tls"}}
    ]
    c.fails(
        "ticket-mint",
        "ERROR TicketConsumer|seal failed, requeue: Error: 14 UNAVAILABLE: No connection established. Last error: Error: Hostname/IP does not match certificate's altnames: Host: barcode. is not in the cert's altnames: DNS:barcode-api.stagedoor.svc",
        since=3000,
        times=7,
    )
    c.page("TicketMintRequeue", "redelivered ratio 0.99", deployment="ticket-mint", ago=2700)


@case(
    stagedoor,
    "certificate.issuer.failing ClusterIssuer/letsencrypt",
    "certificate.issuer.failing Certificate/stagedoor-tls",
    "certificate.expiring Certificate/stagedoor-tls",
)
def acme_rate_limited(c: Estate) -> None:
    text = "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s"
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "Expiring",
        "message": "Renewing certificate as renewal was scheduled",
    }
    c.put(
        c.namespace,
        "certificates",
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": "stagedoor-tls"},
            "spec": {
                "secretName": "stagedoor-tls",
                "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"},
                "dnsNames": ["tickets.stagedoor.example"],
            },
            "status": {"conditions": [condition], "notAfter": at(-300_000)},
        },
    )
    c.event("CertificateRequest", "stagedoor-tls-14", "OrderFailed", text, ago=2000, count=7)
    c.event(
        "Certificate",
        "stagedoor-tls",
        "Failed",
        f"The certificate request has failed to complete and will be retried: {text}",
        ago=1900,
        count=7,
    )
    c.page(
        "CertManagerCertNotReady",
        "The certificate stagedoor-tls is not ready to serve traffic",
        name="stagedoor-tls",
        ago=7000,
    )
    c.metric(
        "expiry",
        "certmanager_certificate_expiration_timestamp_seconds - time()",
        ({"name": "stagedoor-tls"}, [301_200, 300_900, 300_600, 300_300, 300_000]),
    )


@case(stagedoor, "gateway.backend.not-found Ingress/stagedoor")
def ingress_to_nobody(c: Estate) -> None:
    c.ingress(
        "stagedoor",
        "tickets.stagedoor.example",
        {"/": ("edge", 8080), "/api/orders": ("order-desk", 8080), "/api/search": ("search-api", 8081)},
    )
    c.event("Ingress", "stagedoor", "Sync", "Scheduled for sync", ago=1400, type_="Normal", count=2)
    c.metric(
        "ingress",
        'sum by (service, status) (rate(nginx_ingress_controller_requests{ingress="stagedoor"}[5m]))',
        ({"service": "search-api", "status": "503"}, [0, 0, 11.2, 12.1, 11.8]),
        ({"service": "order-desk", "status": "200"}, [8, 9, 8, 8, 9]),
    )
    c.page("Ingress5xx", "503 on /api/search", ingress="stagedoor", ago=1100)


@case(
    stagedoor,
    "gateway.timeout.too-short Ingress/stagedoor",
)
def ingress_impatient(c: Estate) -> None:
    c.ingress(
        "stagedoor",
        "tickets.stagedoor.example",
        {"/": ("edge", 8080), "/api/orders": ("order-desk", 8080), "/api/search": ("search", 8081)},
        proxy_read_timeout="1",
        proxy_send_timeout="1",
    )
    c.put(
        "ingress-nginx",
        "events",
        {
            "metadata": {"name": "x.1"},
            "involvedObject": {"kind": "ConfigMap", "name": "ingress-nginx-controller", "namespace": "ingress-nginx"},
            "reason": "UPDATE",
            "message": "ConfigMap ingress-nginx/ingress-nginx-controller",
            "type": "Normal",
            "lastTimestamp": at(90_000),
        },
    )
    c.change(2400, "kubectl-annotate", "Ingress/stagedoor", "nginx.ingress.kubernetes.io/proxy-read-timeout: 60 -> 1")
    c.metric(
        "ingress",
        'sum by (service, status) (rate(nginx_ingress_controller_requests{ingress="stagedoor"}[5m]))',
        ({"service": "order-desk", "status": "504"}, [0, 0, 4.1, 4.4, 4.2]),
        ({"service": "order-desk", "status": "200"}, [8, 9, 4, 4, 4]),
    )
    c.metric(
        "orders",
        'histogram_quantile(0.95, sum by (le) (rate(http_server_requests_seconds_bucket{service="order-desk"}[5m])))',
        ({"service": "order-desk"}, [1.41, 1.38, 1.4, 1.44, 1.39]),
    )
    c.page("Ingress5xx", "504 on /api/orders", ingress="stagedoor", ago=2100)


@case(stagedoor, "gateway.route.wrong Ingress/stagedoor")
def rewrite_drops_path(c: Estate) -> None:
    c.ingress(
        "stagedoor",
        "tickets.stagedoor.example",
        {"/": ("edge", 8080), "/api/orders": ("order-desk", 8080), "/api/search": ("search", 8081)},
        rewrite_target="/$2",
    )
    c.change(
        1700,
        "argocd-application-controller",
        "Ingress/stagedoor",
        "nginx.ingress.kubernetes.io/rewrite-target: added /$2",
    )
    c.fails("order-desk", "WARN o.s.web.servlet.PageNotFound|No mapping for POST /", since=1600, times=8, level="WARN")
    c.fails("edge", 'INFO "GET / HTTP/1.1" 200 8121', since=1600)
    c.metric(
        "ingress",
        'sum by (service, status) (rate(nginx_ingress_controller_requests{ingress="stagedoor"}[5m]))',
        ({"service": "order-desk", "status": "404"}, [0, 0, 8.8, 9.1, 8.9]),
        ({"service": "search", "status": "404"}, [0, 0, 4.1, 4.4, 4.2]),
    )
    c.page("Ingress4xx", "404 ratio on /api 1.0", ingress="stagedoor", ago=1300)


def _strict(c: Estate) -> Any:
    peer = {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "creationTimestamp": at(2400)},
        "spec": {"mtls": {"mode": "STRICT"}},
    }
    return c.put(c.namespace, "peerauthentications", peer)


@case(
    haulwave,
    "workload.dependency.protocol-mismatch PeerAuthentication/default",
    "gateway.tls.mismatch PeerAuthentication/default",
    "workload.dependency.protocol-mismatch Deployment/fleet-ui",
    "gateway.tls.mismatch DestinationRule/fleet-api",
    "gateway.tls.mismatch Service/fleet-api",
    "workload.dependency.protocol-mismatch Deployment/fleet-api",
)
def strict_mesh_plain_caller(c: Estate) -> None:
    _strict(c)
    sidecar = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.24.2", "ports": [{"containerPort": 15090}]}
    c.get("deployments", "fleet-api")["spec"]["template"]["spec"]["containers"].append(sidecar)
    c.fails(
        "fleet-ui",
        'ERROR recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 10.244.0.1, server: , request: "GET /api/vehicles HTTP/1.1", upstream: "http://<ip fleet-api>:4000/api/vehicles"',
        since=2300,
        times=7,
    )
    c.say(
        "fleet-api",
        "INFO",
        '[2026-03-01T11:40:00.001Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.244.2.4:4000 10.244.1.9:51200 - -',
        container="istio-proxy",
        ago=1200,
    )
    c.page("FleetUi502", "502 ratio 1.0", service="fleet-ui", ago=2000, severity="critical")
