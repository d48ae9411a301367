"""Whatever somebody binds to the agents by mistake, they ask and write nothing else."""

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import APPLY, Identity, Json
from tests.support.installation import API, RBAC, binding_of

from interlock.crds.names import AGENTS_ACCOUNT, AGENTS_GROUP, AGENTS_NAMESPACE, AGENTS_USER

ONLY = "agents may only create runbookexecutions"


@pytest.fixture(scope="module")
def almighty(shop: Place) -> Identity:
    """The agents with all rights that there are, as if bound to cluster-admin before the policies stood."""
    return shop.installation.admin.impersonating(AGENTS_USER, AGENTS_GROUP, "system:masters")


def pod(name: str = "web") -> Json:
    container = {"name": "web", "image": "web"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


def object_of(api_version: str, kind: str, **more: object) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **more}


def named(api_version: str, kind: str) -> Json:
    """What is sent to a subresource of the standing pod."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "standing"}}


NS = "/api/v1/namespaces/{ns}"
WRITES: dict[str, tuple[str, str, Json | None]] = {
    "create a pod": ("POST", f"{NS}/pods", pod()),
    "create a pod as a dry run": ("POST", f"{NS}/pods?dryRun=All", pod()),
    "create a ConfigMap": ("POST", f"{NS}/configmaps", object_of("v1", "ConfigMap")),
    "create a Secret": ("POST", f"{NS}/secrets", object_of("v1", "Secret")),
    "create an event": (
        "POST",
        f"{NS}/events",
        object_of("v1", "Event", involvedObject={"kind": "Pod", "namespace": "{ns}", "name": "web"}),
    ),
    "patch a pod": ("PATCH", f"{NS}/pods/standing", {"metadata": {"labels": {"a": "b"}}}),
    "delete a pod": ("DELETE", f"{NS}/pods/standing", None),
    "delete all pods": ("DELETE", f"{NS}/pods", None),
    "evict a pod": ("POST", f"{NS}/pods/standing/eviction", named("policy/v1", "Eviction")),
    "bind a pod": (
        "POST",
        f"{NS}/pods/standing/binding",
        named("v1", "Binding") | {"target": {"kind": "Node", "name": "node-1"}},
    ),
    "exec by POST": ("POST", f"{NS}/pods/standing/exec?command=id", None),
    "exec by GET": ("GET", f"{NS}/pods/standing/exec?command=id", None),
    "attach": ("POST", f"{NS}/pods/standing/attach", None),
    "forward a port": ("POST", f"{NS}/pods/standing/portforward", None),
    "use a pod's proxy": ("GET", f"{NS}/pods/standing/proxy/", None),
    "use a node's proxy": ("GET", "/api/v1/nodes/node-1/proxy/metrics", None),
    "mint a token": (
        "POST",
        f"{NS}/serviceaccounts/default/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ),
    "patch a node": ("PATCH", "/api/v1/nodes/node-1", {"spec": {"unschedulable": True}}),
    "create a namespace": ("POST", "/api/v1/namespaces", object_of("v1", "Namespace")),
    "label a namespace": ("PATCH", NS, {"metadata": {"labels": {"a": "b"}}}),
    "create a lease": (
        "POST",
        "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases",
        object_of("coordination.k8s.io/v1", "Lease"),
    ),
    "create a role": (
        "POST",
        f"{RBAC}/namespaces/{{ns}}/roles",
        object_of("rbac.authorization.k8s.io/v1", "Role", rules=[]),
    ),
    "bind a role": (
        "POST",
        f"{RBAC}/clusterrolebindings",
        binding_of("web", "interlock-agents", None, {"kind": "Group", "name": AGENTS_GROUP}),
    ),
    "publish a guardrail": ("POST", f"{API}/guardrails", object_of("interlock.dev/v1alpha1", "Guardrail", spec={})),
    "change a guardrail": ("PATCH", f"{API}/guardrails/default", {"spec": {"approvals": 1}}),
    "delete a guardrail": ("DELETE", f"{API}/guardrails/{{ns}}", None),
    "cancel an execution": (
        "PATCH",
        f"{API}/namespaces/{{ns}}/runbookexecutions/{{rbx}}",
        {"spec": {"cancelled": {"by": AGENTS_USER}}},
    ),
    "delete an execution": ("DELETE", f"{API}/namespaces/{{ns}}/runbookexecutions/{{rbx}}", None),
    "delete all executions": ("DELETE", f"{API}/namespaces/{{ns}}/runbookexecutions", None),
    "write a status": (
        "PATCH",
        f"{API}/namespaces/{{ns}}/runbookexecutions/{{rbx}}/status",
        {"status": {"message": "done"}},
    ),
    "delete a definition": (
        "DELETE",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/guardrails.interlock.dev?dryRun=All",
        None,
    ),
}


@pytest.fixture(scope="module")
def names(shop: Place) -> dict[str, str]:
    allowed(shop.installation.admin.post(f"/api/v1/namespaces/{shop.namespace}/pods", pod("standing")))
    guardrail = object_of("interlock.dev/v1alpha1", "Guardrail", spec={"selector": {"namespaces": [shop.namespace]}})
    allowed(shop.installation.admin.post(f"{API}/guardrails", guardrail | {"metadata": {"name": shop.namespace}}))
    return {"ns": shop.namespace, "rbx": shop.execution("AwaitingApproval").name}


@pytest.mark.parametrize("write", WRITES)
def test_almighty_agents_are_refused(shop: Place, almighty: Identity, names: dict[str, str], write: str) -> None:
    method, path, body = WRITES[write]
    answer = almighty.request(method, path.format(**names), _filled(body, names))
    assert answer.status == 403, answer
    assert "agents" in answer.message or "status is the operator's" in answer.message, answer


def _filled(body: Json | None, names: dict[str, str]) -> Json | None:
    if body is None or "involvedObject" not in body:
        return body
    return body | {"involvedObject": body["involvedObject"] | {"namespace": names["ns"]}}


def test_server_side_apply_is_no_way_around(almighty: Identity, names: dict[str, str]) -> None:
    path = f"/api/v1/namespaces/{names['ns']}/configmaps/web?fieldManager=agents"
    refused(almighty.patch(path, object_of("v1", "ConfigMap"), APPLY), ONLY)


def test_the_real_account_with_every_right_in_a_namespace_is_refused(shop: Place, namespace: str) -> None:
    """A role with all rights, bound to everybody, is a mistake that no policy on bindings can name."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "tests-everything"},
        "rules": [everything],
    }
    everybody = {"kind": "Group", "name": "system:authenticated"}
    shop.installation.apply([role, binding_of("everything", "tests-everything", namespace, everybody)])
    agents = [AGENTS_GROUP, "system:authenticated"]
    shop.installation.wait_for_right(AGENTS_USER, "create", "configmaps", namespace, groups=agents)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    refused(shop.installation.agents.post(path, object_of("v1", "ConfigMap")), ONLY)


def test_agents_create_executions(shop: Place) -> None:
    body = shop.request(by=AGENTS_USER)
    allowed(shop.installation.agents.post(shop.path, body))
    allowed(shop.installation.agents.get(shop.path))


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("/api/v1/namespaces/{ns}/pods", True),
        ("/api/v1/namespaces/{ns}/configmaps", True),
        ("/apis/apps/v1/namespaces/{ns}/deployments", True),
        ("/api/v1/nodes", True),
        ("/api/v1/namespaces/kube-system/pods", True),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", True),
        ("/apis/networking.k8s.io/v1/ingressclasses", True),
        ("/apis/interlock.dev/v1alpha1/runbooks", True),
        ("/api/v1/namespaces/{ns}/secrets", False),
        ("/api/v1/namespaces/default/events", False),
        ("/apis/cert-manager.io/v1/certificates", False),
        ("/apis/cert-manager.io/v1/namespaces/default/certificates", False),
        ("/api/v1/namespaces/kube-system/configmaps", False),
        ("/api/v1/namespaces/kube-system/secrets", False),
        ("/api/v1/namespaces/default/pods", False),
        ("/api/v1/secrets", False),
    ],
)
def test_what_agents_read(shop: Place, path: str, may: bool) -> None:
    assert shop.installation.agents.get(path.format(ns=shop.namespace)).status == (200 if may else 403)


SUBJECTS = {
    "account": {"kind": "ServiceAccount", "name": AGENTS_ACCOUNT, "namespace": AGENTS_NAMESPACE},
    "group": {"kind": "Group", "name": AGENTS_GROUP},
    "user": {"kind": "User", "name": AGENTS_USER},
}
OURS = "agents may only be bound to"
EVERYBODY = "this role may not be bound to a group that contains the agents"


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("role", ["cluster-admin", "view", "interlock-operator", "interlock-owner"])
def test_the_mistaken_binding_is_refused(shop: Place, subject: str, role: str) -> None:
    for namespace in (None, shop.namespace):
        place = f"/namespaces/{namespace}/rolebindings" if namespace else "/clusterrolebindings"
        body = binding_of("mistake", role, namespace, SUBJECTS[subject])
        refused(shop.installation.admin.post(f"{RBAC}{place}?dryRun=All", body), OURS)


def test_a_role_of_the_same_name_is_another(shop: Place) -> None:
    body = binding_of("mistake", "interlock-agents-reader", shop.namespace, SUBJECTS["group"])
    body["roleRef"]["kind"] = "Role"
    refused(shop.installation.admin.post(f"{RBAC}/namespaces/{shop.namespace}/rolebindings", body), OURS)


def test_the_agents_are_not_slipped_into_a_binding(shop: Place) -> None:
    body = binding_of("people", "view", shop.namespace, {"kind": "User", "name": "alice"})
    allowed(shop.installation.admin.apply(body))
    change = {"subjects": [*body["subjects"], SUBJECTS["account"]]}
    refused(shop.installation.admin.patch(f"{RBAC}/namespaces/{shop.namespace}/rolebindings/people", change), OURS)


@pytest.mark.parametrize("group", ["system:authenticated", "system:serviceaccounts", "system:unauthenticated"])
@pytest.mark.parametrize("role", ["cluster-admin", "admin", "edit", "view"])
def test_groups_with_the_agents_in_them_get_no_general_role(shop: Place, group: str, role: str) -> None:
    body = binding_of("mistake", role, None, {"kind": "Group", "name": group})
    refused(shop.installation.admin.post(f"{RBAC}/clusterrolebindings?dryRun=All", body), EVERYBODY)


def test_people_are_bound_as_ever(shop: Place) -> None:
    body = binding_of("fine", "cluster-admin", None, {"kind": "User", "name": "alice"})
    allowed(shop.installation.admin.post(f"{RBAC}/clusterrolebindings?dryRun=All", body))
