"""The schemas that the API server gets say what the models say, in the words that it understands."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, StringConstraints

from interlock.crds.execution import TERMINAL, TRANSITIONS, RunbookExecutionSpec
from interlock.crds.generate import DEFINITIONS, RESOURCES, ROOT, definition, drifted, generated, main, schema, write
from interlock.crds.manifests import Manifests, resources
from interlock.crds.rules import KEYED, RULES, listed, unchanged
from interlock.crds.schema import NotStructural, Schema, at, structural
from interlock.crds.types import LINE_PATTERN, Line, Model, Word


class Inner(Model):
    """What an inner thing is."""

    size: Annotated[int, Field(ge=1, le=9)] = Field(description="How large.")


class Outer(Model):
    """What an outer thing is."""

    plain_name: Line = Field(description="A name.")
    inner: Inner = Field(description="The one inside.")
    maybe: Inner | None = Field(default=None, description="Perhaps one.")
    kind: Literal["A", "B"] = Field(default="A", description="Which.")
    only: Literal["X"] = Field(default="X", description="The only one.")
    values: Annotated[dict[Word, Annotated[str, StringConstraints(max_length=5)]], Field(max_length=3)] = Field(
        default={}, description="Some values."
    )
    many: Annotated[list[Inner], Field(max_length=4)] = Field(default=[], description="Several.")
    share: float | None = Field(default=None, description="A share.")


def test_a_model_becomes_a_structural_schema() -> None:
    integer = {"description": "How large.", "type": "integer", "format": "int64", "minimum": 1, "maximum": 9}
    inner = {"type": "object", "required": ["size"], "properties": {"size": integer}}
    assert structural(Outer) == {
        "description": "What an outer thing is.",
        "type": "object",
        "required": ["plainName", "inner"],
        "properties": {
            "plainName": {"description": "A name.", "type": "string", "pattern": LINE_PATTERN, "maxLength": 256},
            "inner": {"description": "The one inside.", **inner},
            "maybe": {"description": "Perhaps one.", **inner},
            "kind": {"description": "Which.", "type": "string", "default": "A", "enum": ["A", "B"]},
            "only": {"description": "The only one.", "type": "string", "default": "X", "enum": ["X"]},
            "values": {
                "description": "Some values.",
                "type": "object",
                "default": {},
                "maxProperties": 3,
                "additionalProperties": {"type": "string", "maxLength": 5},
            },
            "many": {
                "description": "Several.",
                "type": "array",
                "default": [],
                "maxItems": 4,
                "x-kubernetes-list-type": "atomic",
                "items": {"description": "What an inner thing is.", **inner},
            },
            "share": {"description": "A share.", "type": "number", "format": "double"},
        },
    }


def test_a_union_cannot_be_said() -> None:
    class Either(Model):
        """One or the other."""

        value: int | str = Field(description="Either.")

    with pytest.raises(NotStructural, match=r"Either\.value is a union of 2 types"):
        structural(Either)


def test_an_open_object_cannot_be_said() -> None:
    class Open(Model):
        """Anything."""

        value: dict[str, Any] = Field(description="Anything.")

    with pytest.raises(NotStructural, match=r"Open\.value"):
        structural(Open)


def nodes(node: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[{key}]")


FIELDS = [
    (f"{resource.kind}{path}", node)
    for resource in RESOURCES
    for part in ("spec", "status")
    if part in schema(resource)["properties"]
    for path, node in nodes(schema(resource)["properties"][part], f".{part}")
]


@pytest.mark.parametrize(("path", "node"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_field_is_bounded_and_described(path: str, node: Schema) -> None:
    if node["type"] == "string" and "enum" not in node:
        assert node["maxLength"] > 0
    if node["type"] == "array":
        assert node["maxItems"] > 0
    if "additionalProperties" in node:
        assert node["maxProperties"] > 0
    if not path.endswith("]"):
        assert node["description"].endswith(".")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_every_rule_has_its_place_and_says_the_way_out(resource: Any) -> None:
    root = schema(resource)
    for rule in RULES[resource.kind]:
        assert rule.validation() in at(root, rule.path)["x-kubernetes-validations"]
        assert rule.message
    for keyed in KEYED[resource.kind]:
        items = at(root, keyed.path)["items"]
        assert set(keyed.keys) <= set(items["required"])


def test_the_phase_graph_is_that_of_the_model() -> None:
    [graph] = [rule.rule for rule in RULES["RunbookExecution"] if "no such transition" in rule.message]
    for old, following in TRANSITIONS.items():
        assert f"oldSelf.phase == '{old}' ? self.phase in {listed(following)}" in graph
    assert not any(f"oldSelf.phase == '{phase}'" in graph for phase in TERMINAL)


def test_what_is_immutable_is_everything_but_the_exceptions() -> None:
    rule = unchanged(RunbookExecutionSpec, but=frozenset({"decisions", "cancelled"}))
    for name, field in RunbookExecutionSpec.model_fields.items():
        wire = field.alias or name
        assert (f"self.{wire} == oldSelf.{wire}" in rule) == (wire not in {"decisions", "cancelled"})


def test_an_optional_field_is_compared_for_being_there() -> None:
    rule = unchanged(Outer, but=frozenset())
    assert "has(self.maybe) == has(oldSelf.maybe) && (!has(self.maybe) || self.maybe == oldSelf.maybe)" in rule


def test_the_definitions_are_named_as_kubectl_asks_for_them() -> None:
    found = {resource.kind: definition(resource) for resource in RESOURCES}
    names = found["RunbookExecution"]["spec"]["names"]
    assert names["shortNames"] == ["rbx"]
    assert found["Runbook"]["spec"]["names"]["shortNames"] == ["rb"]
    assert all(manifest["spec"]["names"]["categories"] == ["interlock"] for manifest in found.values())
    [version] = found["RunbookExecution"]["spec"]["versions"]
    shown = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == ["Runbook", "Target", "Phase", "Step", "Approvals", "Reason", "Age"]


def test_what_is_committed_is_current() -> None:
    assert drifted(ROOT) == []


def test_drift_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert write(tmp_path) == list(generated())
    assert main(["--check", "--root", str(tmp_path)]) == 0
    stale = DEFINITIONS / "runbooks.yaml"
    (tmp_path / stale).write_text("stale")
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert f"{stale} is not what the models say: run `make generate`" in capsys.readouterr().err
    assert (tmp_path / stale).read_text() == "stale"


def test_it_runs_as_a_module_and_writes_the_same_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "interlock.crds.generate", "--root", str(tmp_path)]
    first = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert len(first.splitlines()) == len(generated())
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""


def test_manifests_are_found_and_whole() -> None:
    kinds: tuple[Manifests, ...] = ("crds", "install")
    assert [path.name for path in resources("crds")] == [
        "auditheads.yaml",
        "guardrails.yaml",
        "ledgers.yaml",
        "runbookexecutions.yaml",
        "runbooks.yaml",
    ]
    assert not [path.name for kind in kinds for path in resources(kind) if "{{" in path.read_text()]
    install = [document for path in resources("install") for document in yaml.safe_load_all(path.read_text())]
    policies = {doc["metadata"]["name"] for doc in install if doc["kind"] == "ValidatingAdmissionPolicy"}
    bound = {doc["spec"]["policyName"] for doc in install if doc["kind"] == "ValidatingAdmissionPolicyBinding"}
    assert policies == bound
