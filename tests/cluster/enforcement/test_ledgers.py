"""What limits rest on is the operator's word alone; and a Guardrail says nothing that means nothing."""

import secrets
from typing import Any

import pytest
from tests.support.executions import Place, allowed, digest, refused
from tests.support.identity import Identity, Json
from tests.support.installation import API

from interlock.crds.guardrail import GuardrailSpec
from interlock.crds.ledger import LedgerSpec, new_ledger
from interlock.crds.names import (
    AGENTS_GROUP,
    AGENTS_USER,
    OPERATOR_USER,
    RUNNERS_GROUP,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
)

LEDGERS = f"{API}/namespaces/{SYSTEM_NAMESPACE}/ledgers"
HOLD = {
    "uid": "0b3c",
    "execution": "fix",
    "namespace": "shop",
    "target": "Deployment.apps/web",
    "family": "restart",
    "risk": "Low",
    "requester": "alice",
    "digest": digest("b"),
    "at": "2026-01-01T00:00:00Z",
}


def ledger(name: str, namespace: str = SYSTEM_NAMESPACE) -> Json:
    return new_ledger(name, namespace, LedgerSpec())


def test_only_the_operator_writes_ledgers(shop: Place) -> None:
    installation, name = shop.installation, f"ns.test-{secrets.token_hex(4)}"
    admin, path = installation.admin, f"{LEDGERS}/{name}"
    refused(admin.post(LEDGERS, ledger(name)), "only the operator writes ledgers")
    allowed(installation.operator.post(LEDGERS, ledger(name)))
    allowed(installation.operator.patch(path, {"spec": {"holds": [HOLD]}}))
    agents = admin.impersonating(AGENTS_USER, AGENTS_GROUP, "system:masters")
    runner = f"system:serviceaccount:{RUNNERS_NAMESPACE}:restart.{shop.namespace}"
    almighty = admin.impersonating(runner, RUNNERS_GROUP, "system:masters")
    for who in (admin, agents, almighty, shop.person("alice"), shop.person("bob")):
        answer = who.patch(path, {"spec": {"holds": []}})
        assert (answer.ok, answer.status) == (False, 403), who.name
    refused(admin.patch(path, {"spec": {"holds": []}}), "only the operator writes ledgers")
    refused(installation.operator.delete(path), "cannot delete")
    bound = admin.impersonating(OPERATOR_USER, "system:masters")
    refused(bound.delete(path), "the operator may not DELETE interlock.dev/ledgers")
    allowed(admin.delete(path))


def test_the_operator_writes_ledgers_nowhere_else(shop: Place) -> None:
    almighty = shop.installation.admin.impersonating(OPERATOR_USER, "system:masters")
    path = f"{API}/namespaces/{shop.namespace}/ledgers"
    refused(almighty.post(path, ledger("ns.shop", shop.namespace)), "the operator may not CREATE interlock.dev/ledgers")
    refused(almighty.post(LEDGERS, ledger("other")), "a Ledger is named ns.<namespace>, or shared")


def test_the_use_of_a_guardrail_is_the_operators_word_and_its_spec_is_not(shop: Place) -> None:
    admin, operator = shop.installation.admin, shop.installation.operator
    path = f"{API}/guardrails/{guardrail(admin, {'selector': {'namespaces': [shop.namespace]}})}"
    refused(admin.patch(f"{path}/status", {"status": {"use": "nothing"}}), "status is the operator's")
    allowed(operator.patch(f"{path}/status", {"status": {"use": "1 of 5"}, "spec": {"stop": True}}))
    live = admin.get(path).body
    assert (live["status"]["use"], live["spec"]["stop"]) == ("1 of 5", False)
    refused(operator.patch(path, {"spec": {"stop": True}}), "cannot patch")
    allowed(admin.delete(path))


def guardrail(who: Identity, spec: dict[str, Any]) -> str:
    name = f"test-{secrets.token_hex(4)}"
    allowed(who.post(f"{API}/guardrails", body(name, spec)))
    return name


def body(name: str, spec: dict[str, Any]) -> Json:
    return {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": name}, "spec": spec}


BUDGET = {"per": "Namespace", "limit": 5, "windowSeconds": 3600}
WEEKEND = {"schedule": "0 18 * * FRI", "durationSeconds": 223200, "timeZone": "Europe/Berlin", "reason": "weekend"}
NO_CRON = "schedule has five fields of cron"
NO_ZONE = "timeZone is a name of the IANA time zone database"


def test_what_means_nothing_is_refused_with_the_way_out(shop: Place) -> None:
    for spec, words in (
        ({"mode": "Auto"}, "mode Auto needs autonomy: say how many verified successes earn it"),
        ({"mode": "Sometimes"}, 'Unsupported value: "Sometimes"'),
        ({"budgets": [BUDGET, {**BUDGET, "limit": 6}]}, "Duplicate value"),
        ({"budgets": [{**BUDGET, "windowSeconds": 1}]}, "should be greater than or equal to 60"),
        ({"budgets": [{**BUDGET, "limit": -1}]}, "should be greater than or equal to 0"),
        ({"budgets": [{**BUDGET, "per": "Moon"}]}, 'Unsupported value: "Moon"'),
        ({"concurrency": [{"per": "Target", "limit": 2}]}, 'Unsupported value: "Target"'),
        ({"breaker": {"windowSeconds": 600}}, "a breaker opens after so many failures or so many repeats"),
        ({"blastRadius": {}}, "a blast radius bounds replicas or nodes"),
        ({"blastRadius": {"nodesPercent": 0}}, "should be greater than or equal to 1"),
        ({"freezes": [{**WEEKEND, "schedule": "0 18 * * FUN"}]}, NO_CRON),
        ({"freezes": [{**WEEKEND, "schedule": "60 18 * * *"}]}, NO_CRON),
        ({"freezes": [{**WEEKEND, "schedule": "0 18 * * * *"}]}, NO_CRON),
        ({"freezes": [{**WEEKEND, "schedule": "@weekly @weekly"}]}, NO_CRON),
        ({"freezes": [{**WEEKEND, "timeZone": "Local"}]}, NO_ZONE),
        ({"freezes": [{**WEEKEND, "timeZone": "+01:00"}]}, NO_ZONE),
        ({"freezes": [{**WEEKEND, "timeZone": "Mars/Phobos"}]}, "Mars/Phobos"),
        ({"freezes": [{**WEEKEND, "durationSeconds": 2678401}]}, "should be less than or equal to 2678400"),
    ):
        refused(shop.installation.admin.post(f"{API}/guardrails?dryRun=All", body("test-bad", spec)), words)


@pytest.mark.parametrize("schedule", ["0 18 * * FRI", "*/15 0-6 1,15 jan-mar 1-5", "30 2 29 2 0", "5/20 * * * SUN,7"])
def test_what_cron_means_is_taken(shop: Place, schedule: str) -> None:
    spec = {
        "mode": "Auto",
        "autonomy": {"successes": 3},
        "budgets": [BUDGET, {**BUDGET, "windowSeconds": 60}],
        "concurrency": [{"per": "Cluster", "limit": 3}],
        "coolDownSeconds": 600,
        "breaker": {"failures": 2, "windowSeconds": 600},
        "freezes": [{**WEEKEND, "schedule": schedule}],
        "blastRadius": {"replicasPercent": 20, "nodesPercent": 5},
        "gitOps": "Refuse",
    }
    allowed(shop.installation.admin.post(f"{API}/guardrails?dryRun=All", body("test-good", spec)))
    GuardrailSpec.model_validate(spec)
