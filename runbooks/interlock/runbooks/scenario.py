"""Scenarios: how a runbook is tried before it is trusted, as files beside it.

A Cure sets something up, breaks it, and says what must hold once the runbook has run; a Control is something that the
runbook must leave alone. What else vetting does with them (undo, crashes, two at once) it derives by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationError, model_validator

from interlock.crds.execution import ParameterText
from interlock.crds.parameters import ParameterRefused, parse_parameters
from interlock.crds.runbook import Runbook
from interlock.crds.trust import Substrate
from interlock.crds.types import Expression, Line, Model, Name, Word
from interlock.runbooks.loading import Loaded, problems_of
from interlock.runbooks.source import Problem, RunbookRefused, Source, read

FOLDER = "scenarios"
NAMESPACE = "${namespace}"
"""Stands in any text of a scenario for the namespace that it is given: names of cluster-scoped objects begin with it,
as scenarios run side by side."""

Kind = Literal["Cure", "Control"]


def _placed(manifest: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str):
            raise ValueError(f"an object needs {field}")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ValueError("an object needs metadata.name")
    if "namespace" in metadata:
        raise ValueError("an object must not name a namespace: each scenario gets one of its own")
    return manifest


Manifest = Annotated[dict[str, JsonValue], AfterValidator(_placed)]
"""A Kubernetes object as its owner would apply it, without a namespace."""
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-.a-z0-9${}]+$")]


class ObjectRef(Model):
    """An object of the scenario's namespace, or a cluster-scoped one."""

    api_version: Line = Field(description="API version, such as apps/v1.")
    kind: Word = Field(description="Kind, such as Deployment.")
    name: ObjectName = Field(description="Name; of a cluster-scoped object beginning with ${namespace}.")


class Patch(Model):
    """A change of one object, as a merge patch (RFC 7386)."""

    object: ObjectRef = Field(description="What is changed.")
    merge: dict[str, JsonValue] = Field(description="The patch: a null removes, a list replaces the whole list.")
    subresource: Literal["", "status", "scale"] = Field(
        default="", description="Changes this subresource; status where no controller would set it back."
    )


class Fault(Model):
    """One thing that is done to break it: exactly one of the fields."""

    apply: Manifest | None = Field(default=None, description="An object to apply.")
    patch: Patch | None = Field(default=None, description="A change of an object.")
    delete: ObjectRef | None = Field(default=None, description="An object to delete.")
    wait: Expression | None = Field(default=None, description="CEL to wait for before what follows.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("needs exactly one of apply, patch, delete, wait")
        return self


class Expectation(Model):
    """What must hold once the runbook has run, beside its own verification."""

    name: Name = Field(description="Name, unique in the list.")
    expression: Expression = Field(description="CEL that must be true.")


class Scenario(Model):
    """One trial of a runbook."""

    title: Line = Field(description="What is wrong, or what is not, in a line.")
    kind: Kind = Field(
        description="Cure: the runbook must end Succeeded (a hand-over HandedOver). Control: a precondition must refuse"
        " it, and nothing may change."
    )
    substrate: Substrate = Field(
        default="simulated", description="What it needs at least: simulated nodes, or real kubelets."
    )
    objects: Annotated[list[Manifest], Field(max_length=32)] = Field(
        default=[], description="Applied in this order into the scenario's own namespace."
    )
    ready: Expression | None = Field(default=None, description="CEL to wait for before the fault.")
    fault: Annotated[list[Fault], Field(max_length=16)] = Field(default=[], description="How it is broken, in order.")
    broken: Expression | None = Field(
        default=None, description="CEL to wait for after the fault: what proves it on live objects."
    )
    target: ObjectRef = Field(description="What the runbook is asked to act on.")
    parameters: dict[Word, ParameterText] = Field(default={}, description="Parameters, as texts.")
    refused_by: Name | None = Field(default=None, description="Of a Control: the precondition that must refuse.")
    after: Annotated[list[Expectation], Field(max_length=16)] = Field(
        default=[], description="What must hold afterwards beside the runbook's own verification."
    )
    kill: bool = Field(default=False, description="The operator is killed between all steps; one Cure of a runbook.")
    twice: bool = Field(default=False, description="The same is asked for twice at once: one of the two may act.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "Control") != (self.refused_by is not None):
            raise ValueError("refusedBy: a Control names the precondition that must refuse, a Cure has none")
        if self.kind == "Control" and (self.kill or self.twice):
            raise ValueError("kill and twice are for a Cure: a Control never starts")
        if self.kind == "Cure" and self.fault and self.broken is None:
            raise ValueError("broken: say what proves the fault on live objects")
        return self

    def fits(self, substrate: Substrate) -> bool:
        """Whether it can be tried there: no kubelet stands behind nodes that a scenario brings."""
        if substrate == "simulated":
            return self.substrate == "simulated"
        return self.substrate == "kubelet" or not any(manifest["kind"] == "Node" for manifest in self.brought)

    @property
    def brought(self) -> list[Manifest]:
        """The objects that it sets up, and those that it breaks others with."""
        return [*self.objects, *(fault.apply for fault in self.fault if fault.apply is not None)]

    @property
    def takes_a_standing_node(self) -> bool:
        """Whether its target is a node that is there already, for others too: it must be tried alone."""
        return self.substrate == "kubelet" and self.target.kind == "Node" and NAMESPACE not in self.target.name


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario and the file that it stands in."""

    scenario: Scenario
    source: Source

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.source.path.stem


def scenario_files(loaded: Loaded) -> list[Path]:
    """The files of a runbook's scenarios, by name."""
    return sorted((loaded.source.path.parent / FOLDER).glob("*.yaml"))


def load_scenarios(loaded: Loaded) -> tuple[LoadedScenario, ...]:
    """The scenarios of a runbook, by name.

    Raises:
        RunbookRefused: one of them is not valid; all problems of all files are named.
    """
    found: list[LoadedScenario] = []
    problems: list[Problem] = []
    for file in scenario_files(loaded):
        try:
            found.append(load_scenario(file, loaded.runbook))
        except RunbookRefused as refused:
            problems.extend(refused.problems)
    if problems:
        raise RunbookRefused(problems)
    return tuple(found)


def load_scenario(path: Path, runbook: Runbook) -> LoadedScenario:
    """One scenario of a runbook.

    Raises:
        RunbookRefused: it is not YAML, not a scenario, or does not fit the runbook; every problem names its line.
    """
    source = read(path)
    try:
        scenario = Scenario.model_validate(source.value)
    except ValidationError as wrong:
        raise RunbookRefused(problems_of(source, wrong, MODELS)) from wrong
    if misfits := list(_misfits(scenario, source, runbook)):
        raise RunbookRefused(misfits)
    return LoadedScenario(scenario, source)


def _misfits(scenario: Scenario, source: Source, runbook: Runbook) -> list[Problem]:
    spec, found = runbook.spec, list[Problem]()
    kinds = [(target.api_version, target.kind) for target in spec.targets]
    if (scenario.target.api_version, scenario.target.kind) not in kinds:
        known = ", ".join(f"{kind} ({version})" for version, kind in kinds)
        found.append(source.problem(("target", "kind"), "is no target of the runbook", f"It acts on {known}."))
    names = [precondition.name for precondition in spec.preconditions]
    if scenario.refused_by is not None and scenario.refused_by not in names:
        way_out = f"There are {', '.join(names) or 'none'}."
        found.append(source.problem(("refusedBy",), "is no precondition of the runbook", way_out))
    try:
        parse_parameters(spec.parameters, scenario.parameters)
    except ParameterRefused as refused:
        found.append(source.problem(("parameters",), str(refused), "Give what the runbook takes."))
    return found


def placed_in(value: Any, namespace: str) -> Any:
    """A part of a scenario with the namespace in place of its stand-in."""
    if isinstance(value, str):
        return value.replace(NAMESPACE, namespace)
    if isinstance(value, Mapping):
        return {key: placed_in(content, namespace) for key, content in value.items()}
    if isinstance(value, list):
        return [placed_in(item, namespace) for item in value]
    return value


MODELS = (Scenario, Fault, Patch, ObjectRef, Expectation)
"""Everything that a scenario is made of."""
