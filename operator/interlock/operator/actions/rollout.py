"""Actions on a workload's rollout: undo to an existing revision, restart, pause, resume."""

import copy
from collections.abc import Mapping
from typing import Any

from interlock.crds import actions as contract
from interlock.operator.actions.base import ActionRefused
from interlock.operator.actions.patch import merged
from interlock.operator.actions.writing import Scene, Wanted, Write
from interlock.operator.around import WORKLOADS, revision_number

_HASH_LABEL = "pod-template-hash"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


class RolloutUndo(Write):
    """The pod template of an existing revision, exactly, or one part of it."""

    needs = frozenset({"revisions"})

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The workload with what that revision had.

        Raises:
            ActionRefused: it has no revisions, it is paused, or there is no such revision.
        """
        parsed = contract.RolloutUndo.parse(arguments)
        if scene.live.get("kind") not in WORKLOADS:
            raise ActionRefused(f"rolloutUndo is for {', '.join(WORKLOADS)}, not for a {scene.live.get('kind')}")
        if scene.live["spec"].get("paused"):
            raise ActionRefused("the Deployment is paused: resume it, or nothing would be rolled out")
        listed = scene.variables["revisions"]
        revisions = listed if isinstance(listed, list) else []
        chosen, template = _chosen(parsed, template_of(scene.live), revisions)
        body = copy.deepcopy(dict(scene.live))
        kept = {} if parsed.part == "template" else body["spec"]["template"]
        body["spec"]["template"] = {**template, **{key: kept[key] for key in kept if key != "spec"}}
        note = f"to revision {revision_number(chosen)}"
        return Wanted(body, _origin(scene.live, revisions), _reference(chosen), note)


def _chosen(
    parsed: contract.RolloutUndo, current: Mapping[str, Any], revisions: list[Any]
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The revision to go back to, and the template that follows from it."""
    known = ", ".join(str(revision_number(r)) for r in revisions) or "none"
    if parsed.to_revision:
        found = next((r for r in revisions if revision_number(r) == parsed.to_revision), None)
        if found is None:
            raise ActionRefused(f"revision {parsed.to_revision} does not exist; existing ones are {known}")
        template = _with(parsed, current, template_of(found))
        if template == current:
            raise ActionRefused(f"revision {parsed.to_revision} has what runs already")
        return dict(found), template
    for revision in revisions:
        template = _with(parsed, current, template_of(revision))
        if template != current:
            return dict(revision), template
    raise ActionRefused(f"there is no other revision to go back to; existing ones are {known}")


def _with(parsed: contract.RolloutUndo, current: Mapping[str, Any], older: dict[str, Any]) -> dict[str, Any]:
    """The current template with what is to be put back from the older one."""
    if parsed.part == "template":
        return older
    template: dict[str, Any] = copy.deepcopy(dict(current))
    if parsed.part == "claims":
        _put_claims_back(template["spec"], older["spec"])
    else:
        _put_probes_back(template["spec"], older["spec"], parsed.container or "")
    return template


def _put_probes_back(spec: dict[str, Any], older: Mapping[str, Any], name: str) -> None:
    mine, its = ({c["name"]: c for c in pod["containers"]}.get(name) for pod in (spec, older))
    if mine is None:
        raise ActionRefused(f"container {name} does not exist")
    if its is None:
        return  # then nothing differs, and the revision is not chosen
    for probe in _PROBES:
        if probe in its:
            mine[probe] = its[probe]
        else:
            mine.pop(probe, None)


def _put_claims_back(spec: dict[str, Any], older: Mapping[str, Any]) -> None:
    claims = {v["name"]: v["persistentVolumeClaim"] for v in older.get("volumes") or () if "persistentVolumeClaim" in v}
    for volume in spec.get("volumes") or ():
        if "persistentVolumeClaim" in volume and volume["name"] in claims:
            volume["persistentVolumeClaim"]["claimName"] = claims[volume["name"]]["claimName"]


def template_of(owner: Mapping[str, Any]) -> dict[str, Any]:
    """The pod template of a workload or of one of its revisions, without what a controller adds to it."""
    holder = owner["data"] if owner.get("kind") == "ControllerRevision" else owner
    template: dict[str, Any] = copy.deepcopy(holder["spec"]["template"])
    template.pop("$patch", None)
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels.pop(_HASH_LABEL, None)
    (template.get("metadata") or {}).pop("creationTimestamp", None)
    return template


def _origin(live: Mapping[str, Any], revisions: Any) -> Mapping[str, str] | None:
    """The revision that keeps the template that is about to be replaced: undo finds secret values there."""
    for candidate in revisions:
        if template_of(candidate) == template_of(live):
            return _reference(candidate)
    return None


def _reference(revision: Mapping[str, Any]) -> Mapping[str, str]:
    meta = revision["metadata"]
    return {"apiVersion": "apps/v1", "kind": revision["kind"], "name": meta["name"], "uid": meta["uid"]}


class RolloutRestart(Write):
    """New pods by the workload's own strategy."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The workload with a template that differs only in the time of restart."""
        contract.RolloutRestart.parse(arguments)
        if "template" not in (scene.live.get("spec") or {}):
            raise ActionRefused(f"{scene.live.get('kind')} has no pod template to restart")
        if scene.live["spec"].get("paused"):
            raise ActionRefused("the rollout is paused: resume it, or nothing would be restarted")
        stamp = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: scene.made_at}}}}}
        return Wanted(merged(scene.live, stamp))


class RolloutPause(Write):
    """A Deployment that rolls nothing out."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The Deployment, paused."""
        contract.RolloutPause.parse(arguments)
        _demand_deployment(scene.live, "rolloutPause")
        return Wanted(merged(scene.live, {"spec": {"paused": True}}))


class RolloutResume(Write):
    """A Deployment that rolls out again."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The Deployment, not paused."""
        contract.RolloutResume.parse(arguments)
        _demand_deployment(scene.live, "rolloutResume")
        return Wanted(merged(scene.live, {"spec": {"paused": None}}))


def _demand_deployment(live: Mapping[str, Any], action: str) -> None:
    if live.get("kind") != "Deployment":
        raise ActionRefused(f"{action} is for a Deployment, not for a {live.get('kind')}")
