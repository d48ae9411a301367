"""Rules about scenarios: that there are both kinds, that they can be carried out, and side by side with others."""

from collections.abc import Iterator
from typing import Any

from interlock.runbooks.loading import Loaded
from interlock.runbooks.scenario import (
    FOLDER,
    NAMESPACE,
    Fault,
    Kind,
    LoadedScenario,
    Manifest,
    Scenario,
    load_scenarios,
)
from interlock.runbooks.source import Location, Problem, RunbookRefused
from interlock.runbooks.written import VARIABLES, Written, misnamed

SCENARIO_VARIABLES: frozenset[str] = VARIABLES | {"objects"}
"""What a scenario's expressions see: what the runbook's see, and its objects by "Kind/name"."""

OWN_TAINT = {"key": "vetting", "value": NAMESPACE, "effect": "NoSchedule"}
"""Keeps everybody from a Node but those who say that they are meant."""

_CLUSTER_SCOPED = frozenset({"Node", "PersistentVolume", "StorageClass", "PriorityClass", "Namespace"})
_WANTED: dict[Kind, str] = {"Cure": "shows that it cures", "Control": "shows what it leaves alone"}


def scenarios_fit(loaded: Loaded) -> Iterator[Problem]:
    """A runbook that acts has a Cure and a Control, and what they say can be carried out."""
    if not (loaded.source.path.parent / FOLDER).is_dir():
        return
    try:
        scenarios = load_scenarios(loaded)
    except RunbookRefused as refused:
        yield from refused.problems
        return
    if loaded.runbook.spec.steps:
        kinds = {item.scenario.kind for item in scenarios}
        for kind, shows in _WANTED.items():
            if kind not in kinds:
                way_out = f"Add one to {FOLDER}/, beside the others."
                yield loaded.source.problem((), f"no scenario of kind {kind} {shows}", way_out)
    for item in scenarios:
        for written in _expressions(item.scenario):
            yield from misnamed(item.source, written)
        yield from shared_names(item)
        yield from shared_nodes(item)


def _expressions(scenario: Scenario) -> Iterator[Written]:
    places: list[tuple[Location, str | None]] = [
        (("ready",), scenario.ready),
        (("broken",), scenario.broken),
        *((("fault", index, "wait"), fault.wait) for index, fault in enumerate(scenario.fault)),
        *((("after", index, "expression"), held.expression) for index, held in enumerate(scenario.after)),
    ]
    for place, text in places:
        if text is not None:
            yield Written(place, text, SCENARIO_VARIABLES)


def shared_names(item: LoadedScenario) -> Iterator[Problem]:
    """Scenarios run side by side on one cluster: only their namespaces keep them apart, but for one tried alone."""
    for place, kind, name in _named(item.scenario):
        alone = item.scenario.takes_a_standing_node and name == item.scenario.target.name
        if kind in _CLUSTER_SCOPED and not name.startswith(NAMESPACE) and not alone:
            message = f"the name of a {kind} is seen by scenarios beside this one"
            yield item.source.problem(place, message, f"Begin it with {NAMESPACE}.")


def shared_nodes(item: LoadedScenario) -> Iterator[Problem]:
    """A pod of another scenario on a Node that goes with this one would be made anew, and spoil its own trial."""
    for place, manifest in _made(item.scenario):
        spec = manifest.get("spec")
        taints = spec.get("taints") if isinstance(spec, dict) else None
        if manifest["kind"] == "Node" and not (isinstance(taints, list) and OWN_TAINT in taints):
            message = "a Node of one scenario takes pods of scenarios beside it"
            taint = ", ".join(f"{key}: {value}" for key, value in OWN_TAINT.items())
            way_out = f"Give it the taint {{{taint}}}, and its pods the toleration {{key: vetting, operator: Exists}}."
            yield item.source.problem((*place, "spec"), message, way_out)


def _made(scenario: Scenario) -> Iterator[tuple[Location, Manifest]]:
    """What it sets up, and what it breaks others with."""
    for index, manifest in enumerate(scenario.objects):
        yield ("objects", index), manifest
    for index, fault in enumerate(scenario.fault):
        if fault.apply is not None:
            yield ("fault", index, "apply"), fault.apply


def _named(scenario: Scenario) -> Iterator[tuple[Location, str, str]]:
    for place, manifest in _made(scenario):
        yield (*place, "metadata", "name"), *_kind_and_name(manifest)
    for index, fault in enumerate(scenario.fault):
        for place, kind, name in _of_fault(fault):
            yield ("fault", index, *place), kind, name
    yield ("target", "name"), scenario.target.kind, scenario.target.name


def _of_fault(fault: Fault) -> Iterator[tuple[tuple[str, ...], str, str]]:
    if fault.patch is not None:
        yield ("patch", "object", "name"), fault.patch.object.kind, fault.patch.object.name
    if fault.delete is not None:
        yield ("delete", "name"), fault.delete.kind, fault.delete.name


def _kind_and_name(manifest: dict[str, Any]) -> tuple[str, str]:
    return str(manifest["kind"]), str(manifest["metadata"]["name"])
