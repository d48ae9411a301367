"""Every identity tries every power on the real API server: the answers are what the documentation's table says."""

import json
import secrets
import ssl
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.cluster.enforcement.test_audit import head as signed_head
from tests.support.executions import Place, allowed, plan
from tests.support.identity import Identity, Json
from tests.support.installation import API
from tools.powers import IDENTITIES, POWERS, Power

from interlock.crds.ledger import LedgerSpec, ledger_of, new_ledger
from interlock.crds.names import (
    AGENTS_GROUP,
    AGENTS_USER,
    EXECUTION_UID_LABEL,
    OPERATOR_USER,
    RUNNER_SECRET_TYPE,
    RUNNERS_GROUP,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
)
from interlock.crds.runbook import Runbook

FAMILY = "try-powers"
REFUSED = {401, 403, 422}


def book() -> Runbook:
    """A runbook whose runner patches Deployments and deletes pods."""
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
    ]
    spec: dict[str, Any] = {
        "family": FAMILY,
        "version": "1.0.0",
        "title": "Try",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": rules,
        "steps": [{"name": "scale", "action": "scale", "with": {"replicas": "1"}}],
        "verification": {"checks": [{"name": "true", "expression": "true"}]},
    }
    return Runbook.model_validate({"metadata": {"name": f"{FAMILY}-1.0.0"}, "spec": spec})


@dataclass(frozen=True)
class World:
    """Who there is, and what they try it on."""

    who: dict[str, Identity]
    words: dict[str, str]

    def answer(self, identity: str, power: Power) -> tuple[int, str]:
        """What the API server says to one try."""
        who = self.who[identity]
        words = self.words | {"user": who.name}
        body = None if power.body is None else json.loads(_filled(json.dumps(power.body), words))
        answer = who.request(power.method, _filled(power.path, words), body, power.content)
        return answer.status, answer.message


def _filled(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.fixture(scope="module")
def world(shop: Place) -> World:
    installation, admin, namespace = shop.installation, shop.installation.admin, shop.namespace
    installation.opt_in(namespace, [book()])
    installation.bind("devon", "edit", namespace)
    installation.bind("olga", "interlock-on-call", None)
    installation.bind("otto", "interlock-owner", None)
    runner = f"{FAMILY}.{namespace}"
    _objects(shop, runner)
    account = f"system:serviceaccount:{RUNNERS_NAMESPACE}:"
    installation.wait_for_right(f"{account}{runner}", "patch", "deployments.apps", namespace)
    own = shop.execution(by="dave")
    rbx = shop.execution()
    for offered in (own, rbx):
        allowed(offered.move("AwaitingApproval", plan=plan(risk="Low")))
    tls = ssl.create_default_context(cafile=str(installation.lab.ca_file))
    masters = "system:masters"
    who = {
        "anonymous": replace(admin, name="system:anonymous", tls=tls),
        "developer": installation.person("devon"),
        "requester": installation.person("alice"),
        "approver": installation.person("bob"),
        "glass breaker": installation.person("dave"),
        "on-call": installation.person("olga"),
        "owner": installation.person("otto"),
        "agents": replace(installation.agents, name=AGENTS_USER),
        "operator": replace(installation.operator, name=OPERATOR_USER),
        "runner": replace(installation.runner(FAMILY, namespace), name=f"{account}{runner}"),
        "runner elsewhere": admin.impersonating(f"{account}{FAMILY}.elsewhere", RUNNERS_GROUP),
        "agents!": admin.impersonating(AGENTS_USER, AGENTS_GROUP, masters),
        "operator!": admin.impersonating(OPERATOR_USER, "system:serviceaccounts", masters),
        "runner!": admin.impersonating(f"{account}{runner}", RUNNERS_GROUP, masters),
        "taint remover!": admin.impersonating(f"{account}remove-taint.cluster", RUNNERS_GROUP, masters),
        "job copier!": admin.impersonating(f"{account}recreate-job.{namespace}", RUNNERS_GROUP, masters),
        "cluster runner!": admin.impersonating(f"{account}{FAMILY}.cluster", RUNNERS_GROUP, masters),
    }
    head = shop.installation.operator.post(f"{API}/auditheads", signed_head())
    ledger = new_ledger(ledger_of(namespace), SYSTEM_NAMESPACE, LedgerSpec())
    for made in (head, shop.installation.operator.post(f"{API}/namespaces/{SYSTEM_NAMESPACE}/ledgers", ledger)):
        allowed(made)
    words = {
        "head": head.body["metadata"]["name"],
        "ns": namespace,
        "runner": runner,
        "rbx": rbx.name,
        "own": own.name,
        "plan": plan()["digest"],
        "book": book().metadata.name,
    }
    return World(who, words)


def _objects(shop: Place, runner: str) -> None:
    admin, namespace = shop.installation.admin, shop.namespace
    labels = {"app": "web"}
    pods: Json = {"containers": [{"name": "web", "image": "web"}]}
    template = {"metadata": {"labels": labels}, "spec": pods}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "web"}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    made = admin.post(path, {"metadata": metadata, "spec": spec})
    allowed(made)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True}
    owned = {"name": "owned", "ownerReferences": [owner | {"uid": made.body["metadata"]["uid"]}]}
    for meta in (owned, {"name": "bare"}):
        # Bound to no node, and kept from one: nobody else takes it away.
        body = {"metadata": meta, "spec": pods | {"schedulingGates": [{"name": "tests.example/stays"}]}}
        allowed(admin.post(f"/api/v1/namespaces/{namespace}/pods", body))
    anchor = {"name": f"rbx-{namespace}", "labels": {EXECUTION_UID_LABEL: secrets.token_hex(4)}}
    secret = {"metadata": anchor, "type": RUNNER_SECRET_TYPE}
    allowed(shop.installation.operator.post(f"/api/v1/namespaces/{RUNNERS_NAMESPACE}/secrets", secret))


@pytest.mark.parametrize("identity", IDENTITIES)
def test_an_identity_may_exactly_what_the_table_says(world: World, identity: str) -> None:
    wrong = []
    for power in (power for power in POWERS if identity not in power.untried):
        status, message = world.answer(identity, power)
        if (status not in REFUSED) != (identity in power.who):
            wrong.append(f"{power.what}: {status} {message}")
    assert not wrong


def test_what_is_granted_to_somebody_is_a_request_that_is_carried_out(world: World) -> None:
    """A request that is malformed would be refused to everybody, and prove nothing."""
    expected = {"run a command in a pod": {400, 404, 500, 502, 503}, "lift the emergency stop": {404}}
    for power in POWERS:
        if power.who:
            status, message = world.answer(min(power.who), power)
            assert status in expected.get(power.what, {200, 201}), f"{power.what}: {status} {message}"
