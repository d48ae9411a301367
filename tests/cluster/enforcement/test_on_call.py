"""Whoever is on call tightens and never loosens; what was tightened only the platform's owner takes back."""

import secrets

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import APPLY, Identity, Json, path_of
from tests.support.installation import API
from tests.support.stops import lease

LEASES = "/apis/coordination.k8s.io/v1/namespaces/interlock-system/leases"
TRY = "dryRun=All"


@pytest.fixture(scope="module")
def on_call(shop: Place) -> Identity:
    """Somebody on call, everywhere."""
    shop.installation.bind("olga", "interlock-on-call", None)
    return shop.person("olga")


@pytest.fixture(scope="module")
def owner(shop: Place) -> Identity:
    """The platform's owner."""
    shop.installation.bind("otto", "interlock-owner", None)
    return shop.person("otto")


def stopping(shop: Place) -> Json:
    """A guardrail that stops one namespace."""
    spec = {"selector": {"namespaces": [shop.namespace]}, "stop": True, "message": "tests"}
    metadata = {"name": f"stop-{secrets.token_hex(3)}"}
    return {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": metadata, "spec": spec}


def test_a_guardrail_is_set_and_not_taken_back(shop: Place, on_call: Identity, owner: Identity) -> None:
    body = stopping(shop)
    allowed(on_call.post(f"{API}/guardrails", body))
    path = path_of(body)
    for change in ({"spec": {"stop": False}}, {"spec": {"selector": {"namespaces": ["elsewhere"]}}}):
        assert on_call.patch(path, change).status == 403
    assert on_call.apply(body | {"spec": {"stop": False}}).status == 403
    assert on_call.delete(path).status == 403
    allowed(owner.patch(path, {"spec": {"stop": False}}))
    allowed(owner.delete(path))


LIMITS: Json = {
    "budgets": [{"per": "Namespace", "limit": 1, "windowSeconds": 3600}],
    "concurrency": [{"per": "Namespace", "limit": 1}],
    "coolDownSeconds": 600,
    "breaker": {"failures": 1, "windowSeconds": 3600},
    "freezes": [{"schedule": "0 0 * * *", "durationSeconds": 86400}],
    "blastRadius": {"replicasPercent": 1},
    "gitOps": "Refuse",
    "mode": "Observe",
}


def test_every_limit_can_be_set_and_none_of_them_taken_back(shop: Place, on_call: Identity, owner: Identity) -> None:
    body = stopping(shop)
    body["spec"] |= LIMITS
    allowed(on_call.post(f"{API}/guardrails", body))
    path = path_of(body)
    for field in LIMITS:
        assert on_call.patch(path, {"spec": {field: None}}).status == 403, field
        allowed(owner.patch(f"{path}?{TRY}", {"spec": {field: None}}))
    assert on_call.patch(path, {"spec": {"mode": "Auto", "autonomy": {"successes": 1}}}).status == 403
    assert on_call.patch(f"{path}/status", {"status": {"use": ""}}).status == 403
    allowed(owner.delete(path))


def test_the_emergency_stop_is_pulled_and_not_lifted(on_call: Identity, owner: Identity) -> None:
    """By dry run: it would stop the runners of all tests."""
    path = f"{LEASES}/interlock-emergency-stop"
    for who in (on_call, owner):
        allowed(who.patch(f"{path}?{TRY}&fieldManager={who.name}&force=true", lease(), APPLY))
    assert on_call.delete(f"{path}?{TRY}").status == 403
    assert owner.delete(f"{path}?{TRY}").status == 404


def test_nor_made_to_go_by_itself(on_call: Identity) -> None:
    body = lease()
    missing = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0b3c"}
    body["metadata"]["ownerReferences"] = [missing]
    path = f"{LEASES}/interlock-emergency-stop?{TRY}&fieldManager=olga"
    refused(on_call.patch(path, body, APPLY), "the emergency stop has no owner with which it would go")


@pytest.mark.parametrize("who", ["alice", "bob", "dave"])
def test_nobody_else_pulls_it(shop: Place, who: str) -> None:
    path = f"{LEASES}/interlock-emergency-stop?{TRY}&fieldManager={who}"
    assert shop.person(who).patch(path, lease(), APPLY).status == 403


def test_agents_operator_and_runners_do_not_either(shop: Place) -> None:
    path = f"{LEASES}/interlock-emergency-stop?{TRY}&fieldManager=x"
    for account in (shop.installation.agents, shop.installation.operator):
        assert account.patch(path, lease(), APPLY).status == 403
        assert account.delete(f"{LEASES}/interlock-emergency-stop?{TRY}").status == 403


def test_no_other_lease_is_written(on_call: Identity) -> None:
    body = lease()
    body["metadata"]["name"] = "interlock-operator"
    assert on_call.post(LEASES, body).status == 403
    assert on_call.apply(body).status == 403


def test_on_call_cancels_and_neither_asks_nor_approves(shop: Place, on_call: Identity) -> None:
    execution = shop.execution("AwaitingApproval")
    assert on_call.post(shop.path, shop.request(by="olga")).status == 403
    decision = {"by": "olga", "verdict": "Approve", "subject": execution.status()["plan"]["digest"]}
    refused(execution.append(on_call, decision), "you need the verb approve")
    allowed(on_call.patch(execution.path, {"spec": {"cancelled": {"by": "olga", "reason": "not now"}}}))


class TestTheLastGuardrail:
    def test_it_stays(self, owner: Identity) -> None:
        refused(owner.delete(f"{API}/guardrails/default?{TRY}"), "the guardrail default stays")

    @pytest.mark.parametrize("selector", [{"namespaces": ["a"]}, {"families": ["a"]}, {"risks": ["Low"]}])
    def test_it_selects_everything(self, owner: Identity, selector: Json) -> None:
        answer = owner.patch(f"{API}/guardrails/default?{TRY}", {"spec": {"selector": selector}})
        refused(answer, "the guardrail default selects everything")

    def test_the_owner_loosens_it(self, owner: Identity) -> None:
        allowed(owner.patch(f"{API}/guardrails/default?{TRY}", {"spec": {"approvals": 2, "message": "looser"}}))
