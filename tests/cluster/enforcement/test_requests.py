"""Who may ask for what, where."""

from collections.abc import Callable

import pytest
from tests.support.executions import Place, allowed, digest, refused
from tests.support.identity import Json


def spec(**changes: object) -> Callable[[Json], None]:
    return lambda body: body["spec"].update(changes)


def meta(**changes: object) -> Callable[[Json], None]:
    return lambda body: body["metadata"].update(changes)


def target(**changes: object) -> Callable[[Json], None]:
    return lambda body: body["spec"]["target"].update(changes)


DECISION = {"by": "alice", "verdict": "Approve", "subject": digest("a")}

REFUSED = {
    "in another's name": (spec(requestedBy="bob"), "spec.requestedBy must be your own user name: alice"),
    "with a decision": (spec(decisions=[DECISION]), "carries no decisions"),
    "cancelled from the start": (spec(cancelled={"by": "alice"}), "carries no decisions and is not cancelled"),
    "without the audit finalizer": (meta(finalizers=[]), "metadata.finalizers must be [interlock.dev/audit]"),
    "with a foreign finalizer": (
        meta(finalizers=["interlock.dev/audit", "example.com/mine"]),
        "metadata.finalizers must be",
    ),
    "with an owner": (
        meta(ownerReferences=[{"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "1"}]),
        "has no owner",
    ),
    "with a name that no label can carry": (meta(name="a.b"), "must be a DNS label"),
    "with a name that is too long": (meta(name="a" * 64), "must be a DNS label"),
    "with a label of the operator's": (meta(labels={"interlock.dev/x": "y"}), "are the operator's"),
    "with an annotation of the operator's": (meta(annotations={"interlock.dev/x": "y"}), "are the operator's"),
    "for a target elsewhere": (target(namespace="default"), "must be the execution's own namespace"),
    "for a target without a namespace": (target(namespace=None), "must be the execution's own namespace"),
    "with a control character": (spec(reason={"summary": "stuck\x07"}), "spec.reason.summary"),
    "with reversed text": (spec(reason={"summary": "\u202egnihtyreve eteled"}), "spec.reason.summary"),
    "with an invisible character": (target(name="we\u200bb"), "spec.target.name"),
    "with a line break in a line": (spec(reason={"summary": "x", "incident": "a\nb"}), "spec.reason.incident"),
    "with a hidden parameter name": (spec(parameters={"to\u202eRevision": "1"}), "names are letters and digits"),
    "with a parameter that is too long": (spec(parameters={"x": "y" * 1025}), "spec.parameters"),
    "with too many parameters": (spec(parameters={f"p{n}": "1" for n in range(17)}), "spec.parameters"),
    "with an unfinished digest": (spec(runbook={"name": "a-1.0.0", "digest": "sha256:ab"}), "spec.runbook.digest"),
    "with more confidence than there is": (spec(reason={"summary": "x", "confidence": 1.5}), "confidence"),
    "amending what no object can be named": (spec(amends="../web"), "spec.amends"),
    "without a reason": (spec(reason=None), "spec.reason"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_is_refused(shop: Place, case: str) -> None:
    change, words = REFUSED[case]
    body = shop.request()
    change(body)
    refused(shop.person("alice").post(shop.path, body), words)


ALLOWED: dict[str, Callable[[Json], None]] = {
    "as it is": spec(),
    "with words in any language": spec(reason={"summary": "Pods hängen fest: 再起動\nsecond line\ttabbed"}),
    "with labels of its own": meta(labels={"team": "shop"}),
    "with parameters": spec(parameters={"toRevision": "3"}),
    "as a dry run": spec(dryRun=True),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_request_is_allowed(shop: Place, case: str) -> None:
    body = shop.request()
    ALLOWED[case](body)
    allowed(shop.person("alice").post(shop.path, body))


def test_a_status_sent_with_the_request_is_dropped(shop: Place) -> None:
    made = shop.person("alice").post(shop.path, shop.request() | {"status": {"phase": "Succeeded"}})
    assert "status" not in made.body


def test_even_the_administrator_asks_in_their_own_name(shop: Place) -> None:
    refused(shop.installation.admin.post(shop.path, shop.request(by="alice")), "must be your own user name")


def test_the_verb_execute_is_needed(shop: Place) -> None:
    """bob may approve, and even with the right to create executions he may not ask for this runbook."""
    shop.installation.apply([creator("creators", shop.namespace)])
    shop.installation.bind("erin", "creators", shop.namespace)
    words = "you need the verb execute on runbooks.interlock.dev restart-deployment-1.0.0 or restart-deployment"
    refused(shop.person("erin").post(shop.path, shop.request(by="erin")), words)


@pytest.mark.parametrize(
    ("named", "asked", "granted"),
    [
        ("restart-deployment", "restart-deployment-1.0.0", True),
        ("restart-deployment-1.0.0", "restart-deployment-1.0.0", True),
        ("restart-deployment-1.0.0", "restart-deployment-2.0.0", False),
        ("restart", "restart-deployment-1.0.0", False),
    ],
)
def test_execute_names_a_version_or_a_family(shop: Place, named: str, asked: str, granted: bool) -> None:
    person, role = f"asker-of-{named}", f"may-ask-{named}"
    shop.installation.apply([creator(role, shop.namespace, execute=[named])])
    shop.installation.bind(person, role, shop.namespace)
    body = shop.request(by=person, runbook={"name": asked, "digest": digest("b")})
    answer = shop.person(person).post(shop.path, body)
    allowed(answer) if granted else refused(answer, "you need the verb execute")


def test_a_namespace_that_has_not_opted_in_is_refused(shop: Place) -> None:
    shop.installation.bind("alice", "interlock-requester", "default")
    body = shop.request()
    body["spec"]["target"]["namespace"] = "default"
    path = shop.path.replace(shop.namespace, "default")
    refused(shop.person("alice").post(path, body), "this namespace has not opted in")


class TestFromTheSystemNamespace:
    """Cluster-scoped targets, and the handing over of what lies in namespaces that have not opted in."""

    PATH = "/apis/interlock.dev/v1alpha1/namespaces/interlock-system/runbookexecutions"

    def test_a_cluster_scoped_target_is_allowed(self, shop: Place) -> None:
        agents = shop.installation.agents
        body = shop.request(by=agents.name_at_the_server())
        body["spec"]["target"] = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
        body["spec"]["runbook"]["name"] = "escalate-1.0.0"
        allowed(agents.post(f"{self.PATH}?dryRun=All", body))

    def test_agents_hand_over_what_is_not_opted_in(self, shop: Place) -> None:
        agents = shop.installation.agents
        body = shop.request(by=agents.name_at_the_server())
        body["spec"]["target"]["namespace"] = "default"
        body["spec"]["runbook"]["name"] = "escalate-1.0.0"
        allowed(agents.post(f"{self.PATH}?dryRun=All", body))

    def test_agents_ask_for_nothing_else_there(self, shop: Place) -> None:
        agents = shop.installation.agents
        body = shop.request(by=agents.name_at_the_server())
        body["spec"]["target"]["namespace"] = "default"
        refused(agents.post(f"{self.PATH}?dryRun=All", body), "only runbooks of type Handover reach beyond it")

    def test_agents_amend_nothing(self, shop: Place) -> None:
        agents = shop.installation.agents
        body = shop.request(by=agents.name_at_the_server(), amends="web-1")
        body["spec"]["runbook"]["name"] = "escalate-1.0.0"
        refused(agents.post(f"{self.PATH}?dryRun=All", body), "agents do not amend a request")

    def test_who_may_ask_in_the_target_namespace_may_ask_here(self, shop: Place) -> None:
        shop.installation.bind("alice", "interlock-requester", "interlock-system")
        allowed(shop.person("alice").post(f"{self.PATH}?dryRun=All", shop.request()))

    def test_who_may_not_ask_in_the_target_namespace_may_not_here(self, shop: Place) -> None:
        shop.installation.bind("frank", "interlock-requester", "interlock-system")
        answer = shop.person("frank").post(f"{self.PATH}?dryRun=All", shop.request(by="frank"))
        refused(answer, "you may not create executions in the target's namespace")


def creator(name: str, namespace: str, execute: list[str] | None = None) -> Json:
    """A ClusterRole that may create executions, and execute the runbooks named."""
    rules = [{"apiGroups": ["interlock.dev"], "resources": ["runbookexecutions"], "verbs": ["create"]}]
    if execute:
        named = {"resourceNames": execute, "verbs": ["execute"]}
        rules.append({"apiGroups": ["interlock.dev"], "resources": ["runbooks"], **named})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }
