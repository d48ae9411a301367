"""Two operators of one shard, and of two: who works, who takes over, and what a stale one may still do."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation
from tests.support.operators import Fleet, at_step, fleet, gated, open_gate
from tests.support.scene import Scene, scaling
from tests.support.waiting import eventually


@pytest.fixture
def ours(operated: Installation, tmp_path: Path) -> Iterator[Fleet]:
    """Operators of a shard of this test's own."""
    with fleet(operated, tmp_path) as made:
        yield made


def epoch(scene: Scene) -> int:
    status = scene.execution().status
    assert status is not None
    return status.fence.epoch


def reaches_gate(scene: Scene, number: int) -> int:
    """Waits until the execution waits at a gate; the epoch of that moment."""
    eventually(f"gate {number}", lambda: at_step(scene, f"gate{number}"))
    return epoch(scene)


def asked(ours: Fleet) -> Scene:
    """An execution that has been approved."""
    scene = ours.scene()
    scene.ask(gated("test-gated"))
    scene.approve()
    return scene


def each_once(ours: Fleet, scene: Scene) -> None:
    """All three writes were done, and none twice."""
    live = scene.workload()
    assert live["spec"]["replicas"] == 2
    assert {key: live["metadata"]["labels"].get(key) for key in ("team", "tier")} == {"team": "sre", "tier": "gold"}
    assert len(ours.writes(scene.namespace)) == 3


def test_a_stopped_leader_hands_over_in_the_middle_and_its_successor_need_not_wait(ours: Fleet) -> None:
    leader = ours.start("first", lease_seconds="600")
    eventually("the first to lead", leader.leads)
    standby = ours.start("second", lease_seconds="600")
    assert standby.get("/livez")[0] == 200
    scene = asked(ours)
    before = reaches_gate(scene, 1)
    leader.signal(signal.SIGTERM)
    eventually("the second to lead, long before the Lease would have run out", standby.leads, 300)
    open_gate(scene, 1)
    assert reaches_gate(scene, 2) > before
    open_gate(scene, 2)
    scene.reaches("Succeeded")
    each_once(ours, scene)
    assert leader.ended() == 0, leader.text


def test_a_frozen_and_thawed_leader_writes_nothing(ours: Fleet) -> None:
    leader = ours.start("first")
    eventually("the first to lead", leader.leads)
    standby = ours.start("second")
    scene = asked(ours)
    reaches_gate(scene, 1)
    leader.signal(signal.SIGSTOP)
    before = ours.writes(scene.namespace, leader.credential)
    assert before, "the leader had worked on it"
    open_gate(scene, 1)
    eventually("the second to lead", standby.leads)
    reaches_gate(scene, 2)
    leader.signal(signal.SIGCONT)
    eventually("the first to stand by", lambda: "another leads" in leader.get("/readyz")[1])
    open_gate(scene, 2)
    scene.reaches("Succeeded")
    each_once(ours, scene)
    assert ours.writes(scene.namespace, leader.credential) == before
    assert leader.get("/livez")[0] == 200


@pytest.fixture
def silent_prometheus() -> Iterator[socket.socket]:
    """Takes connections and never answers, so that a pass that asks it does not come to its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.mark.parametrize(("grace", "signals"), [("600", 2), ("0.2", 1)])
def test_what_does_not_come_to_its_end_in_time_is_cut_and_the_lease_runs_out_instead(
    ours: Fleet, silent_prometheus: socket.socket, grace: str, signals: int
) -> None:
    leader = ours.start(
        "first",
        prometheus_url=f"http://127.0.0.1:{silent_prometheus.getsockname()[1]}",
        request_timeout_seconds="300",
        lease_seconds="600",
        grace_seconds=grace,
    )
    eventually("the first to lead", leader.leads)
    scene = ours.scene()
    scene.ask(scaling(checks=[{"name": "asks", "promql": "up", "satisfies": "value > 0.0"}]), {"replicas": "2"})
    scene.approve()
    asking, _ = silent_prometheus.accept()
    with asking:
        for _ in range(signals):
            leader.signal(signal.SIGTERM)
            eventually("the signal to be heard", lambda: "stopping" in leader.text)
        assert leader.ended() == 0, leader.text
    assert ours.lease()["spec"]["holderIdentity"] == "first"


def test_a_namespace_moves_to_another_shard_in_the_middle_and_back(ours: Fleet) -> None:
    there = f"{ours.shard}-there"
    second = ours.start("there", shard=there)
    eventually("the other shard to be led", second.leads)
    first = ours.start("here")
    eventually("this shard to be led", first.leads)
    scene = asked(ours)
    epochs = [reaches_gate(scene, 1)]
    ours.move(scene.namespace, there)
    open_gate(scene, 1)
    epochs.append(reaches_gate(scene, 2))
    moved = ours.writes(scene.namespace, second.credential)
    assert moved, "the other shard's operator has taken over"
    ours.move(scene.namespace, ours.shard)
    open_gate(scene, 2)
    scene.reaches("Succeeded")
    epochs.append(epoch(scene))
    each_once(ours, scene)
    assert epochs == sorted(set(epochs)), "the epoch only grows"


def test_nobody_works_in_a_namespace_of_a_shard_that_nobody_leads(ours: Fleet) -> None:
    only = ours.start("only")
    eventually("it to lead", only.leads)
    lost, served = ours.scene(), ours.scene()
    ours.move(lost.namespace, f"{ours.shard}-nobody")
    book = gated("test-gated")
    lost.ask(book)
    served.ask(book)
    served.offered()
    assert lost.execution().status is None
    ours.move(lost.namespace, ours.shard)
    lost.offered()
