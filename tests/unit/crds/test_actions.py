import pytest

from interlock.crds.actions import ACTIONS, Patch, RolloutUndo, Scale, Wait


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_an_unknown_argument_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="argument 'nmae' is unknown; known are "):
        ACTIONS[name].check({"nmae": "x"})


@pytest.mark.parametrize(("name", "missing"), [("patch", "merge"), ("scale", "replicas"), ("wait", "until")])
def test_a_missing_argument_is_named(name: str, missing: str) -> None:
    with pytest.raises(ValueError, match=f"argument '{missing}' must be given"):
        ACTIONS[name].check({})


def test_no_action_takes_a_namespace() -> None:
    for arguments in ACTIONS.values():
        assert "namespace" not in {field.alias or name for name, field in arguments.model_fields.items()}


def test_every_action_and_argument_is_described() -> None:
    for arguments in ACTIONS.values():
        assert arguments.summary.endswith(".")
        assert all(field.description for field in arguments.model_fields.values())


def test_values_are_judged_once_they_are_known() -> None:
    Scale.check({"replicas": "${target.spec.replicas + 1}"})
    assert Scale.parse({"replicas": "4"}).replicas == 4
    with pytest.raises(ValueError, match=r"argument replicas: .*, got 'four'"):
        Scale.check({"replicas": "four"})
    with pytest.raises(ValueError, match="argument replicas"):
        Scale.parse({"replicas": "100000"})


def test_defaults() -> None:
    assert RolloutUndo.parse({}).to_revision == 0
    assert RolloutUndo.parse({"toRevision": "3"}).to_revision == 3


def test_an_object_is_named_in_full_or_not_at_all() -> None:
    Scale.check({"replicas": "1", "apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    with pytest.raises(ValueError, match="apiVersion, kind and name belong together"):
        Scale.check({"replicas": "1", "kind": "Deployment"})


@pytest.mark.parametrize(
    ("merge", "said"),
    [
        ("[]", "must be a mapping"),
        ("{}", "must be a mapping"),
        ("spec: [", "is not YAML"),
        ("status: {}", "may not change status"),
        ("kind: Secret", "may not change kind"),
    ],
)
def test_a_patch_that_cannot_be_right(merge: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Patch.check({"merge": merge})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "either expression or promql"),
        ({"expression": "true", "promql": "up"}, "either expression or promql"),
        ({"promql": "up"}, "promql and satisfies belong together"),
        ({"expression": "true", "satisfies": "value > 0.0"}, "promql and satisfies belong together"),
    ],
)
def test_an_assertion_is_of_one_kind(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ACTIONS["assert"].check(arguments)


def test_only_looking_writes_nothing() -> None:
    assert {name for name, arguments in ACTIONS.items() if not arguments.writes} == {"wait", "assert"}
    assert not Wait.writes
