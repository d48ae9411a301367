"""Rules about steps: what they may build on, what holds them in, and what they need to be carried out at all."""

from collections.abc import Iterable, Iterator, Mapping

from interlock.crds.actions import (
    ACTIONS,
    RAW,
    Cordon,
    CreateJob,
    Drain,
    EffectName,
    RecreateJob,
    RemoveTaint,
    Uncordon,
    Wait,
)
from interlock.crds.graph import needs_of
from interlock.crds.runbook import RunbookSpec, Step
from interlock.runbooks.loading import Loaded
from interlock.runbooks.source import Problem
from interlock.runbooks.written import Written, arguments, expressions

PLAN_STEPS = 32
_ON_NODES = (Cordon, Uncordon, RemoveTaint, Drain)
_POWERS: Mapping[EffectName, tuple[str, str]] = {
    "delete": ("pods", "delete"),
    "evict": ("pods/eviction", "create"),
    "create": ("jobs", "create"),
}
_NAMING = ("apiVersion", "kind", "name")


def needed(spec: RunbookSpec) -> Mapping[str, frozenset[str]]:
    """By the name of a step all steps that are done before it begins, directly or not."""
    direct = needs_of((step.name, step.needs) for step in spec.steps)

    def before(name: str) -> frozenset[str]:
        return direct[name].union(*(before(other) for other in direct[name]))

    return {name: before(name) for name in direct}


def what_is_used_was_yielded(loaded: Loaded) -> Iterator[Problem]:
    """`steps.<name>.<output>` names an output that exists, of a step that is done by then."""
    steps = loaded.runbook.spec.steps
    before = needed(loaded.runbook.spec)
    for written in expressions(loaded):
        if "steps" in written.known:
            done = frozenset(before) if written.step is None else before[steps[written.step].name]
            yield from _yields(loaded, written, done)


def _yields(loaded: Loaded, written: Written, before: frozenset[str]) -> Iterator[Problem]:
    steps = loaded.runbook.spec.steps
    for name, output in written.yielded():
        made = _node(steps, name)
        if made is None:
            looped = any(step.name == name for step in steps)
            way_out = 'A step in a loop yields as steps["<name>.<index>"].' if looped else "Name an existing step."
            yield loaded.source.problem(written.place, f"no step yields as {name!r}", way_out)
        elif made.name not in before:
            way_out = f"Add {made.name} to its needs."
            yield loaded.source.problem(written.place, f"step {made.name!r} need not be done by then", way_out)
        elif output and output not in (known := [*made.outputs, *ACTIONS[made.action].yields]):
            message = f"step {name!r} has no output {output!r}"
            yield loaded.source.problem(written.place, message, f"It has {', '.join(known) or 'none'}.")


def _node(steps: Iterable[Step], name: str) -> Step | None:
    """The step that is carried out under this name: its own, or that of one item of a loop."""
    for step in steps:
        base, _, index = name.rpartition(".")
        if step.for_each is None and step.name == name:
            return step
        if step.for_each is not None and step.name == base and index.isdigit() and int(index) < step.max_items:
            return step
    return None


def what_is_not_known_is_bounded(loaded: Loaded) -> Iterator[Problem]:
    """What comes from another step is held in by bounds; what no bounds could hold in does not come from there."""
    for index, step in enumerate(loaded.runbook.spec.steps):
        effect, place = ACTIONS[step.action].effect, ("spec", "steps", index)
        unknown = [w.place for w in arguments(index, step) if w.place[-1] not in RAW and any(w.yielded())]
        named = [where for where in unknown if effect == "patch" and where[-1] in _NAMING]
        if effect not in (None, "patch") or named:
            for where in named or unknown:
                message = "must be known when the plan is made, and comes from another step"
                yield loaded.source.problem(where, message, "Take it from target, parameters, pods or item.")
        uncertain = bool(unknown) or any(Written((), step.when or "", frozenset()).yielded())
        if effect == "patch" and uncertain and step.bounds is None:
            message = "another step decides what it writes, and nothing bounds that"
            yield loaded.source.problem(place, message, "Say in bounds what after may differ from before at most.")
        if effect != "patch" and step.bounds is not None:
            yield loaded.source.problem((*place, "bounds"), "bounds nothing: it patches no object", "Remove it.")


def plans_can_be_shown(loaded: Loaded) -> Iterator[Problem]:
    """With its loops unrolled a plan has as many steps as it may have."""
    steps = loaded.runbook.spec.steps
    most = sum(step.max_items if step.for_each else 1 for step in steps)
    if most > PLAN_STEPS:
        message = f"a plan could have {most} steps, more than {PLAN_STEPS}"
        yield loaded.source.problem(("spec", "steps"), message, "Lower maxItems, or split the runbook.")


def drains_are_cordoned(loaded: Loaded) -> Iterator[Problem]:
    """A node that is drained takes no new pods meanwhile."""
    spec = loaded.runbook.spec
    actions, before = {step.name: step.action for step in spec.steps}, needed(spec)
    for index, step in enumerate(spec.steps):
        if ACTIONS[step.action] is Drain and "cordon" not in {actions[name] for name in before[step.name]}:
            message = "drains a node that still takes new pods"
            place = ("spec", "steps", index, "action")
            yield loaded.source.problem(place, message, "Put a cordon step before it.")


def actions_fit_the_scope(loaded: Loaded) -> Iterator[Problem]:
    """Nodes are targets of cluster-scoped runbooks; pods and Jobs belong to a namespace."""
    spec = loaded.runbook.spec
    for index, step in enumerate(spec.steps):
        model = ACTIONS[step.action]
        place = ("spec", "steps", index, "action")
        if model in _ON_NODES and (spec.scope != "Cluster" or any(t.kind != "Node" for t in spec.targets)):
            yield loaded.source.problem(place, "acts on a Node", "Use scope: Cluster with Node as the only target.")
        if model not in _ON_NODES and model.effect and spec.scope == "Cluster":
            message = "is not for cluster-scoped targets"
            yield loaded.source.problem(place, message, "There a runbook cordons and drains; the API server says so.")


def effects_are_permitted(loaded: Loaded) -> Iterator[Problem]:
    """The runner may do what the steps do."""
    spec = loaded.runbook.spec
    granted = {(resource, verb) for rule in spec.permissions for resource in rule.resources for verb in rule.verbs}
    verbs = {verb for _, verb in granted}
    place = ("spec", "permissions")
    effects = {ACTIONS[step.action].effect for step in spec.steps}
    if "patch" in effects and not {"patch", "update"} & verbs:
        yield loaded.source.problem(place, "a step writes, but no rule allows it", "Grant patch on what it changes.")
    for effect, (resource, verb) in _POWERS.items():
        if effect in effects and (resource, verb) not in granted:
            message = f"a step needs to {verb} {resource}, but no rule allows it"
            yield loaded.source.problem(place, message, f"Grant {verb} on {resource}.")
    if any(ACTIONS[step.action] is Drain for step in spec.steps) and ("pods", "list") not in granted:
        yield loaded.source.problem(place, "a drain lists pods, but no rule allows it", "Grant list on pods.")
    if any(ACTIONS[step.action] in (CreateJob, RecreateJob) for step in spec.steps):
        yield from _job_powers(loaded, granted)


def _job_powers(loaded: Loaded, granted: set[tuple[str, str]]) -> Iterator[Problem]:
    place = ("spec", "permissions")
    if loaded.runbook.spec.undo == "OnFailure" and ("jobs", "delete") not in granted:
        yield loaded.source.problem(place, "undo deletes the Job, but no rule allows it", "Grant delete on jobs.")
    if ("pods/log", "get") not in granted:
        yield loaded.source.problem(place, "the Job's log is kept, but no rule allows it", "Grant get on pods/log.")


def waits_end(loaded: Loaded) -> Iterator[Problem]:
    """A wait looks at something that changes."""
    for index, step in enumerate(loaded.runbook.spec.steps):
        if ACTIONS[step.action] is Wait and step.with_.get("until", "").strip() in ("true", "false"):
            place = ("spec", "steps", index, "with", "until")
            yield loaded.source.problem(place, "does not look at the cluster", "Wait for something that changes.")
