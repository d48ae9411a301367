"""Whatever somebody binds to the operator by mistake, it decides and records, and changes no workload itself."""

import secrets

import pytest
from tests.support.executions import PLAN, Place, allowed, refused
from tests.support.identity import JSON_PATCH, Identity, Json

from interlock.crds.names import (
    EXECUTION_UID_LABEL,
    OPERATOR_USER,
    RUNNER_SECRET_TYPE,
    RUNNERS_NAMESPACE,
    SHARD_LABEL,
)

RUNNERS = f"/api/v1/namespaces/{RUNNERS_NAMESPACE}"


@pytest.fixture(scope="module")
def almighty(shop: Place) -> Identity:
    """The operator with all rights that there are."""
    return shop.installation.admin.impersonating(OPERATOR_USER, "system:serviceaccounts", "system:masters")


@pytest.fixture(scope="module")
def bound(shop: Place) -> Identity:
    """The operator's real account, bound to cluster-admin in the namespace by mistake."""
    shop.installation.bind(OPERATOR_USER, "cluster-admin", shop.namespace)
    return shop.installation.operator


def deployment(name: str) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize("query", ["", "?dryRun=All"])
def test_a_workload_is_not_changed_even_by_an_operator_bound_to_cluster_admin(
    shop: Place, bound: Identity, query: str
) -> None:
    path, name = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments", f"web-{secrets.token_hex(2)}"
    allowed(shop.installation.admin.post(path, deployment(name)))
    change = {"spec": {"replicas": 3}}
    refused(bound.patch(f"{path}/{name}{query}", change), "the operator may not UPDATE apps/deployments")
    refused(bound.patch(f"{path}/{name}/scale{query}", change), "the operator may not UPDATE apps/deployments/scale")
    refused(bound.delete(f"{path}/{name}{query}"), "the operator may not DELETE apps/deployments")


def test_nor_is_anything_else(shop: Place, almighty: Identity) -> None:
    for method, path, body in (
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "x"}}),
        ("POST", f"/api/v1/namespaces/{shop.namespace}/secrets", {"metadata": {"name": "x"}}),
        ("DELETE", f"/api/v1/namespaces/{shop.namespace}", None),
        ("POST", shop.path, shop.request(by=OPERATOR_USER)),
        ("DELETE", shop.execution("Pending").path, None),
        ("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", {"metadata": {"name": "x"}}),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "x"}, "rules": []}),
    ):
        refused(almighty.request(method, path, body), "the operator may not")


def test_it_neither_asks_nor_decides(shop: Place, almighty: Identity) -> None:
    execution = shop.execution()
    allowed(execution.move("AwaitingApproval"))
    decision = {"by": OPERATOR_USER, "verdict": "Approve", "subject": PLAN}
    approve = {"op": "add", "path": "/spec/decisions/-", "value": decision}
    cancel = {"op": "add", "path": "/spec/cancelled", "value": {"by": OPERATOR_USER}}
    assert almighty.patch(execution.path, [approve], JSON_PATCH).status == 403
    refused(almighty.patch(execution.path, [cancel], JSON_PATCH), "the operator neither asks nor decides")


def test_it_keeps_the_record(shop: Place) -> None:
    operator, execution = shop.installation.operator, shop.execution("Succeeded")
    allowed(operator.patch(execution.path, {"metadata": {"labels": {"interlock.dev/archived": "yes"}}}))
    event = {
        "metadata": {"generateName": "rbx-"},
        "involvedObject": {"kind": "RunbookExecution", "namespace": shop.namespace, "name": execution.name},
        "reason": "Succeeded",
    }
    allowed(operator.post(f"/api/v1/namespaces/{shop.namespace}/events", event))


LEASES = "/apis/coordination.k8s.io/v1/namespaces/interlock-system/leases"


@pytest.mark.parametrize("name", ["interlock-operator", "interlock-operator-eu-1"])
def test_it_leads_by_the_lease_of_its_shard(shop: Place, name: str) -> None:
    lease = {"metadata": {"name": name}, "spec": {"holderIdentity": "operator-0"}}
    allowed(shop.installation.operator.post(f"{LEASES}?dryRun=All", lease))


@pytest.mark.parametrize(
    "name",
    [
        "interlock-agents",
        "interlock-operators",
        "interlock-operator-",
        "interlock-operator-EU",
        "my-interlock-operator",
    ],
)
def test_and_by_no_other(shop: Place, name: str) -> None:
    lease = {"metadata": {"name": name}, "spec": {"holderIdentity": "operator-0"}}
    answer = shop.installation.operator.post(f"{LEASES}?dryRun=All", lease)
    assert not answer.ok
    if name != "interlock-operator-EU" and not name.endswith("-"):  # the API server itself refuses these names
        refused(answer, "the operator's Leases are named interlock-operator or interlock-operator-<shard>")


def test_a_lease_of_somebody_else_is_neither_changed_nor_is_its_own_deleted(shop: Place) -> None:
    admin, operator = shop.installation.admin, shop.installation.operator
    for name in (f"somebody-{secrets.token_hex(3)}", f"interlock-operator-{secrets.token_hex(3)}"):
        allowed(admin.post(LEASES, {"metadata": {"name": name}, "spec": {"holderIdentity": "x"}}))
        change = operator.patch(f"{LEASES}/{name}", {"spec": {"holderIdentity": "operator-0"}})
        if name.startswith("interlock-operator-"):
            allowed(change)
        else:
            refused(change, "the operator's Leases are named")
        assert operator.delete(f"{LEASES}/{name}").status == 403
    for reader in (shop.installation.agents, shop.person("alice")):
        assert reader.patch(f"{LEASES}/{name}", {"spec": {"holderIdentity": "me"}}).status == 403


def test_nobody_but_the_owner_of_namespaces_moves_one_to_another_shard(shop: Place) -> None:
    """Requesters, approvers, agents and the operator itself cannot: the label is the cluster's owner's."""
    patch = {"metadata": {"labels": {SHARD_LABEL: "elsewhere"}}}
    path = f"/api/v1/namespaces/{shop.namespace}?dryRun=All"
    somebody = (shop.person("alice"), shop.person("bob"), shop.installation.agents, shop.installation.operator)
    assert [who.patch(path, patch).status for who in somebody] == [403] * 4
    allowed(shop.installation.admin.patch(path, patch))


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("/api/v1/namespaces/{ns}/pods", True),
        ("/apis/apps/v1/namespaces/{ns}/replicasets", True),
        ("/apis/interlock.dev/v1alpha1/runbookexecutions", True),
        ("/api/v1/namespaces", True),
        ("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", True),
        ("/api/v1/namespaces/kube-system/secrets", False),
        (f"{RUNNERS}/secrets", False),
        ("/api/v1/namespaces/default/pods", False),
    ],
)
def test_what_it_reads(shop: Place, path: str, may: bool) -> None:
    assert shop.installation.operator.get(path.format(ns=shop.namespace)).status == (200 if may else 403)


def anchor(**changes: object) -> Json:
    """The Secret that a token is bound to."""
    metadata = {"name": f"rbx-{secrets.token_hex(4)}", "labels": {EXECUTION_UID_LABEL: "0b3c"}}
    return {"metadata": metadata, "type": RUNNER_SECRET_TYPE, **changes}


class TestSecrets:
    def test_empty_ones_for_tokens_are_made_and_removed(self, shop: Place) -> None:
        body = anchor()
        allowed(shop.installation.operator.post(f"{RUNNERS}/secrets", body))
        allowed(shop.installation.operator.delete(f"{RUNNERS}/secrets/{body['metadata']['name']}"))

    @pytest.mark.parametrize(
        "change",
        [
            {"data": {"a": "Yg=="}},
            {"stringData": {"a": "b"}},
            {"type": "Opaque"},
            {"metadata": {"name": "token", "labels": {EXECUTION_UID_LABEL: "0b3c"}}},
            {"metadata": {"name": "rbx-without-execution"}},
        ],
    )
    def test_others_are_not(self, shop: Place, change: Json) -> None:
        answer = shop.installation.operator.post(f"{RUNNERS}/secrets", anchor(**change))
        refused(answer, "the operator only creates and deletes empty Secrets")

    def test_a_token_for_ever_is_not(self, shop: Place) -> None:
        metadata = anchor()["metadata"] | {"annotations": {"kubernetes.io/service-account.name": "default"}}
        body = anchor(type="kubernetes.io/service-account-token", metadata=metadata)
        refused(shop.installation.operator.post(f"{RUNNERS}/secrets", body), "the operator only creates and deletes")

    def test_other_peoples_are_not_deleted(self, shop: Place) -> None:
        name = f"rbx-{secrets.token_hex(4)}"
        allowed(shop.installation.admin.post(f"{RUNNERS}/secrets", {"metadata": {"name": name}}))
        refused(shop.installation.operator.delete(f"{RUNNERS}/secrets/{name}"), "the operator only creates and deletes")
