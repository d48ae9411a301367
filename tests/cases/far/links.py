"""Faults of the network itself."""

from tests.cases.far.ground import Estate
from tests.cases.far.told import case
from tests.cases.far.towns import NODES, haulwave, stagedoor


# How callers are spread is the decision of who owns the Service.
@case(stagedoor, "service.session-affinity.skewed Service/search")
def one_pod_takes_all(c: Estate) -> None:
    c.get("services", "search")["spec"].update(
        sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}}
    )
    c.metric(
        "rps",
        'sum by (pod) (rate(http_requests_total{service="search"}[5m]))',
        ({"pod": c.pod_name("search", 0)}, [101, 180, 211, 214]),
        ({"pod": c.pod_name("search", 1)}, [98, 9, 0.1, 0.1]),
    )
    c.metric(
        "cpu",
        "sum by (pod) (rate(container_cpu_usage_seconds_total[5m]))",
        ({"pod": c.pod_name("search", 0)}, [0.2, 0.44, 0.49, 0.5]),
        ({"pod": c.pod_name("search", 1)}, [0.19, 0.03, 0.01, 0.01]),
    )
    c.change(3000, "kubectl-edit", "Service/search", "spec.sessionAffinity: None -> ClientIP")
    c.fails("search", "WARN slow query logged|took 3122ms", since=2500, only=1, times=8, level="WARN")
    c.page("LatencyP95", "search p95 3.4 s", service="search", ago=2000)


@case(
    haulwave,
    "workload.network.delay Deployment/trips",
    "workload.network.degraded Deployment/trips",
)
def trips_far_away(c: Estate) -> None:
    for reporter, values in (("source", [31, 30, 1040, 1041, 1043]), ("destination", [24, 25, 24, 26, 25])):
        c.metric(
            f"istio-{reporter}",
            f'histogram_quantile(0.5, sum by (le, destination_workload) (rate(istio_request_duration_milliseconds_bucket{{reporter="{reporter}"}}[5m])))',
            ({"destination_workload": "trips", "reporter": reporter}, values),
            ({"destination_workload": "geofence", "reporter": reporter}, [8, 8, 9, 8, 8]),
        )
    c.metric(
        "rtt",
        "avg by (pod) (tcp_rtt_seconds)",
        *(({"pod": c.pod_name("trips", n)}, [0.001, 0.001, 0.502, 0.501, 0.503]) for n in range(3)),
        ({"pod": c.pod_name("geofence", 0)}, [0.001, 0.001, 0.001, 0.001, 0.001]),
    )
    c.fails("fleet-api", "WARN slow upstream|GET http://trips:8080/trips took 1044ms", since=800, times=8, level="WARN")
    c.fails("trips", "INFO i.h.trips.api.TripController|GET /trips?vehicle=91 in 24 ms", since=800, level="INFO")
    c.fails("invoicing", "WARN [31ab] slow call to http://trips:8080 (1051 ms)", since=800, level="WARN")
    c.page("LatencyP95", "fleet-api p95 1.1 s", service="fleet-api", ago=600)


@case(
    haulwave,
    "workload.network.packet-loss Deployment/geofence",
    "workload.network.degraded Deployment/geofence",
)
def geofence_loses_packets(c: Estate) -> None:
    pods = [c.pod_name("geofence", n) for n in range(2)]
    c.metric(
        "drops",
        "sum by (pod) (rate(container_network_receive_packets_dropped_total[5m]))",
        *(({"pod": p}, [0, 0, 41, 39, 44]) for p in pods),
        ({"pod": c.pod_name("trips", 0)}, [0, 0, 0, 0, 0]),
    )
    c.metric(
        "retrans",
        "sum by (pod) (rate(tcp_retransmits_total[5m]))",
        *(({"pod": p}, [0.1, 0.1, 61, 58, 66]) for p in pods),
    )
    c.fails(
        "trips",
        'ERROR i.h.trips.TripAssembler|I/O error on POST request for "http://geofence:7070/eval": Read timed out',
        "WARN i.h.trips.TripAssembler|retrying http://geofence:7070/eval: java.net.SocketException: Connection reset",
        since=900,
        times=5,
    )
    c.fails("fleet-api", "ERROR upstream failed|Error: socket hang up (http://geofence:7070/eval)", since=850, times=4)
    c.files["connectivity.json"] = [
        {
            "namespace": "haulwave",
            "service": "geofence",
            "port": 7070,
            "succeeded": False,
            "probes": [
                {"from": NODES[0], "succeeded": True},
                {"from": NODES[1], "succeeded": False},
                {"from": NODES[2], "succeeded": False},
                {"from": NODES[3], "succeeded": True},
            ],
            "raw": "7 of 12 attempts answered",
        },
        {
            "namespace": "haulwave",
            "service": "trips",
            "port": 8080,
            "succeeded": True,
            "probes": [{"from": n, "succeeded": True} for n in NODES],
            "raw": "12 of 12 attempts answered",
        },
    ]
    c.page("TripsErrors", "trips 5xx 0.2", service="trips", ago=600)


@case(haulwave, f"node.kube-proxy.down Node/{NODES[1]}")
def proxy_gone_on_a_node(c: Estate) -> None:
    c.files[f"node-services/{NODES[1]}.json"] = [
        {
            "service": "kubelet",
            "active": True,
            "sub": "running",
            "raw": "Active: active (running) since Tue 2026-02-10",
        },
        {"service": "containerd", "active": True, "sub": "running", "raw": "Active: active (running)"},
        {
            "service": "kube-proxy",
            "active": False,
            "sub": "dead",
            "raw": "Active: inactive (dead) since Sun 2026-03-01 11:31:02 UTC; 28min ago",
        },
    ]
    for node in (NODES[0], NODES[2], NODES[3]):
        c.files[f"node-services/{node}.json"] = [
            {"service": name, "active": True, "sub": "running", "raw": "Active: active (running)"}
            for name in ("kubelet", "containerd", "kube-proxy")
        ]
    c.fails(
        "fleet-api", "ERROR upstream failed|Error: connect ETIMEDOUT <ip driver-id>:8080", since=1500, times=4, only=1
    )
    c.fails("device-gw", "ERROR mqtt connect failed|dial tcp <ip mqtt>:1883: i/o timeout", since=1500, only=1)
    c.page("FleetApiErrors", "a third of requests fails", service="fleet-api", ago=1200)


@case(
    haulwave,
    f"node.network.packet-loss Node/{NODES[2]}",
    f"node.network.unavailable Node/{NODES[2]}",
)
def conntrack_full(c: Estate) -> None:
    c.event(
        "Node",
        NODES[2],
        "ConntrackFull",
        "kernel: nf_conntrack: nf_conntrack: table full, dropping packet",
        namespace="default",
        ago=200,
        count=812,
    )
    c.metric(
        "conntrack",
        "node_nf_conntrack_entries / node_nf_conntrack_entries_limit",
        *(
            ({"instance": n, "node": n}, [0.4, 0.5, 0.98, 1.0, 1.0] if n == NODES[2] else [0.3, 0.3, 0.31, 0.3, 0.3])
            for n in NODES
        ),
    )
    c.fails(
        "fleet-api", "ERROR upstream failed|Error: connect ETIMEDOUT <ip driver-id>:8080", since=1500, times=4, only=1
    )
    c.fails(
        "trips",
        'WARN i.h.trips.TripAssembler|I/O error on POST request for "http://geofence:7070/eval": Connect timed out',
        since=1400,
        only=1,
    )
    c.page("NodeConntrackNearlyFull", "conntrack table is full", node=NODES[2], instance=NODES[2], ago=900)
