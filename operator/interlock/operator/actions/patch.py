"""Actions that set fields of one object: patch and scale."""

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from interlock.crds import actions as contract
from interlock.operator.actions.base import ActionRefused, Scene, Wanted


class Patch:
    """A merge patch on one object."""

    needs: frozenset[str] = frozenset()

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The object with the patch merged into it."""
        body = yaml.safe_load(contract.Patch.parse(arguments).merge)
        return Wanted(merged(scene.live, body))


class Scale:
    """A number of replicas."""

    needs: frozenset[str] = frozenset()

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The workload with the wanted number of replicas."""
        replicas = contract.Scale.parse(arguments).replicas
        if "replicas" not in (scene.live.get("spec") or {}):
            raise ActionRefused(f"{scene.live.get('kind')} has no spec.replicas to set")
        return Wanted(merged(scene.live, {"spec": {"replicas": replicas}}))


def merged(value: Any, patch: Any) -> Any:
    """The result of a merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(dict(value)) if isinstance(value, Mapping) else {}
    for key, content in patch.items():
        if content is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), content)
    return result
