"""What is one incident and what is two, whatever the order in which alerts come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.cluster import Json
from interlock.agents.evidence.survey import Surveyed
from interlock.agents.fold import Known, Placed, Plan, plan, roots_of
from interlock.agents.model import ObjectRef
from interlock.agents.topology import Standing, State, Topology, topology_of

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NODE = ObjectRef(kind="Node", namespace=None, name="n1")


def workload(name: str) -> ObjectRef:
    return ObjectRef(kind="Deployment", namespace="shop", name=name)


def alert(target: ObjectRef, number: int = 0, *, name: str = "KubePodNotReady", after: float = 0) -> Placed:
    series = f"{target}#{number}"
    return Placed(
        identity=f"{series}@{after}",
        series=series,
        name=name,
        starts_at=START + timedelta(seconds=after),
        target=target,
    )


class Desk:
    """Incidents as the store keeps them, without the store: alerts by incident."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.alerts: dict[str, Placed] = {}
        self.known: dict[str, Known] = {}
        self.folded: set[str] = set()

    def file(self, *alerts: Placed) -> Plan:
        fresh = [one for one in alerts if one.identity not in self.alerts]
        done = plan([*self.alerts.values(), *fresh], self.known.values(), self.topology)
        for opening in done.openings:
            self.known[opening.id] = Known(
                id=opening.id, root=opening.root, opened_at=START, closed_at=None, movable=True
            )
        moves = dict(done.moves)
        for one in (*self.alerts.values(), *fresh):
            if one.identity in moves:
                self.alerts[one.identity] = one.model_copy(update={"incident": moves[one.identity]})
        for one in fresh:
            assert one.identity in moves
        for incident, into in done.folds:
            assert into in self.known
            del self.known[incident]
        return done

    def picture(self) -> dict[str, frozenset[str]]:
        """The alerts by what they are put down to."""
        found: dict[str, set[str]] = {str(one.root): set() for one in self.known.values()}
        for one in self.alerts.values():
            found[str(self.known[one.incident].root)].add(one.identity)
        return {root: frozenset(alerts) for root, alerts in found.items()}


def failing_node(workloads: Sequence[ObjectRef]) -> Topology:
    standings = {NODE: Standing("faulty", START - timedelta(seconds=60))}
    standings |= {ref: Standing("unwell", START - timedelta(seconds=30)) for ref in workloads}
    return Topology(standings, {ref: frozenset({NODE}) for ref in workloads})


def test_five_hundred_alerts_of_one_node_are_one_incident() -> None:
    workloads = [workload(f"w{n}") for n in range(50)]
    storm = [alert(ref, n, after=n % 7) for ref in workloads for n in range(10)]
    Random(1).shuffle(storm)
    desk = Desk(failing_node(workloads))
    for start in range(0, len(storm), 37):
        desk.file(*storm[start : start + 37])
    assert {root: len(alerts) for root, alerts in desk.picture().items()} == {"Node n1": 500}


def test_two_faults_at_once_stay_two() -> None:
    hurt, broken, alone = workload("hurt"), workload("broken"), workload("alone")
    topology = failing_node([hurt, broken]) | Topology({alone: Standing("unwell", START)})
    topology = Topology({**topology.standings, broken: Standing("faulty", START)}, topology.rests_on)
    desk = Desk(topology)
    desk.file(alert(hurt), alert(broken), alert(alone))
    assert set(desk.picture()) == {"Node n1", str(broken), str(alone)}


def test_two_nodes_stay_two() -> None:
    other = ObjectRef(kind="Node", namespace=None, name="n2")
    topology = failing_node([workload("a")])
    second = Topology(
        {other: Standing("faulty"), workload("b"): Standing("unwell")}, {workload("b"): frozenset({other})}
    )
    desk = Desk(topology | second)
    desk.file(alert(workload("a")), alert(workload("b")), alert(NODE), alert(other))
    assert set(desk.picture()) == {"Node n1", "Node n2"}


def test_a_callers_alert_is_put_down_to_the_last_callee_that_is_not_well() -> None:
    web, cart, store = workload("web"), workload("cart"), workload("store")
    topology = Topology(
        {store: Standing("unwell", START), cart: Standing("unwell", START)},
        {web: frozenset({cart}), cart: frozenset({store})},
    )
    roots = roots_of([alert(web, name="HighErrorRate"), alert(cart)], topology)
    assert set(roots.values()) == {store}


def test_an_alert_that_is_no_symptom_is_its_own() -> None:
    web, store = workload("web"), workload("store")
    topology = Topology({store: Standing("unwell", START)}, {web: frozenset({store})})
    roots = roots_of([alert(web, name="CertificateExpiresSoon")], topology)
    assert set(roots.values()) == {web}


@pytest.mark.parametrize(("after", "together"), [(0, True), (600, True), (3600, False), (-600, False)])
def test_a_change_explains_what_began_soon_after_it(after: float, together: bool) -> None:
    policy = ObjectRef(kind="NetworkPolicy", namespace="shop", name="deny")
    refs = [workload("a"), workload("b")]
    standings = {policy: Standing("changed", START)}
    standings |= {ref: Standing("unwell", START + timedelta(seconds=after)) for ref in refs}
    topology = Topology(standings, {ref: frozenset({policy}) for ref in refs})
    roots = set(roots_of([alert(ref, after=max(after, 0)) for ref in refs], topology).values())
    assert roots == ({policy} if together else set(refs))


def test_a_cause_does_not_come_after_its_consequence() -> None:
    late = {NODE: Standing("faulty", START + timedelta(hours=1)), workload("a"): Standing("unwell", START)}
    roots = roots_of([alert(workload("a"))], Topology(late, {workload("a"): frozenset({NODE})}))
    assert set(roots.values()) == {workload("a")}


def test_what_recovers_does_not_scatter_its_incident() -> None:
    refs = [workload("a"), workload("b")]
    desk = Desk(failing_node(refs))
    desk.file(*map(alert, refs))
    desk.topology = Topology()
    desk.file()
    assert set(desk.picture()) == {"Node n1"}


def test_what_turns_out_to_be_one_is_folded_until_something_was_asked_for() -> None:
    refs = [workload("a"), workload("b"), workload("c")]
    desk = Desk(Topology())
    desk.file(*map(alert, refs))
    assert len(desk.known) == 3
    kept = next(one for one in desk.known.values() if one.root == refs[0])
    desk.known[kept.id] = kept.model_copy(update={"movable": False})
    del desk.alerts[alert(refs[0]).identity]  # the store offers only what may still be moved
    desk.topology = failing_node(refs)
    desk.file()
    assert {str(one.root) for one in desk.known.values()} == {str(refs[0]), "Node n1"}


def test_what_was_asked_about_is_not_another_incident_once_a_change_beside_it_is_seen() -> None:
    ref, change = workload("a"), ObjectRef(kind="ConfigMap", namespace="shop", name="settings")
    changed = Topology({ref: Standing("unwell", START), change: Standing("changed", START)}, {ref: frozenset({change})})
    asked = Known(id="inc-a", root=ref, opened_at=START, closed_at=None, movable=False)
    again = alert(ref, name="KubeDeploymentReplicasMismatch", after=30)
    assert dict(plan([again], [asked], changed).moves) == {again.identity: "inc-a"}
    over = asked.model_copy(update={"closed_at": START + timedelta(seconds=20), "series": frozenset({again.series})})
    assert dict(plan([again], [over], changed, timedelta(minutes=10)).moves) == {again.identity: "inc-a"}
    (opening,) = plan([again], [over], changed).openings
    assert opening.root == change
    failing = Topology({**changed.standings, change: Standing("faulty", START)}, changed.rests_on)
    assert [one.root for one in plan([again], [asked], failing).openings] == [change]


NAMES = st.sampled_from("abcdef")
STATES: st.SearchStrategy[State] = st.sampled_from(get_args(State))


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    states = draw(st.dictionaries(NAMES, st.tuples(STATES, st.none() | st.integers(-2000, 2000)), max_size=6))
    edges = draw(st.dictionaries(NAMES, st.frozensets(NAMES, max_size=3), max_size=6))
    standings = {
        workload(name): Standing(state, None if since is None else START + timedelta(seconds=since))
        for name, (state, since) in states.items()
    }
    return Topology(standings, {workload(n): frozenset(map(workload, below - {n})) for n, below in edges.items()})


ALERTS = st.lists(
    st.builds(
        lambda name, number, kind, after: alert(workload(name), number, name=kind, after=after),
        NAMES,
        st.integers(0, 2),
        st.sampled_from(["KubePodNotReady", "HighLatency", "CertificateExpiresSoon"]),
        st.integers(-1500, 1500),
    ),
    unique_by=lambda one: one.identity,
    max_size=10,
)


@given(topologies(), ALERTS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_and_the_batches_in_which_alerts_come_change_nothing(
    topology: Topology, alerts: list[Placed], random: Random, size: int
) -> None:
    whole, parts = Desk(topology), Desk(topology)
    whole.file(*alerts)
    shuffled = random.sample(alerts, len(alerts))
    for start in range(0, len(shuffled), size):
        parts.file(*shuffled[start : start + size])
        parts.file(*shuffled[start : start + size])  # delivered again
    expected = roots_of(alerts, topology)
    assert {one.identity: str(parts.known[one.incident].root) for one in parts.alerts.values()} == {
        identity: str(root) for identity, root in expected.items()
    }
    assert parts.picture() == whole.picture()


@given(topologies(), ALERTS)
def test_filing_again_does_nothing(topology: Topology, alerts: list[Placed]) -> None:
    desk = Desk(topology)
    desk.file(*alerts)
    assert desk.file(*alerts) == Plan()


# The facts


def pod(name: str, *, node: str = "n1", ready: bool = False, waiting: str = "", **meta: str) -> Json:
    status: Json = {"name": "app", "ready": ready, "state": {"waiting": {"reason": waiting}} if waiting else {}}
    owner = {"kind": "ReplicaSet", "name": f"{name.partition('-')[0]}-1", "uid": "r", "controller": True}
    return {
        "metadata": {
            "name": name,
            "labels": {"app": name.partition("-")[0]},
            "ownerReferences": [owner],
            **meta,
        },
        "spec": {"nodeName": node, "containers": [{"name": "app"}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-03-01T11:59:00Z"},
            ],
            "containerStatuses": [status],
        },
    }


def deployment(name: str, **spec: object) -> Json:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", **spec}]}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def node(name: str, status: str) -> Json:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": "2026-03-01T11:58:00Z"}
    return {"metadata": {"name": name}, "status": {"conditions": [ready]}}


def seen(**objects: list[Json]) -> Topology:
    look = Surveyed(START, "shop")
    for plural, bodies in objects.items():
        placed = [{**b, "metadata": {**b["metadata"], "namespace": "shop"}} for b in bodies]
        look.keep(plural, None if plural == "nodes" else "shop", bodies if plural == "nodes" else placed)
    return topology_of(Landscape(look))


def root(topology: Topology, name: str, *, alert_name: str = "KubePodNotReady") -> str:
    (found,) = roots_of([alert(workload(name), name=alert_name)], topology).values()
    return f"{found.kind} {found.name}"


def test_a_workload_whose_troubled_pods_are_all_on_a_dead_node_is_put_down_to_it() -> None:
    nodes = [node("n1", "Unknown"), node("n2", "True")]
    pods = [pod("a-1"), pod("b-1"), pod("b-2", node="n2"), pod("c-1", waiting="ImagePullBackOff")]
    topology = seen(nodes=nodes, pods=pods, deployments=[deployment("a"), deployment("b"), deployment("c")])
    assert root(topology, "a") == "Node n1"
    assert root(topology, "b") == "Deployment b"  # another pod is in trouble on a node that is well
    assert root(topology, "c") == "Deployment c"  # its image would not come on any node


def test_pods_that_a_dead_node_keeps_are_put_down_to_it_although_others_took_their_place() -> None:
    leaving = pod("a-1", deletionTimestamp="2026-03-01T11:59:30Z")
    topology = seen(
        nodes=[node("n1", "Unknown"), node("n2", "True")],
        pods=[leaving, pod("a-2", node="n2", ready=True)],
        deployments=[deployment("a")],
    )
    assert root(topology, "a") == "Node n1"


def test_callers_are_put_down_to_a_callee_and_to_a_service_that_leads_nowhere() -> None:
    env = [{"name": "STORE_ADDR", "value": "store:6379"}, {"name": "LOST_ADDR", "value": "lost:80"}]
    callers = [deployment("web", env=env[:1]), deployment("api", env=env[1:])]
    services = [
        {"metadata": {"name": "store"}, "spec": {"selector": {"app": "store"}, "ports": [{"port": 6379}]}},
        {"metadata": {"name": "lost"}, "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}},
    ]
    pods = [pod("web-1", ready=True), pod("api-1"), pod("store-1", node="n2")]
    topology = seen(
        deployments=[*callers, deployment("store")], pods=pods, services=services, nodes=[node("n2", "True")]
    )
    assert root(topology, "web", alert_name="HighErrorRate") == "Deployment store"
    assert root(topology, "api") == "Service lost"


def test_workloads_that_wait_for_the_same_missing_config_map_are_one() -> None:
    source = [{"configMapRef": {"name": "settings"}}]
    topology = seen(
        deployments=[deployment("a", envFrom=source), deployment("b", envFrom=source)],
        pods=[pod("a-1", waiting="CreateContainerConfigError"), pod("b-1", waiting="CreateContainerConfigError")],
        configmaps=[{"metadata": {"name": "other"}}],
    )
    assert {root(topology, "a"), root(topology, "b")} == {"ConfigMap settings"}
