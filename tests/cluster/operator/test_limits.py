"""Limits on a cluster: what they hold up, what they refuse, and in which words."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.identity import Identity
from tests.support.installation import API
from tests.support.scene import Scene, scaling, signalled
from tests.support.waiting import eventually

from interlock.crds.guardrail import GuardrailStatus
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


@pytest.fixture
def permissive(scene: Scene) -> Iterator[Scene]:
    """Where the cautious default guardrail lets a runbook act by itself once it has succeeded."""
    path = f"{API}/guardrails/default"
    assert scene.admin.patch(path, {"spec": {"mode": "Auto", "autonomy": {"successes": 1}}}).ok
    yield scene
    assert scene.admin.patch(path, {"spec": {"mode": "Propose", "autonomy": None}}).ok


def test_what_has_proven_itself_runs_by_itself_until_it_fails(permissive: Scene) -> None:
    scene, proof = permissive, {"name": "few", "expression": "target.spec.replicas < 9", "message": "there are enough"}
    ready = {"name": "ready", "expression": "target.spec.replicas != 4"}
    book = scaling(preconditions=[proof], verification={"checks": [ready], "withinSeconds": 1})
    scene.ask(book, {"replicas": "2"}, name="first")
    scene.approve("first")
    scene.ends("Succeeded", name="first")
    for name, replicas, end in (("alone", "3", "Succeeded"), ("fails", "4", "Undone")):
        assert scene.request(book, {"replicas": replicas}, name=name).ok
        status = scene.ends(end, name=name)
        assert status.plan is not None
        assert (status.plan.quorum, status.approvals, scene.execution(name).spec.decisions) == (0, "auto", [])
    assert scene.request(book, {"replicas": "5"}, name="again").ok
    assert scene.offered("again").quorum == 1


def test_what_git_manages_is_said_and_can_be_refused(scene: Scene) -> None:
    flux = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    scene.change({"metadata": {"labels": flux}})
    scene.ask(scaling(), {"replicas": "2"}, name="said")
    assert scene.offered("said").managed_by == "Flux Kustomization flux-system/apps"
    guard(scene.admin, scene.namespace, gitOps="Refuse")
    status = scene.ends("Refused", name="said")
    assert status.reason == "ManagedByGitOps"
    assert "Flux Kustomization flux-system/apps manages Deployment" in status.message


def test_guardrails_show_limits_and_use(scene: Scene) -> None:
    name = guard(scene.admin, scene.namespace, budgets=[{"per": "Target", "limit": 3, "windowSeconds": 3600}])
    scene.ask(scaling(), {"replicas": "2"})
    scene.approve()
    scene.ends("Succeeded")
    path = f"{API}/guardrails/{name}"

    def shown() -> GuardrailStatus | None:
        found = GuardrailStatus.model_validate(scene.admin.get(path).body.get("status") or {})
        return found if found.use else None

    status = eventually("the use to be shown", shown)
    assert status.limits == "3 starts in 1 h per Target"
    assert status.use == "1/3 Deployment.apps/web: 3 starts in 1 h per Target"
    assert status.observed_generation == 1
    lab = scene.installation.lab
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "get", "guardrail", name]
    assert subprocess.check_output(command, text=True).count("3 starts in 1 h per Target") == 2
