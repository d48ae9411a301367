"""Mechanisms between workloads: Services, policies, addresses, names, routes."""

from tests.cases.apps import App
from tests.cases.builder import COREFILE, Cluster, Json, crashing
from tests.cases.library import Expected, mechanism


def _refused(
    c: Cluster, a: App, name: str, words: str = "dial tcp 10.96.7.10:8080: connect: connection refused"
) -> None:
    c.log(a.middle, "\n".join(f"2026-03-01T11:5{n}:00Z ERROR call to {name} failed: {words}" for n in range(6)))


@mechanism
def service_selector(c: Cluster, a: App) -> Expected:
    c.get("services", a.leaf)["spec"]["selector"] = {"app": f"{a.leaf}-v2"}
    _refused(c, a, a.leaf)
    return Expected("service.selector.mismatch", "Service", a.leaf)


@mechanism
def service_selector_drifted(c: Cluster, a: App) -> Expected:
    c.manifests()
    c.get("services", a.middle)["spec"]["selector"]["tier"] = "blue"
    return Expected("service.selector.mismatch", "Service", a.middle)


@mechanism
def service_target_port(c: Cluster, a: App) -> Expected:
    c.get("services", a.leaf)["spec"]["ports"][0]["targetPort"] = 9999
    _refused(c, a, a.leaf)
    return Expected("service.port.target-mismatch", "Service", a.leaf)


@mechanism
def service_target_port_by_name(c: Cluster, a: App) -> Expected:
    c.container(a.leaf)["ports"][0]["name"] = "api"
    c.get("services", a.leaf)["spec"]["ports"][0]["targetPort"] = "http"
    _refused(c, a, a.leaf)
    return Expected("service.port.target-mismatch", "Service", a.leaf, ("workload.port.name-mismatch",))


@mechanism
def service_protocol(c: Cluster, a: App) -> Expected:
    c.get("services", a.leaf)["spec"]["ports"][0]["protocol"] = "UDP"
    _refused(c, a, a.leaf)
    return Expected("service.port.protocol-mismatch", "Service", a.leaf)


@mechanism
def service_port_changed(c: Cluster, a: App) -> Expected:
    c.manifests()
    c.get("services", a.leaf)["spec"]["ports"][0]["port"] = 8181
    _refused(c, a, a.leaf)
    return Expected("service.port.target-mismatch", "Service", a.leaf)


@mechanism
def service_missing(c: Cluster, a: App) -> Expected:
    c.manifests()
    del c.objects[c.namespace, "services"][a.leaf]
    _refused(c, a, a.leaf, f"lookup {a.leaf}: no such host")
    return Expected("service.endpoints.empty", "Service", a.leaf)


def _policy(c: Cluster, name: str, spec: Json) -> None:
    c.put(c.namespace, "networkpolicies", {"metadata": {"name": name}, "spec": spec})


@mechanism
def policy_ingress(c: Cluster, a: App) -> Expected:
    _policy(c, "guard", {"podSelector": {"matchLabels": {"app": a.leaf}}, "policyTypes": ["Ingress"], "ingress": []})
    _refused(c, a, a.leaf, "i/o timeout")
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "guard")


@mechanism
def policy_ingress_wrong_peer(c: Cluster, a: App) -> Expected:
    peers = [{"podSelector": {"matchLabels": {"role": "backend"}}}]
    spec = {"podSelector": {"matchLabels": {"app": a.store}}, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}
    _policy(c, "store-access", spec)
    _refused(c, a, a.store, "i/o timeout")
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "store-access")


@mechanism
def policy_egress(c: Cluster, a: App) -> Expected:
    egress = [{"ports": [{"port": 53, "protocol": "UDP"}]}]
    spec = {"podSelector": {"matchLabels": {"app": a.middle}}, "policyTypes": ["Egress"], "egress": egress}
    _policy(c, "limit-egress", spec)
    _refused(c, a, a.leaf, "context deadline exceeded")
    return Expected("network-policy.egress.blocked", "NetworkPolicy", "limit-egress")


@mechanism
def policy_dns(c: Cluster, a: App) -> Expected:
    egress: list[Json] = [{"to": [{"podSelector": {}}]}]
    _policy(c, "inside-only", {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress})
    _refused(c, a, a.leaf, f"lookup {a.leaf}: i/o timeout: Temporary failure in name resolution")
    return Expected("network-policy.dns.blocked", "NetworkPolicy", "inside-only")


@mechanism
def address_name(c: Cluster, a: App) -> Expected:
    c.rollout(a.front)
    c.env(a.front, "BACKEND_ADDR", f"{a.middle}-svc-old:8080")
    c.log(a.front, f"dial tcp: lookup {a.middle}-svc-old on 10.96.0.10:53: no such host\n" * 4)
    return Expected("workload.env.address-wrong", "Deployment", a.front)


@mechanism
def address_name_at_start(c: Cluster, a: App) -> Expected:
    c.rollout(a.front)
    c.env(a.front, "BACKEND_ADDR", f"{a.middle[:-1]}:8080")
    c.state(a.front, crashing(1))
    c.log(a.front, f"fatal: lookup {a.middle[:-1]}: no such host", previous=True)
    return Expected("workload.env.address-wrong", "Deployment", a.front)


@mechanism
def address_port(c: Cluster, a: App) -> Expected:
    c.env(a.front, "BACKEND_ADDR", f"{a.middle}:8088")
    c.log(a.front, f"error: connect {a.middle}:8088: i/o timeout\n" * 4)
    return Expected("workload.env.address-wrong", "Deployment", a.front)


@mechanism
def address_of_another_namespace(c: Cluster, a: App) -> Expected:
    c.put(None, "namespaces", {"metadata": {"name": "kube-system"}, "status": {"phase": "Active"}})
    c.env(a.front, "BACKEND_ADDR", f"{a.middle}.nowhere.svc.cluster.local:8080")
    c.log(a.front, f"lookup {a.middle}.nowhere.svc.cluster.local: no such host\n" * 4)
    return Expected("workload.env.address-wrong", "Deployment", a.front)


@mechanism
def address_in_config(c: Cluster, a: App) -> Expected:
    text = f"upstream:\n  address: {a.leaf}-api:{a.leaf_port}\n  retries: 3\n"
    c.put(c.namespace, "configmaps", {"metadata": {"name": "routing"}, "data": {"app.yaml": text}})
    c.spec(a.front)["volumes"] = [{"name": "routing", "configMap": {"name": "routing"}}]
    c.log(a.front, f"error: lookup {a.leaf}-api: no such host\n" * 4)
    return Expected("workload.config.dependency-address-wrong", "ConfigMap", "routing")


@mechanism
def database_port_in_arguments(c: Cluster, a: App) -> Expected:
    c.container(a.front)["args"] = [f"--database={a.store}:{a.store_port + 1}"]
    c.log(a.front, f"could not connect to database {a.store}: connection timed out\n" * 4)
    return Expected("workload.database.port-wrong", "Deployment", a.front)


@mechanism
def resolver_of_its_own(c: Cluster, a: App) -> Expected:
    c.rollout(a.front)
    c.spec(a.front)["dnsPolicy"] = "None"
    c.spec(a.front)["dnsConfig"] = {"nameservers": ["203.0.113.53"]}
    c.log(a.front, f"lookup {a.middle}: Temporary failure in name resolution\n" * 4)
    return Expected("workload.dns.misconfigured", "Deployment", a.front)


@mechanism
def external_name(c: Cluster, a: App) -> Expected:
    target = f"{a.leaf}.{a.namespace}-old.svc.cluster.local"
    spec = {"type": "ExternalName", "externalName": f"gone.{a.namespace}.svc.cluster.local"}
    c.put(c.namespace, "services", {"metadata": {"name": "partner"}, "spec": spec})
    c.env(a.front, "PARTNER_URL", "http://partner:80")
    c.log(a.front, f"lookup partner: no such host ({target})\n" * 4)
    return Expected("service.external-name.wrong", "Service", "partner")


def _ingress(c: Cluster, service: str, port: int, class_name: str) -> None:
    backend = {"service": {"name": service, "port": {"number": port}}}
    rule = {"host": "example.org", "http": {"paths": [{"path": "/", "backend": backend}]}}
    c.put(None, "ingressclasses", {"metadata": {"name": "nginx"}})
    c.put(
        c.namespace,
        "ingresses",
        {"metadata": {"name": "entry"}, "spec": {"ingressClassName": class_name, "rules": [rule]}},
    )
    c.alert("IngressErrors", ingress="entry")


@mechanism
def ingress_backend(c: Cluster, a: App) -> Expected:
    _ingress(c, f"{a.front}-v1", 80, "nginx")
    return Expected("gateway.backend.not-found", "Ingress", "entry")


@mechanism
def ingress_port(c: Cluster, a: App) -> Expected:
    _ingress(c, a.front, 81, "nginx")
    return Expected("gateway.route.wrong", "Ingress", "entry")


@mechanism
def ingress_class(c: Cluster, a: App) -> Expected:
    _ingress(c, a.front, 80, "traefik")
    return Expected("gateway.class.not-found", "Ingress", "entry")


@mechanism
def name_service_down(c: Cluster, a: App) -> Expected:
    c.get("deployments", "coredns", "kube-system")["spec"]["replicas"] = 0
    _refused(c, a, a.leaf, f"lookup {a.leaf} on 10.96.0.10:53: connection refused")
    c.log(a.front, f"lookup {a.middle}: Temporary failure in name resolution\n" * 4)
    return Expected("control-plane.coredns.down", "Deployment", "coredns")


@mechanism
def name_service_misconfigured(c: Cluster, a: App) -> Expected:
    rule = "    template ANY ANY svc.cluster.local {\n        rcode NXDOMAIN\n    }\n"
    text = COREFILE.replace("    cache 30\n", rule + "    cache 30\n")
    c.put("kube-system", "configmaps", {"metadata": {"name": "coredns"}, "data": {"Corefile": text}})
    _refused(c, a, a.leaf, f"lookup {a.leaf}.{a.namespace}.svc.cluster.local: no such host")
    c.log(a.front, f"lookup {a.middle}: no such host\n" * 4)
    return Expected("control-plane.coredns.misconfigured", "ConfigMap", "coredns")
