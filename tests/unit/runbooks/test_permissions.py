"""Permissions are minimal when the API server saw all of them used, and refused nothing."""

from interlock.crds.runbook import PolicyRule
from interlock.runbooks.vetting.permissions import Use, misfits

PATCH = Use("apps", "deployments", "patch", "web", True)


def rule(*verbs: str, resource: str = "deployments", group: str = "apps", names: tuple[str, ...] = ()) -> PolicyRule:
    return PolicyRule(api_groups=[group], resources=[resource], verbs=list(verbs), resource_names=list(names))


def test_what_is_used_and_no_more_is_minimal() -> None:
    assert list(misfits([rule("patch")], [PATCH, PATCH])) == []


def test_what_was_refused_is_missing() -> None:
    refused = Use("", "pods/eviction", "create", "web-1", False)
    (found,) = misfits([rule("patch")], [PATCH, refused])
    assert found.startswith("insufficient: the runner was refused to create pods/eviction;")


def test_what_nobody_used_is_superfluous() -> None:
    found = list(misfits([rule("get", "patch"), rule("list", resource="pods", group="")], [PATCH]))
    assert [line.partition(";")[0] for line in found] == [
        "superfluous: nothing needed to get deployments.apps",
        "superfluous: nothing needed to list pods",
    ]


def test_a_refused_request_uses_nothing() -> None:
    refused = Use("apps", "deployments", "patch", "web", False)
    kinds = [line.partition(":")[0] for line in misfits([rule("patch")], [refused])]
    assert kinds == ["insufficient", "superfluous"]


def test_another_group_is_another_resource() -> None:
    assert [line.partition(":")[0] for line in misfits([rule("patch", group="extensions")], [PATCH])] == ["superfluous"]


def test_each_name_of_a_rule_is_needed() -> None:
    assert list(misfits([rule("patch", names=("web",))], [PATCH])) == []
    (found,) = misfits([rule("patch", names=("web", "db"))], [PATCH])
    assert "nothing was done to 'db'" in found
