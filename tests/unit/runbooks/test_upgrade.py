"""What a new version may do that the old one may not is told, each way and for each bound."""

from typing import Any

import pytest
from tests.unit.crds.samples import runbook

from interlock.crds.runbook import Runbook
from interlock.runbooks.upgrade import grows, power_changes

REPLICAS = {"name": "replicas", "description": "How many.", "type": "integer", "minimum": 1, "maximum": 9}
ZONE = {"name": "zone", "description": "Where.", "allowed": ["a", "b"]}
RULE = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"], "resourceNames": ["web-0"]}


def told(old: Runbook | None, new: Runbook) -> list[str]:
    return [str(change) for change in power_changes(old, new)]


CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a verb less": (
        {"permissions": [RULE | {"verbs": ["get"]}]},
        ["- may no longer use patch deployments.apps"],
    ),
    "a right more": ({"permissions": [RULE, PODS]}, ["+ may use delete pods named web-0"]),
    "the same rights, written otherwise": (
        {"permissions": [RULE | {"verbs": ["get"]}, RULE | {"verbs": ["patch"]}]},
        [],
    ),
    "another path": (
        {"allowedPaths": ["/spec/paused"]},
        ["+ may write /spec/paused", "- may no longer write /spec/replicas"],
    ),
    "another target": (
        {"targets": [{"apiVersion": "apps/v1", "kind": "StatefulSet"}]},
        ["+ may be pointed at StatefulSet (apps/v1)", "- may no longer be pointed at Deployment (apps/v1)"],
    ),
    "a wider bound": (
        {"parameters": [REPLICAS | {"maximum": 50}]},
        ["+ parameter replicas: integer from 1 to 9 becomes integer from 1 to 50"],
    ),
    "a narrower bound": (
        {"parameters": [REPLICAS | {"minimum": 2}]},
        ["- parameter replicas: integer from 1 to 9 becomes integer from 2 to 9"],
    ),
    "one bound wider, one narrower": (
        {"parameters": [REPLICAS | {"minimum": 2, "maximum": 10}]},
        ["+ parameter replicas: integer from 1 to 9 becomes integer from 2 to 10"],
    ),
    "a parameter more": ({"parameters": [REPLICAS, ZONE]}, ["+ parameter zone: string one of a, b"]),
    "more risk": ({"risk": "High"}, ["+ risk Low becomes High"]),
    "more approvals": ({"approval": {"quorum": 2}}, ["- approvals 1 become 2"]),
    "no undo": ({"undo": "Never"}, ["+ undo OnFailure becomes Never"]),
    "another verification": (
        {"verification": {"checks": [{"name": "ready", "expression": "1 == 1"}]}},
        ["~ other verification"],
    ),
    "another title": ({"title": "Another"}, []),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_told(case: str) -> None:
    changes, said = CHANGES[case]
    found = power_changes(runbook(), runbook(**changes))
    assert [str(change) for change in found] == said
    assert grows(found) == any(line.startswith("+") for line in said)


def test_what_is_narrower_is_the_other_way_round_wider() -> None:
    one, other = runbook(parameters=[ZONE]), runbook(parameters=[ZONE | {"allowed": ["a"]}])
    assert not grows(power_changes(one, other))
    assert grows(power_changes(other, one))


def test_of_patterns_nobody_can_tell() -> None:
    one = runbook(parameters=[{"name": "name", "description": "n", "pattern": "[a-z]+"}])
    other = runbook(parameters=[{"name": "name", "description": "n", "pattern": "[a-y]+"}])
    assert grows(power_changes(one, other))


def test_of_a_new_family_everything_is_more() -> None:
    assert told(None, runbook()) == [
        "+ may use get deployments.apps",
        "+ may use patch deployments.apps",
        "+ may write /spec/replicas",
        "+ may be pointed at Deployment (apps/v1)",
        "+ parameter replicas: integer from 1 to 9",
        "+ risk Low, scope Namespaced",
    ]
