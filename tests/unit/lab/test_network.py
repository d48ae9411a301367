"""Whom simulated pods reach, by the NetworkPolicies of their namespace."""

from typing import Any

import pytest

from interlock.lab.kubelet.network import Network

WEB, API = {"app": "web"}, {"app": "api"}
TO_API = {"podSelector": {"matchLabels": API}}
FROM_WEB = {"podSelector": {"matchLabels": WEB}}


def reaches(*policies: dict[str, Any], place: str = "shop") -> bool:
    network = Network(services={("shop", "api"): {"selector": API}}, pods={"a": ("shop", API), "w": ("shop", WEB)})
    network.policies = {(place, str(number)): spec for number, spec in enumerate(policies)}
    return network.reaches("shop", WEB, "api:8080")


@pytest.mark.parametrize(
    ("spec", "comes_through"),
    [
        ({"podSelector": {}}, False),  # selects all, and lets nobody in
        ({"podSelector": {"matchLabels": {"app": "db"}}}, True),
        ({"podSelector": {"matchLabels": API}, "ingress": [{}]}, True),
        ({"podSelector": {"matchLabels": API}, "ingress": [{"from": [FROM_WEB]}]}, True),
        ({"podSelector": {"matchLabels": API}, "ingress": [{"from": [TO_API]}]}, False),
        ({"podSelector": {"matchLabels": API}, "ingress": [{"ports": [{"port": 8080}]}]}, True),
        ({"podSelector": {"matchLabels": API}, "ingress": [{"ports": [{"port": 80}]}]}, False),
        ({"podSelector": {"matchLabels": API}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}, False),
        ({"podSelector": {"matchLabels": WEB}, "policyTypes": ["Egress"]}, False),
        ({"podSelector": {"matchLabels": WEB}, "policyTypes": ["Egress"], "egress": [{"to": [TO_API]}]}, True),
        ({"podSelector": {"matchLabels": WEB}, "policyTypes": ["Egress"], "egress": [{"to": [FROM_WEB]}]}, False),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}}, False),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}}, True),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, False),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, True),
    ],
)
def test_one_policy(spec: dict[str, Any], comes_through: bool) -> None:
    assert reaches(spec) is comes_through


def test_one_of_several_is_enough() -> None:
    assert reaches({"podSelector": {}}, {"podSelector": {"matchLabels": API}, "ingress": [{}]})


def test_others_are_not_judged() -> None:
    assert reaches()
    assert reaches({"podSelector": {}}, place="bank")
    assert Network().reaches("shop", WEB, "api:8080")
