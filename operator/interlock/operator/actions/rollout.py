"""Actions on a workload's rollout: undo to an existing revision, restart, pause, resume."""

import copy
from collections.abc import Mapping
from typing import Any

from interlock.crds import actions as contract
from interlock.operator.actions.base import ActionRefused
from interlock.operator.actions.patch import merged
from interlock.operator.actions.writing import Scene, Wanted, Write
from interlock.operator.look import revision_number

_HASH_LABEL = "pod-template-hash"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


class RolloutUndo(Write):
    """The pod template of an existing revision, exactly."""

    needs = frozenset({"revisions"})

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The Deployment with that revision's template.

        Raises:
            ActionRefused: it is no Deployment, it is paused, or there is no such revision.
        """
        parsed = contract.RolloutUndo.parse(arguments)
        _demand_deployment(scene.live, "rolloutUndo")
        if scene.live["spec"].get("paused"):
            raise ActionRefused("the Deployment is paused: resume it, or nothing would be rolled out")
        revisions = scene.variables["revisions"]
        chosen = _revision(parsed.to_revision, scene.live, revisions if isinstance(revisions, list) else [])
        body = copy.deepcopy(dict(scene.live))
        body["spec"]["template"] = _template(chosen)
        number = revision_number(chosen)
        return Wanted(body, _origin(scene.live, revisions), f"to revision {number}")


def _revision(wanted: int, live: Mapping[str, Any], revisions: list[Any]) -> Mapping[str, Any]:
    current = _template(live)
    known = ", ".join(str(revision_number(r)) for r in revisions) or "none"
    if wanted:
        found = next((r for r in revisions if revision_number(r) == wanted), None)
        if found is None:
            raise ActionRefused(f"revision {wanted} does not exist; existing ones are {known}")
        if _template(found) == current:
            raise ActionRefused(f"revision {wanted} is the one that runs already")
        return dict(found)
    older = [r for r in revisions if _template(r) != current]
    if not older:
        raise ActionRefused(f"there is no other revision to go back to; existing ones are {known}")
    return dict(older[0])


def _template(owner: Mapping[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = copy.deepcopy(owner["spec"]["template"])
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels.pop(_HASH_LABEL, None)
    (template.get("metadata") or {}).pop("creationTimestamp", None)
    return template


def _origin(live: Mapping[str, Any], revisions: Any) -> Mapping[str, str] | None:
    """The ReplicaSet that keeps the template that is about to be replaced: undo finds secret values there."""
    for candidate in revisions:
        if _template(candidate) == _template(live):
            meta = candidate["metadata"]
            return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": meta["name"], "uid": meta["uid"]}
    return None


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
