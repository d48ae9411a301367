"""Limits on a cluster: what they hold up, what they refuse, and in which words."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.identity import Identity
from tests.support.installation import API
from tests.support.scene import Scene, scaling, signalled
from tests.support.waiting import eventually

from interlock.crds.ledger import LedgerSpec
from interlock.crds.names import SYSTEM_NAMESPACE

LEDGERS = f"{API}/namespaces/{SYSTEM_NAMESPACE}/ledgers"


def guard(admin: Identity, namespace: str, **limits: Any) -> str:
    """A guardrail for one namespace, made or changed."""
    name = f"limits-{namespace}"
    spec = {"selector": {"namespaces": [namespace]}, **limits}
    body = {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": name}, "spec": spec}
    answer = admin.apply(body)
    assert answer.ok, answer
    return name


def ledger(scene: Scene, name: str = "") -> LedgerSpec:
    return LedgerSpec.model_validate(scene.admin.get(f"{LEDGERS}/{name or f'ns.{scene.namespace}'}").body["spec"])


def held(scene: Scene, reason: str, name: str = "fix") -> str:
    """The message with which an approved execution is held up for this reason."""

    def look() -> str:
        status = scene.execution(name).status
        found = [c for c in status.conditions if c.type == "Held" and c.reason == reason] if status else []
        return found[0].message if found else ""

    return eventually(f"{name} to be held for {reason}", look)


def test_what_runs_holds_its_target_and_gives_it_back(scene: Scene) -> None:
    guard(scene.admin, scene.namespace, concurrency=[{"per": "Cluster", "limit": 1}])
    book = scaling(verification={"checks": [{"name": "go", "expression": signalled("go")}], "withinSeconds": 60})
    scene.ask(book, {"replicas": "2"}, name="first")
    scene.approve("first")
    scene.reaches("Verifying", name="first")
    [hold] = ledger(scene).holds
    assert (hold.execution, hold.target, hold.requester) == ("first", "Deployment.apps/web", "erin")
    assert [h.execution for h in ledger(scene, "shared").holds if h.namespace == scene.namespace] == ["first"]
    scene.ask(book, {"replicas": "3"}, name="second")
    scene.approve("second")
    message = held(scene, "ConcurrencyReached", "second")
    assert f"guardrail limits-{scene.namespace}: 1 at once per Cluster; 1 of 1 used" in message
    guard(scene.admin, scene.namespace)
    assert "first is being carried out on the same target" in held(scene, "TargetBusy", "second")
    scene.signal("go")
    for name in ("first", "second"):
        scene.ends("Succeeded", name=name)
    eventually("all to be given back", lambda: not ledger(scene).holds)
    assert [(count.what, count.times) for count in ledger(scene).counts if count.what == "Started"] in (
        [("Started", 2)],
        [("Started", 1), ("Started", 1)],
    )


def test_a_freeze_holds_what_is_approved_and_neither_stops_nor_keeps_what_runs(scene: Scene) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=10)
    freeze = {"schedule": f"{begun.minute} {begun.hour} * * *", "durationSeconds": 7200, "reason": "payday"}
    guard(scene.admin, scene.namespace)
    book = scaling(verification={"checks": [{"name": "go", "expression": signalled("never")}], "withinSeconds": 3})
    scene.ask(book, {"replicas": "2"}, name="running")
    scene.approve("running")
    scene.reaches("Verifying", name="running")
    guard(scene.admin, scene.namespace, freezes=[freeze], budgets=[{"per": "Target", "limit": 2, "windowSeconds": 60}])
    scene.ends("Undone", name="running")
    assert scene.workload()["spec"]["replicas"] == 1
    scene.ask(book, {"replicas": "2"}, name="frozen")
    scene.approve("frozen")
    until = f"{begun + timedelta(hours=2):%Y-%m-%dT%H:%M:00Z}"
    assert f"{freeze['schedule']} UTC (payday); frees up at {until}" in held(scene, "Frozen", "frozen")
    assert scene.workload()["spec"]["replicas"] == 1
    guard(scene.admin, scene.namespace, breaker={"failures": 1, "windowSeconds": 600})
    status = scene.ends("Refused", name="frozen")
    assert status.reason == "BreakerOpen"
    assert "breaker at 1 failures of test-scale in 10 min per Target; 1 of 1 used" in status.message


def test_what_is_used_up_is_refused_before_anybody_is_asked(scene: Scene) -> None:
    guard(scene.admin, scene.namespace, budgets=[{"per": "Namespace", "limit": 1, "windowSeconds": 3600}])
    scene.ask(scaling(), {"replicas": "2"}, name="first")
    scene.approve("first")
    scene.ends("Succeeded", name="first")
    scene.ask(scaling(), {"replicas": "3"}, name="second")
    status = scene.ends("Refused", name="second")
    assert status.reason == "BudgetExhausted"
    [started] = [count for count in ledger(scene).counts if count.what == "Started"]
    frees_at = datetime.fromisoformat(started.at) + timedelta(minutes=61)
    assert status.message == (
        f"guardrail limits-{scene.namespace}: 1 starts in 1 h per Namespace; 1 of 1 used by {scene.namespace};"
        f" frees up at {frees_at:%Y-%m-%dT%H:%M:%SZ}"
    )
    assert status.plan is None, "nobody is asked to approve what may not start"
