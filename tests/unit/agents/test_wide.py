"""Rules that look at the whole namespace, on snapshots made for one question each."""

from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, at, waiting
from tests.unit.agents.conftest import Look

from interlock.agents.analyzers.wide import Landscape, reach
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine
from interlock.agents.model import ObjectRef

APP = APPS["shop"]


def link_trouble(spec: dict[str, Any], **metadata: Any) -> Cluster:
    """The application with an object of a kind that nobody knows."""
    cluster = deployed(APP)
    body = {"kind": "LinkTrouble", "metadata": {"name": "trial", **metadata}, "spec": spec}
    cluster.put("shop", "linktroubles", body)
    cluster.log("orders", "ERROR call to payments: i/o timeout\n" * 5)
    return cluster


CHOSEN = {"labelSelectors": {"app": "payments"}}


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"action": "delay", "selector": CHOSEN, "delay": {"latency": "90ms"}}, "workload.network.delay"),
        ({"action": "netem", "selector": CHOSEN, "loss": {"loss": "30"}}, "workload.network.packet-loss"),
        ({"action": "partition", "selector": CHOSEN}, "workload.network.degraded"),
        ({"hosts": ["payments"], "http": [{"fault": {"abort": {"httpStatus": 500}}}]}, "workload.errors"),
        (
            {"targetRef": {"kind": "Service", "name": "payments"}, "faults": [{"delay": {"fixedDelay": "2s"}}]},
            "workload.network.delay",
        ),
    ],
)
def test_an_object_of_any_kind_that_asks_for_trouble_is_read_by_its_fields(
    look: Look, spec: dict[str, Any], cause: str
) -> None:
    assert look(link_trouble(spec))[0] == (cause, "Deployment", "payments")


@pytest.mark.parametrize(
    ("spec", "metadata"),
    [
        ({"action": "delay", "selector": {"labelSelectors": {"app": "nobody"}}, "delay": {"latency": "90ms"}}, {}),
        ({"action": "loss", "selector": CHOSEN, "loss": {"loss": "0"}}, {}),
        ({"hosts": ["payments"], "http": [{"timeout": "3s", "retries": {"attempts": 2}}]}, {}),
        ({"selector": CHOSEN, "delay": 30, "strategy": {"delay": {"seconds": 3}}}, {}),
        (
            {"action": "delay", "selector": CHOSEN, "delay": {"latency": "90ms"}},
            {"deletionTimestamp": "2026-03-01T11:00:00Z"},
        ),
    ],
)
def test_an_object_that_asks_for_nothing_is_not_blamed(
    look: Look, spec: dict[str, Any], metadata: dict[str, Any]
) -> None:
    assert not [f for f in look(link_trouble(spec, **metadata)) if f[0].startswith(("workload.network", "node."))]


def test_a_file_that_is_no_list_is_no_kind(tmp_path: Path) -> None:
    cluster = deployed(APP)
    cluster.files["leftovers.json"] = {"items": 3}
    cluster.write(tmp_path)
    (tmp_path / "shop" / "broken.json").write_text("{")
    assert {"nodes", "namespaces"} == set(Snapshot(tmp_path).plurals(None))
    assert "broken" not in Snapshot(tmp_path).plurals("shop")
    assert Snapshot(tmp_path).plurals("elsewhere") == ()


def measured(name: str, query: str, *rows: tuple[dict[str, str], float, float]) -> Cluster:
    """The application with series that are one value first and another later."""
    cluster = deployed(APP)
    result = [
        {"metric": labels, "values": [[n * 60, str(a if n < 8 else b)] for n in range(16)]} for labels, a, b in rows
    ]
    cluster.files[f"metrics/{name}.json"] = {"query": query, "status": "success", "data": {"result": result}}
    return cluster


def test_losses_on_all_of_one_node_are_the_nodes(look: Look) -> None:
    cluster = measured("x", "rate(tcp_retransmits[1m])", *(({"app": n}, 0.1, 9) for n in ("web", "orders", "payments")))
    for name in ("web", "orders", "payments"):
        cluster.pod_edits[name] = lambda pod, index: pod["spec"].update(nodeName="node-2")
    cluster.pod_edits["orders-db"] = lambda pod, index: pod["spec"].update(nodeName="node-1")
    assert look(cluster)[0] == ("node.network.packet-loss", "Node", "node-2")


def test_a_counter_that_counts_on_is_no_loss(look: Look) -> None:
    cluster = deployed(APP)
    values = [[n * 60, str(5 + n * 3)] for n in range(16)]
    answer = {"query": "tcp_retransmits_total", "data": {"result": [{"metric": {"app": "web"}, "values": values}]}}
    cluster.files["metrics/x.json"] = answer
    assert look(cluster)[0][0] == "none.healthy"


def test_errors_that_nobody_complains_of_are_not_called_healthy(look: Look) -> None:
    found = look(measured("error_ratio", "errors / requests", ({"service": "payments"}, 0.0, 0.4)))
    assert found == [("workload.errors", "Deployment", "payments")]


def test_of_values_without_a_past_the_one_far_from_the_others_counts(look: Look) -> None:
    cluster = deployed(APP)
    rows = {"web": "0.08", "orders": "0.07", "payments": "2.4", "orders-db": "0.01"}
    result = [{"metric": {"service": name}, "value": [0, value]} for name, value in rows.items()]
    cluster.files["metrics/p99.json"] = {"query": "p99 latency", "data": {"result": result}}
    assert look(cluster) == [("workload.latency", "Deployment", "payments")]


def test_who_calls_whom_is_also_read_from_traces(look: Look) -> None:
    cluster = measured("p99", "latency", ({"service": "payments"}, 0.1, 2.0), ({"service": "orders-db"}, 0.1, 2.0))
    entry = {"namespace": "shop", "service": "payments", "calls": ["orders-db"], "calledBy": []}
    cluster.files["service-dependencies.json"] = [entry]
    assert look(cluster) == [("workload.latency", "Deployment", "orders-db")]


def kept_out(*names: str, taint: dict[str, Any]) -> Cluster:
    """Workloads that wait because of one tainted node."""
    cluster = deployed(APP)
    cluster.get("nodes", "node-1", None)["spec"]["taints"] = [{"value": "x", "effect": "NoSchedule", **taint}]
    words = f"0/3 nodes are available: 3 node(s) had untolerated taint {{{taint['key']}: x}}."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}

    def waits(pod: dict[str, Any], index: int) -> None:
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    for name in ("orders-db", "payments", "orders", "web"):
        cluster.pod_edits[name] = lambda pod, index: pod["spec"].update(nodeName="node-2")
    for name in names:
        cluster.state(name, lambda i: None)
        cluster.pod_edits[name] = waits
    return cluster


def test_a_taint_that_keeps_out_one_workload_is_the_workloads(look: Look) -> None:
    assert look(kept_out("payments", taint={"key": "dedicated"}))[0][1:] == ("Deployment", "payments")


def test_a_usual_taint_is_never_the_nodes_fault(look: Look) -> None:
    found = look(kept_out("payments", "orders", taint={"key": "node-role.kubernetes.io/infra"}))
    assert not [f for f in found if f[1] == "Node"]


@pytest.mark.parametrize(
    ("taint", "how"),
    [
        ({"key": "hold", "timeAdded": "2026-03-01T11:50:00Z"}, ""),
        ({"key": "hold"}, "record"),
        ({"key": "hold"}, "event"),
    ],
    ids=["lately", "recorded", "given the node before"],
)
def test_a_taint_that_is_younger_than_its_victims_is_the_nodes(look: Look, taint: dict[str, str], how: str) -> None:
    cluster = kept_out("payments", taint=taint)
    if how == "event":
        words = "Successfully assigned shop/payments-77c9d9d9c-rrrrr to node-1"
        cluster.event("Pod", "payments-77c9d9d9c-rrrrr", "Scheduled", words, type_="Normal", ago=2000)
    if how == "record":
        cluster.files["changes.json"] = [{"object": "Node node-1", "summary": "taint hold=x:NoSchedule", "diff": ""}]
    assert look(cluster)[0] == ("scheduling.taint.untolerated", "Node", "node-1")


@pytest.mark.parametrize("known", [True, False], ids=["recorded", "not recorded"])
def test_a_taint_that_several_nodes_share_is_a_plan_unless_it_was_recorded(look: Look, *, known: bool) -> None:
    cluster = kept_out("payments", "orders", taint={"key": "hold"})
    cluster.get("nodes", "node-3", None)["spec"]["taints"] = [{"key": "hold", "value": "x", "effect": "NoSchedule"}]
    if known:
        cluster.files["changes.json"] = [{"object": "Node node-1", "summary": "taint hold=x:NoSchedule", "diff": ""}]
    assert (look(cluster)[0][1] == "Node") is known


@pytest.mark.parametrize(
    ("cordoned", "pool", "suffers"),
    [(True, "blue", True), (True, "green", False), (False, "blue", False)],
    ids=["waits for it", "is not meant for it", "is kept out by something else"],
)
def test_what_waits_for_a_cordoned_node_suffers_from_it(
    tmp_path: Path, *, cordoned: bool, pool: str, suffers: bool
) -> None:
    cluster = kept_out("payments", taint={"key": "hold"})
    node = cluster.get("nodes", "node-1", None)
    node["metadata"].setdefault("labels", {})["pool"] = "blue"
    node["spec"]["unschedulable"] = cordoned
    waits = cluster.pod_edits["payments"]

    def pinned(pod: dict[str, Any], index: int) -> None:
        waits(pod, index)
        pod["spec"]["nodeSelector"] = {"pool": pool}
        pod["spec"].pop("nodeName", None)

    cluster.pod_edits["payments"] = pinned
    payments = ObjectRef(kind="Deployment", namespace="shop", name="payments")
    node_1 = ObjectRef(kind="Node", namespace=None, name="node-1")
    cluster.settle()
    cluster.write(tmp_path)
    assert (payments in reach(Landscape(Snapshot(tmp_path)), node_1)) is suffers


@pytest.mark.parametrize(("made", "blamed"), [(50_000, "Deployment"), (100, "LimitRange")])
def test_who_came_later_has_left_the_range(look: Look, made: int, blamed: str) -> None:
    cluster = deployed(APP)
    limits = [{"type": "Container", "max": {"memory": "128Mi"}}]
    body = {"metadata": {"name": "bounds", "creationTimestamp": at(made)}, "spec": {"limits": limits}}
    cluster.put("shop", "limitranges", body)
    cluster.rollout("payments")
    cluster.container("payments")["resources"]["limits"]["memory"] = "256Mi"
    cluster.no_pods.add("payments")
    message = 'pods "payments-x" is forbidden: maximum memory usage per Container is 128Mi, but limit is 256Mi'
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    cluster.get("deployments", "payments")["status"] = {"conditions": [failed]}
    assert look(cluster)[0][:2] == ("namespace.limit-range.violated", blamed)


def refused(changed: int) -> Cluster:
    """A workload that is refused with the password of a Secret that was written so many seconds ago."""
    cluster = deployed(APP)
    body = {"metadata": {"name": "login", "creationTimestamp": at(90_000)}, "data": {"password": ""}}
    cluster.put("shop", "secrets", body)["metadata"]["managedFields"] = [{"manager": "x", "time": at(changed)}]
    reference = {"secretKeyRef": {"name": "login", "key": "password"}}
    cluster.container("orders")["env"].append({"name": "PASSWORD", "valueFrom": reference})
    cluster.log("orders", 'FATAL: password authentication failed for user "app"\n' * 6)
    cluster.alert("HighErrorRate", service="orders")
    return cluster


@pytest.mark.parametrize(
    ("changed", "cause"),
    [(600, "workload.secret.rotated-not-reloaded"), (50_000, "workload.database.credentials-invalid")],
)
def test_a_secret_is_outdated_only_in_pods_that_are_older(look: Look, changed: int, cause: str) -> None:
    assert look(refused(changed))[0] == (cause, "Deployment", "orders")


def test_one_user_who_mistypes_makes_no_secret_outdated(tmp_path: Path) -> None:
    cluster = refused(600)
    cluster.log("orders", "WARN 401 unauthorized for bob")
    cluster.settle()
    cluster.write(tmp_path)
    assert examine(Landscape(Snapshot(tmp_path)), 0.6).verdict == "unknown.insufficient-evidence"


def not_ready(plural: str, kind: str, reason: str, message: str, **spec: Any) -> Cluster:
    """An object of a controller beside Kubernetes that says that it fails."""
    cluster = deployed(APP)
    condition = {"type": "Ready", "status": "False", "reason": reason, "message": message}
    body = {"kind": kind, "metadata": {"name": "it"}, "spec": spec, "status": {"conditions": [condition]}}
    cluster.put("shop", plural, body)
    return cluster


@pytest.mark.parametrize(
    ("plural", "kind", "cause"),
    [
        ("helmrepositories", "HelmRepository", "gitops.source.unreachable"),
        ("helmreleases", "HelmRelease", "gitops.sync.failed"),
        ("clusterissuers", "ClusterIssuer", "certificate.issuer.failing"),
    ],
)
def test_what_an_object_says_of_itself_is_believed(look: Look, plural: str, kind: str, cause: str) -> None:
    assert look(not_ready(plural, kind, "Failed", "no"))[0] == (cause, kind, "it")


def test_what_is_suspended_does_not_fail(look: Look) -> None:
    found = look(not_ready("helmreleases", "HelmRelease", "UpgradeFailed", "no", suspend=True))
    assert [cause for cause, _, _ in found] == ["none.healthy"]


@pytest.mark.parametrize(("metric", "named"), [("kafka_consumergroup_lag", True), ("replication_consumer_lag", False)])
def test_a_backlog_is_the_consumers(look: Look, metric: str, *, named: bool) -> None:
    cluster = measured("x", f"sum({metric})", ({"consumergroup": "payments"}, 10, 90_000))
    assert (("queue.backlog.growing", "Deployment", "payments") in look(cluster)) is named


def test_a_queue_without_consumers_is_seen(look: Look) -> None:
    cluster = measured("x", "rabbitmq_queue_consumers", ({"service": "payments"}, 2, 0))
    assert look(cluster)[0] == ("queue.consumer.stopped", "Deployment", "payments")


def test_settings_that_differ_and_work_are_no_fault(look: Look) -> None:
    cluster = deployed(APP)
    for name, host in (("web", "orders"), ("payments", "orders"), ("orders-db", "payments")):
        cluster.env(name, "AUDIT_URL", f"http://{host}:8080")
    assert [cause for cause, _, _ in look(cluster)] == ["none.healthy"]


def only(folder: Path, *kept: str) -> None:
    """Leaves of a snapshot what is named, and the file that makes it one."""
    for path in sorted(folder.rglob("*"), reverse=True):
        named = path.name == "snapshot.json" or any(part in kept for part in path.relative_to(folder).parts)
        if path.is_file() and not named:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


@pytest.mark.parametrize("kept", [("pods.json", "events.json"), ("alerts.json", "metrics"), ("logs.txt",), ()])
@pytest.mark.parametrize("hurt", [True, False])
def test_little_evidence_gives_an_honest_answer(tmp_path: Path, kept: tuple[str, ...], *, hurt: bool) -> None:
    cluster = measured("p99", "latency", ({"service": "payments"}, 0.1, 2.0 if hurt else 0.1))
    if hurt:
        cluster.alert("HighLatency", service="payments")
        cluster.log("orders", "ERROR payments: i/o timeout\n" * 5)
        cluster.state("payments", waiting("ErrImagePull", 'failed to pull "x": not found'))
    cluster.settle()
    cluster.write(tmp_path)
    only(tmp_path, *kept)
    diagnosis = examine(Landscape(Snapshot(tmp_path)), 0.6)
    sure = [h for h in diagnosis.hypotheses if h.confidence >= 0.6]
    if not hurt:
        assert all(h.cause == "none.healthy" and h.confidence <= 0.7 for h in sure)
    elif "pods.json" in kept:
        assert [(h.object.kind, h.object.name) for h in sure][:1] == [("Deployment", "payments")]
    else:
        assert not sure
        assert kept != ("alerts.json", "metrics") or "payments" in {h.object.name for h in diagnosis.hypotheses}


def test_folded_logs_alone_are_a_hint(tmp_path: Path) -> None:
    sample = 'FATAL: database "mian" does not exist'
    cluster = Cluster("shop")
    entry = {"namespace": "shop", "service": "orders", "patterns": [{"count": 9, "ratio": 0.9, "sample": sample}]}
    cluster.files["log-patterns.json"] = [entry]
    cluster.write(tmp_path)
    only(tmp_path, "log-patterns.json")
    (best,) = examine(Landscape(Snapshot(tmp_path)), 0.6).hypotheses
    assert (best.cause, best.object.name) == ("workload.database.name-wrong", "orders")
    assert best.confidence < 0.5


@pytest.mark.parametrize("traced", [True, False])
def test_who_waits_accuses_whom_he_calls(tmp_path: Path, *, traced: bool) -> None:
    cluster = deployed(APP)
    cluster.container("orders")["env"] = []
    if traced:
        calls = ["payments"]
        cluster.files["service-dependencies.json"] = [{"namespace": "shop", "service": "orders", "calls": calls}]
    words = "deadline exceeded" if traced else "Get http://payments.shop.svc:8080/pay: deadline exceeded"
    cluster.log("orders", f"ERROR {words}\n" * 5)
    cluster.log("web", "ERROR orders: deadline exceeded\n" * 5)
    cluster.alert("HighLatency", service="web")
    cluster.settle()
    cluster.write(tmp_path)
    best = examine(Landscape(Snapshot(tmp_path)), 0.6).hypotheses[0]
    assert (best.cause, best.object.name) == ("workload.dependency.slow", "payments")


@pytest.mark.parametrize("line", ["FATAL: cannot reach payments", "ſtopped – Connexion REFUSED by payments"])
def test_trouble_is_heard_in_whatever_letters_it_is_told(tmp_path: Path, line: str) -> None:
    cluster = deployed(APP)
    cluster.log("orders", f"ready\n{line}\nready\n" * 3)
    cluster.settle()
    cluster.write(tmp_path)
    heard = [said for said in Landscape(Snapshot(tmp_path)).lines if said.name == "orders"]
    assert [(said.text, said.count) for said in heard] == [(line, 3)]


@pytest.mark.parametrize(("ready", "empty"), [(True, False), (None, False), (False, True)])
def test_endpoint_slices_say_whether_anybody_is_reached(tmp_path: Path, ready: bool | None, empty: bool) -> None:
    cluster = deployed(APP)
    cluster.lacks = frozenset({"endpoints"})
    for name in (APP.leaf, APP.store):
        conditions = {"ready": ready} if name == APP.leaf else {"ready": True}
        body: dict[str, Any] = {
            "metadata": {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.1.1"], "conditions": conditions}],
        }
        cluster.put("shop", "endpointslices", body)
    cluster.settle()
    cluster.write(tmp_path)
    hurt = Landscape(Snapshot(tmp_path)).hurt
    assert hurt == ({("Service", APP.leaf)} if empty else set())
