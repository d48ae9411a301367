"""Which calls a NetworkPolicy does not let through."""

from typing import Any

import pytest

from interlock.crds.cel import evaluate

Object = dict[str, Any]
ORDERS: Object = {"podSelector": {"matchLabels": {"app": "orders"}}}
WEB: Object = {"podSelector": {"matchLabels": {"app": "web"}}}
ALL_OF_DNS: Object = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}


def workload(name: str, address: str = "", port: int = 8080) -> Object:
    env = [{"name": "BACKEND_URL", "value": address}] if address else []
    container = {"name": "app", "env": env, "ports": [{"name": "http", "containerPort": port}]}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}},
    }


SERVICE: Object = {
    "metadata": {"name": "orders"},
    "spec": {"selector": {"app": "orders"}, "ports": [{"port": 80, "targetPort": "http"}]},
}
SHOP = [workload("web", "http://orders"), workload("orders"), workload("other")]


def blocked(spec: Object, *workloads: Object) -> Any:
    policy: Object = {"metadata": {"name": "guard"}, "spec": spec}
    held: Object = {"p": policy, "w": list(workloads or SHOP), "s": [SERVICE]}
    return evaluate("blocked(p, w, s)", held)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"from": [ORDERS]}],
        [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}]}],
        [{"from": [WEB], "ports": [{"port": 80}]}],
        [{"from": [WEB], "ports": [{"port": 8080, "protocol": "UDP"}]}],
        [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}]}],
    ],
)
def test_whoever_is_not_let_in_is_kept_out(rules: list[Object]) -> None:
    assert blocked({**ORDERS, "policyTypes": ["Ingress"], "ingress": rules}) == ["web to orders:80"]
    assert blocked({"podSelector": {}, "ingress": rules}) == ["web to orders:80"]


@pytest.mark.parametrize(
    "rules",
    [
        [{}],
        [{"from": [WEB]}],
        [{"from": [{"podSelector": {}}], "ports": [{"port": "http"}]}],
        [{"from": [ORDERS]}, {"from": [WEB], "ports": [{"port": 8000, "endPort": 8090}]}],
        [{"from": [{"namespaceSelector": {}, **WEB}], "ports": [{"port": 8080, "protocol": "TCP"}]}],
        # Nobody here knows where an address range or a namespace of these labels is.
        [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}],
    ],
)
def test_whoever_may_be_let_in_is_not_said_to_be_kept_out(rules: list[Object]) -> None:
    assert blocked({**ORDERS, "policyTypes": ["Ingress"], "ingress": rules}) == []


def test_a_policy_for_others_keeps_nobody_out() -> None:
    assert blocked({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Ingress"]}) == []
    assert (
        blocked({**ORDERS, "policyTypes": ["Ingress"]}, workload("web", "http://elsewhere"), workload("orders")) == []
    )


def test_whoever_may_not_leave_or_ask_for_names_is_kept_in() -> None:
    out: Object = {**WEB, "policyTypes": ["Egress"]}
    assert blocked(out) == ["web to DNS", "web to orders:80"]
    assert blocked({**out, "egress": [{"to": [ORDERS]}]}) == ["web to DNS"]
    assert blocked({**out, "egress": [ALL_OF_DNS]}) == ["web to orders:80"]
    assert blocked({**out, "egress": [ALL_OF_DNS, {"to": [ORDERS], "ports": [{"port": 8080}]}]}) == []
    assert blocked({**out, "egress": [{}]}) == []
    assert blocked({**WEB, "policyTypes": ["Ingress"], "egress": []}) == []


def test_an_opened_policy_keeps_its_rules_and_nobody_in_or_out() -> None:
    spec: Object = {**WEB, "policyTypes": ["Ingress", "Egress"], "egress": [{"to": [ORDERS]}]}
    found: Any = evaluate("opened(p)", {"p": {"spec": spec}})
    assert {**found, **WEB} == spec
    assert blocked(found) == []


def test_rules_are_equal_whatever_the_api_server_fills_in() -> None:
    said = {"spec": {**ORDERS, "ingress": [{"from": [WEB], "ports": [{"port": 80}]}]}}
    kept = {
        "spec": {
            **ORDERS,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [WEB], "ports": [{"port": 80, "protocol": "TCP"}]}],
        }
    }
    other = {"spec": {**ORDERS, "policyTypes": ["Ingress"]}}
    held: Object = {"a": said, "b": kept, "c": other}
    assert evaluate("rulesOf(a) == rulesOf(b) && rulesOf(a) != rulesOf(c) && rulesOf({}) == []", held) is True
