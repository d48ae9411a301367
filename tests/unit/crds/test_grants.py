"""What a runbook needs is asked of the authorizer as RBAC grants it."""

from tests.unit.operator.making import runbook

from interlock.crds.grants import explained, needed

RULE = {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get", "patch"]}
NAMED = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["a", "b"]}
RUNNER = "system:serviceaccount:interlock-runners:scale-web.shop"


def test_the_token_and_every_right_of_the_runner_are_needed() -> None:
    mint, *rights = needed(runbook(permissions=[RULE, NAMED]), "shop")
    assert mint.user == "system:serviceaccount:interlock-system:interlock-operator"
    assert (mint.right.subresource, mint.right.name) == ("token", "scale-web.shop")
    assert {grant.user for grant in rights} == {RUNNER}
    assert all("system:serviceaccounts:interlock-runners" in grant.groups for grant in rights)
    said = [(g.right.verb, g.right.group, g.right.resource, g.right.subresource, g.right.name) for g in rights]
    assert said == [
        ("get", "apps", "deployments", "", ""),
        ("patch", "apps", "deployments", "", ""),
        ("get", "apps", "deployments", "scale", ""),
        ("patch", "apps", "deployments", "scale", ""),
        ("get", "", "configmaps", "", "a"),
        ("get", "", "configmaps", "", "b"),
    ]
    assert {grant.right.namespace for grant in rights} == {"shop"}


def test_what_changes_nothing_needs_nothing() -> None:
    assert list(needed(runbook(steps=()), "shop")) == []


def test_what_is_missing_is_told_with_the_way_out() -> None:
    book = runbook(permissions=[RULE])
    mint, first, *_ = needed(book, "shop")
    assert explained(book, "shop", [first]) == (
        "scale-web.shop may not get deployments in shop: `interlock runbook rbac scale-web --namespace shop` prints"
        " what the owner of the rights applies"
    )
    assert explained(book, None, [mint, first]).startswith(
        "interlock-operator may not create serviceaccounts/token in interlock-runners and 1 more: "
        "`interlock runbook rbac scale-web --cluster`"
    )
