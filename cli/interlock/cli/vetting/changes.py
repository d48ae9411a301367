"""Whether what was changed is what the plan said, and whether undoing it left nothing behind.

What the cluster's own controllers keep on an object beside what its owner wrote is nobody's change.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from interlock.cli.vetting.audit import Request
from interlock.crds.actions import ACTIONS
from interlock.crds.execution import Change, Plan, PlannedStep
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.operator.changes import allowed, differences, pointer, segments, shown

Objects = Mapping[str, Mapping[str, Any] | None]
"""Objects by "Kind/name"; None for one that is not there."""

_COUNTED = frozenset(
    {LAST_STEP_ANNOTATION, "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"}
)
_NODES_OWN = "node.kubernetes.io/"


def kept_by_its_owner(live: Mapping[str, Any]) -> dict[str, Any]:
    """An object without status, without what the API server and controllers account for, and without our marker."""
    meta = live.get("metadata") or {}
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in _COUNTED}
    rest = {k: v for k, v in live.items() if k not in {"status", "metadata", "apiVersion", "kind"}}
    if live.get("kind") == "Node" and isinstance(spec := rest.get("spec"), dict):
        taints = [taint for taint in spec.get("taints") or () if not taint["key"].startswith(_NODES_OWN)]
        rest["spec"] = {k: v for k, v in spec.items() if k != "taints"} | ({"taints": taints} if taints else {})
    labels = meta.get("labels") or {}
    kept = ({"labels": labels} if labels else {}) | ({"annotations": annotations} if annotations else {})
    return rest | ({"metadata": kept} if kept else {})


def unlike_the_plan(plan: Plan, steps: frozenset[str], before: Objects, after: Objects, key: bytes) -> Iterator[str]:
    """Where the objects that steps of the plan patched differ from what it said, in words."""
    patched: dict[str, list[PlannedStep]] = {}
    for step in plan.steps:
        if step.name in steps and step.object is not None and ACTIONS[step.action].effect == "patch":
            patched.setdefault(f"{step.object.kind}/{step.object.name}", []).append(step)
    for name, planned in patched.items():
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield f"plan: {name} is gone"
            continue
        leaves = differences(kept_by_its_owner(old), kept_by_its_owner(new))
        yield from _unlike(name, planned, shown(leaves, key))


def _unlike(name: str, planned: Sequence[PlannedStep], changed: Sequence[Change]) -> Iterator[str]:
    said: dict[str, Change] = {}
    for change in (change for step in planned for change in step.changes):
        if not change.path.startswith("/metadata/annotations/") or segments(change.path)[-1] not in _COUNTED:
            first = said.get(change.path)
            said[change.path] = Change(
                path=change.path, before=first.before if first else change.before, after=change.after
            )
    deferred = [path for step in planned for path in step.deferred or ()]
    found = {change.path: change for change in changed}
    for path in sorted(said.keys() | found.keys()):
        if path in said and path not in found:
            if said[path].before != said[path].after and not allowed(segments(path), deferred):
                yield f"plan: {name} {path} was to become {said[path].after}, and did not change"
        elif path not in said:
            if not allowed(segments(path), deferred):
                yield f"plan: {name} {path} became {found[path].after}, of which the plan says nothing"
        elif found[path].after != said[path].after and not allowed(segments(path), deferred):
            yield f"plan: {name} {path} became {found[path].after} instead of {said[path].after}"


def beyond_the_plan(
    plan: Plan, steps: frozenset[str], requests: Iterable[Request], plurals: Mapping[str, str]
) -> Iterator[str]:
    """What the runner did to objects that the plan does not name, and what of it the runner did not do, in words."""
    did = {request.effect for request in requests if request.wrote}
    must: set[str] = set()
    may: set[str] = set()
    for step in plan.steps:
        if step.name not in steps:
            continue
        effect = ACTIONS[step.action].effect
        if effect == "patch" and step.object is not None:
            must.add(f"patch {plurals[step.object.kind]} {step.object.name}")
        elif effect == "create":
            must |= {what for what in did if what.startswith(("create jobs", "delete jobs"))} or {"create jobs"}
        else:
            named = [segments(change.path)[-1].rpartition("/")[2] for change in step.changes]
            verb = "delete pods" if effect == "delete" else "create pods/eviction"
            may |= {f"{verb} {name}" for name in named}
    for extra in sorted(did - must - may):
        yield f"plan: the runner did {extra!r}, of which the plan says nothing"
    for missing in sorted(must - did):
        yield f"plan: the audit log shows no {missing!r} of the runner"


def not_restored(before: Objects, after: Objects, names: Iterable[str], told_as: str = "undo") -> Iterator[str]:
    """Where objects are not as they were before the runbook, in words."""
    for name in sorted(set(names)):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            if old is not new:
                yield f"{told_as}: {name} is {'there now' if old is None else 'gone'}"
            continue
        for leaf in differences(kept_by_its_owner(old), kept_by_its_owner(new)):
            was, now = (json.dumps(value, default=str)[:120] for value in (leaf.before, leaf.after))
            yield f"{told_as}: {name} {pointer(leaf.path)} is {now}, and was {was}"
