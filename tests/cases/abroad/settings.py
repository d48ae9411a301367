"""Faults of what workloads are told, of what they refer to, and of the databases that they use."""

from tests.cases.abroad.library import strange
from tests.cases.abroad.places import PORTS, Place, Town
from tests.cases.builder import at, crashing, running, waiting
from tests.cases.library import Expected

BACK = ("rollback-deployment",)


def _where(t: Town, p: Place, who: str, key: str, value: str, env: str, config: str) -> Expected:
    kind, name = t.tell(who, key, value)
    return Expected(config if kind == "ConfigMap" else env, kind, name)


@strange()
def namespace_is_misspelt(t: Town, p: Place) -> Expected:
    host = f"{p.worker}.{p.namespace[:-1]}x.svc.cluster.local"
    expected = _where(t, p, p.api, "WORKER_ENDPOINT", f"{host}:{PORTS['worker']}", "workload.env.address-wrong", "workload.config.dependency-address-wrong")  # fmt: skip
    t.says(p.api, "nohost", host=host, port=PORTS["worker"])
    t.alert("HighErrorRate", service=p.edge)
    return expected


@strange()
def old_name_of_the_worker(t: Town, p: Place) -> Expected:
    host = f"legacy-{p.worker}"
    expected = _where(t, p, p.api, "WORKER_ENDPOINT", f"{host}:{PORTS['worker']}", "workload.env.address-wrong", "workload.config.dependency-address-wrong")  # fmt: skip
    t.says(p.api, "nohost", host=host, port=PORTS["worker"])
    t.says(p.edge, "timeout", host=p.api, port=80)
    return expected


@strange()
def port_of_yesterday(t: Town, p: Place) -> Expected:
    expected = _where(t, p, p.api, "WORKER_ENDPOINT", f"{p.worker}:9001", "workload.env.address-wrong", "workload.config.dependency-address-wrong")  # fmt: skip
    t.says(p.api, "refused", host=p.worker, port=9001)
    t.alert("HighErrorRate", service=p.api)
    return expected


@strange()
def store_on_another_port(t: Town, p: Place) -> Expected:
    wrong = {"config-map": "workload.config.dependency-address-wrong", "fqdn": "workload.env.address-wrong"}
    kind, name = t.tell(p.worker, "DB_PORT", "15432")
    t.state(p.worker, crashing(1, restarts=5, ran=6))
    t.says(p.worker, "store-refused", previous=True, host=p.store, port=15432)
    return Expected(wrong.get(p.told, "workload.database.port-wrong"), kind, name)


@strange()
def variable_was_forgotten(t: Town, p: Place) -> Expected:
    t.state(p.worker, crashing(1, restarts=12, ran=1))
    t.says(p.worker, "missing", previous=True, times=1, name="TENANT_REGION")
    return Expected("workload.env.missing", "Deployment", p.worker)


@strange(*BACK)
def variable_is_gone_since_the_release(t: Town, p: Place) -> Expected:
    t.env(p.worker, "SETTLEMENT_WINDOW", "30")
    t.rollout(p.worker)
    t.env(p.worker, "SETTLEMENT_WINDOW", None)
    t.state(p.worker, crashing(1, restarts=4, ran=1))
    t.says(p.worker, "missing", previous=True, times=1, name="SETTLEMENT_WINDOW")
    return Expected("workload.env.missing", "Deployment", p.worker)


@strange(*BACK)
def not_a_number(t: Town, p: Place) -> Expected:
    t.env(p.worker, "POOL_LIMIT", "30")
    t.rollout(p.worker)
    t.env(p.worker, "POOL_LIMIT", "thirty")
    t.state(p.worker, crashing(1, restarts=4, ran=1))
    t.says(p.worker, "invalid", previous=True, times=1, name="POOL_LIMIT", value="thirty")
    return Expected("workload.env.invalid", "Deployment", p.worker)


@strange()
def not_a_number_in_the_map(t: Town, p: Place) -> Expected:
    t.put(p.namespace, "configmaps", {"metadata": {"name": "tuning-v2"}, "data": {"BATCH_SIZE": "12kk"}})
    t.container(p.worker).setdefault("envFrom", []).append({"configMapRef": {"name": "tuning-v2"}})
    t.state(p.worker, crashing(1, restarts=9, ran=2))
    t.says(p.worker, "invalid", previous=True, times=1, name="BATCH_SIZE", value="12kk")
    return Expected("workload.config.value-invalid", "ConfigMap", "tuning-v2")


@strange()
def key_is_not_in_the_map(t: Town, p: Place) -> Expected:
    t.put(p.namespace, "configmaps", {"metadata": {"name": "feature-flags"}, "data": {"dark-mode": "on"}})
    source = {"configMapKeyRef": {"name": "feature-flags", "key": "new-pricing"}}
    t.container(p.api)["env"].append({"name": "FLAG_PRICING", "valueFrom": source})
    t.state(p.api, waiting("CreateContainerConfigError", f"couldn't find key new-pricing in ConfigMap {p.namespace}/feature-flags"))  # fmt: skip
    return Expected("workload.config.key-missing", "ConfigMap", "feature-flags")


@strange()
def map_to_mount_is_gone(t: Town, p: Place) -> Expected:
    t.spec_of(p.worker)["volumes"] = [{"name": "rules", "configMap": {"name": "pricing-rules"}}]
    t.container(p.worker)["volumeMounts"] = [{"name": "rules", "mountPath": "/rules"}]
    t.state(p.worker, waiting("ContainerCreating"))
    for index in range(2):
        words = 'MountVolume.SetUp failed for volume "rules" : configmap "pricing-rules" not found'
        t.event("Pod", t.pod_name(p.worker, index), "FailedMount", words, count=14)
    return Expected("workload.config.config-map-not-found", "ConfigMap", "pricing-rules", ("workload.config.config-map-not-found",))  # fmt: skip


@strange(*BACK)
def secret_to_mount_is_gone(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.spec_of(p.worker)["volumes"] = [{"name": "creds", "secret": {"secretName": "hsm-credentials"}}]
    t.state(p.worker, waiting("ContainerCreating"))
    words = 'MountVolume.SetUp failed for volume "creds" : secret "hsm-credentials" not found'
    t.event("Pod", t.pod_name(p.worker), "FailedMount", words, count=14)
    return Expected("workload.secret.not-found", "Deployment", p.worker)


@strange()
def key_is_not_in_the_secret(t: Town, p: Place) -> Expected:
    source = {"secretKeyRef": {"name": "broker-login", "key": "passphrase"}}
    t.container(p.api)["env"].append({"name": "BROKER_PASSPHRASE", "valueFrom": source})
    words = f"couldn't find key passphrase in Secret {p.namespace}/broker-login"
    t.state(p.api, waiting("CreateContainerConfigError", words))
    return Expected("workload.secret.key-missing", "Secret", "broker-login")


@strange()
def role_is_too_small(t: Town, p: Place) -> Expected:
    account = f"{p.worker}-sa"
    t.put(p.namespace, "serviceaccounts", {"metadata": {"name": account}})
    t.spec_of(p.worker)["serviceAccountName"] = account
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    t.put(p.namespace, "roles", {"metadata": {"name": "watcher"}, "rules": rules})
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": p.namespace}]
    ref = {"kind": "Role", "name": "watcher"}
    t.put(p.namespace, "rolebindings", {"metadata": {"name": "watcher"}, "subjects": subjects, "roleRef": ref})
    words = f'leases.coordination.k8s.io is forbidden: User "system:serviceaccount:{p.namespace}:{account}" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "{p.namespace}"'
    tongue = t.place.tongue(p.worker)
    t.log(p.worker, "\n".join(tongue.line("error", "leader election", words, ago=n * 9) for n in range(8, 0, -1)))
    t.alert("HighErrorRate", service=p.worker)
    return Expected("rbac.role.too-narrow", "Role", "watcher")


@strange()
def wrong_password(t: Town, p: Place) -> Expected:
    t.state(p.worker, crashing(1, restarts=7, ran=4))
    t.says(p.worker, "auth", previous=True, user="svc")
    return Expected("workload.database.credentials-invalid", "Deployment", p.worker)


@strange()
def wrong_database(t: Town, p: Place) -> Expected:
    t.tell(p.worker, "DB_NAME", "mian")
    t.says(p.worker, "noname", name="mian")
    t.alert("HighErrorRate", service=p.worker)
    return Expected("workload.database.name-wrong", "Deployment", p.worker, ("workload.env.invalid",))


@strange()
def no_more_connections(t: Town, p: Place) -> Expected:
    t.says(p.worker, "exhausted", times=15, every=4)
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    t.alert("HighErrorRate", service=p.edge)
    return Expected("database.connections.exhausted", "StatefulSet", p.store)


@strange()
def store_takes_no_writes(t: Town, p: Place) -> Expected:
    t.says(p.worker, "readonly", times=15, every=4)
    t.alert("HighErrorRate", service=p.api)
    return Expected("database.mode.read-only", "StatefulSet", p.store)


@strange()
def store_waits_for_itself(t: Town, p: Place) -> Expected:
    words = "LOG:  process 4411 still waiting for ShareLock on transaction 99121 after 30000.221 ms\nERROR:  canceling statement due to lock timeout\nERROR:  deadlock detected\n"
    t.log(p.store, words * 12)
    t.says(p.worker, "timeout", host=p.store, port=p.store_port)
    t.alert("HighLatency", service=p.edge)
    return Expected("database.locks.contended", "StatefulSet", p.store)


@strange()
def resolver_of_another_network(t: Town, p: Place) -> Expected:
    t.spec_of(p.api).update(dnsPolicy="None", dnsConfig={"nameservers": ["192.168.77.1"]})
    t.says(p.api, "nohost", host=p.worker, port=PORTS["worker"])
    t.alert("HighErrorRate", service=p.api)
    return Expected("workload.dns.misconfigured", "Deployment", p.api)


@strange("restart-deployment")
def password_was_changed_meanwhile(t: Town, p: Place) -> Expected:
    t.put(p.namespace, "secrets", {"metadata": {"name": "db-login", "creationTimestamp": at(700)}, "data": {"pw": ""}})
    source = {"secretKeyRef": {"name": "db-login", "key": "pw"}}
    t.container(p.worker)["env"].append({"name": "DB_PASSWORD", "valueFrom": source})
    t.state(p.worker, running(since=60_000))
    t.says(p.worker, "auth", user="svc")
    t.alert("HighErrorRate", service=p.worker)
    return Expected("workload.secret.rotated-not-reloaded", "Deployment", p.worker)


@strange()
def no_such_account(t: Town, p: Place) -> Expected:
    t.spec_of(p.worker)["serviceAccountName"] = "postings-writer"
    t.no_pods.add(p.worker)
    words = f'pods "x" is forbidden: error looking up service account {p.namespace}/postings-writer: serviceaccount "postings-writer" not found'
    t.event("ReplicaSet", f"{p.worker}-5f", "FailedCreate", f"Error creating: {words}", count=15)
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words}
    t.get("deployments", p.worker)["status"] = {"conditions": [condition]}
    return Expected("workload.service-account.not-found", "Deployment", p.worker)


@strange()
def certificate_ran_out(t: Town, p: Place) -> Expected:
    t.put(
        p.namespace,
        "secrets",
        {"metadata": {"name": "worker-cert"}, "type": "kubernetes.io/tls", "data": {"tls.crt": ""}},
    )
    t.spec_of(p.worker).setdefault("volumes", []).append({"name": "tls", "secret": {"secretName": "worker-cert"}})
    t.says(p.api, "expired", host=p.worker, port=PORTS["worker"])
    t.alert("HighErrorRate", service=p.api)
    return Expected("certificate.expired", "Secret", "worker-cert")
