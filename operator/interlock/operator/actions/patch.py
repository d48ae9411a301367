"""Actions that set fields of any one object: patch, JSON patch, label, annotate."""

import copy
from collections.abc import Mapping
from typing import Any

from interlock.crds import actions as contract
from interlock.operator.actions.base import ActionRefused
from interlock.operator.actions.writing import Scene, Wanted, Write
from interlock.operator.patches import NotApplicable, patched


class Patch(Write):
    """A merge patch on one object."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The object with the patch merged into it."""
        return Wanted(merged(scene.live, contract.Patch.parse(arguments).merge))


class JsonPatch(Write):
    """A JSON patch on one object."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The object with all operations applied."""
        try:
            return Wanted(patched(scene.live, contract.JsonPatch.parse(arguments).ops))
        except NotApplicable as refused:
            raise ActionRefused(str(refused)) from refused


class Label(Write):
    """Labels of one object."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The object with these labels set, and those that are null removed."""
        return Wanted(merged(scene.live, {"metadata": {"labels": contract.Label.parse(arguments).labels}}))


class Annotate(Write):
    """Annotations of one object."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The object with these annotations set, and those that are null removed."""
        annotations = contract.Annotate.parse(arguments).annotations
        return Wanted(merged(scene.live, {"metadata": {"annotations": annotations}}))


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
