import pytest
import yaml

from interlock.crds.actions import ACTIONS, Patch, RolloutUndo, Scale
from interlock.crds.runbook import Step


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
        ("[]", "should be a valid dictionary"),
        ("{}", "at least 1 item"),
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
    assert {name for name, arguments in ACTIONS.items() if arguments.effect is None} == {"wait", "assert", "manual"}


DIGEST = f"tool@sha256:{'a' * 64}"


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_every_example_is_a_step(name: str) -> None:
    assert Step.model_validate(yaml.safe_load(ACTIONS[name].example)).action == name


def test_a_known_argument_is_judged_beside_one_that_is_not() -> None:
    with pytest.raises(ValueError, match="argument container"):
        ACTIONS["setImage"].check({"container": "Not a name", "image": "${parameters.image}"})
    ACTIONS["setImage"].check({"container": "web", "image": "${parameters.image}"})


@pytest.mark.parametrize(
    ("action", "arguments", "said"),
    [
        ("label", {"labels": "{interlock.dev/x: y}"}, "belongs to Kubernetes or Interlock"),
        ("label", {"labels": "{app.kubernetes.io/managed-by: y}"}, "belongs to Kubernetes or Interlock"),
        ("label", {"labels": "{pod-template-hash: y}"}, "belongs to a controller"),
        ("label", {"labels": "{a: 'not a value'}"}, "is no value of a label"),
        ("label", {"labels": "{a b: c}"}, "is no key"),
        ("label", {"labels": "{}"}, "at least 1 item"),
        ("label", {"labels": "{a: 1}"}, "valid string"),
        ("annotate", {"annotations": "{deployment.kubernetes.io/revision: '1'}"}, "belongs to Kubernetes"),
        ("jsonPatch", {"ops": "[{op: move, path: /a, from: /b}]"}, "argument ops"),
        ("jsonPatch", {"ops": "[{op: replace, path: /status/x, value: 1}]"}, "may not change status"),
        ("jsonPatch", {"ops": "[{op: add, path: spec, value: 1}]"}, "is no JSON Pointer"),
        ("jsonPatch", {"ops": "[{op: add, path: /spec}]"}, "add takes a value"),
        ("jsonPatch", {"ops": "[{op: remove, path: /spec, value: 1}]"}, "remove takes no value"),
        ("setImage", {"container": "a", "image": "registry.example:5000/web"}, "names neither a tag nor a digest"),
        ("setImage", {"container": "a", "image": "web: latest"}, "argument image"),
        ("setResources", {"container": "a"}, "needs requests or limits"),
        ("setResources", {"container": "a", "limits": "{memory: much}"}, "is not a quantity"),
        ("setResources", {"container": "a", "limits": "{memory: '-1'}"}, "less than nothing"),
        ("setResources", {"container": "a", "limits": "{gpu: '1'}"}, "argument limits"),
        ("setResources", {"container": "a", "requests": "{cpu: '2'}", "limits": "{cpu: '1'}"}, "above the limit"),
        ("deletePod", {"name": "Not/a name"}, "argument name"),
        ("drain", {"deleteEmptyDirData": "maybe"}, "argument deleteEmptyDirData"),
        ("createJob", {"image": "tool:1"}, "argument image"),
        ("createJob", {"image": DIGEST, "env": "{API_TOKEN: x}"}, "API_TOKEN looks like a secret"),
        ("createJob", {"image": DIGEST, "env": "{1A: x}"}, "is no name of a variable"),
        ("createJob", {"image": DIGEST, "args": "run"}, "argument args"),
        ("createJob", {"image": DIGEST, "limits": "{memory: '0'}"}, "is nothing"),
        ("manual", {"asks": ""}, "argument asks"),
    ],
)
def test_an_argument_that_cannot_be_right_is_named(action: str, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ACTIONS[action].check(arguments)
