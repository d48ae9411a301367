"""Actions that change fields of any one object."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from interlock.crds.actions.base import FROM_YAML, OnObject
from interlock.crds.types import Model, Path

_SERVED = frozenset({"apiVersion", "kind", "status"})
_KEY = re.compile(r"(?:[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")
_CONTROLLERS = frozenset({"pod-template-hash", "controller-revision-hash", "controller-uid", "job-name"})


class Patch(OnObject):
    """Changes an object by a merge patch."""

    summary = "Merge patch (RFC 7386) on one object."
    example = """
name: raise-the-limit
action: patch
with:
  merge: |
    spec:
      minReadySeconds: ${parameters.seconds}
"""
    merge: Annotated[dict[str, Any], FROM_YAML] = Field(min_length=1, description="The patch, as YAML.")

    @field_validator("merge")
    @classmethod
    def _of_spec_or_metadata(cls, body: dict[str, Any]) -> dict[str, Any]:
        if unexpected := set(body) & _SERVED:
            raise ValueError(f"may not change {', '.join(sorted(unexpected))}")
        return body


class JsonOperation(Model):
    """One operation of a JSON patch (RFC 6902)."""

    op: Literal["add", "replace", "remove", "test"]
    path: Path
    value: Any = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.path.startswith("/"):
            raise ValueError(f"path {self.path!r} is no JSON Pointer: it begins with /")
        if self.path.split("/")[1] in _SERVED and self.op != "test":
            raise ValueError(f"may not change {self.path.split('/')[1]}")
        if (self.op == "remove") == ("value" in self.model_fields_set):
            raise ValueError(f"{self.op} takes {'no' if self.op == 'remove' else 'a'} value")
        return self


class JsonPatch(OnObject):
    """Changes an object by a JSON patch."""

    summary = "JSON patch (RFC 6902) on one object: add, replace, remove and test."
    example = """
name: drop-the-flag
action: jsonPatch
with:
  ops: |
    - {op: test, path: /spec/template/spec/containers/0/name, value: web}
    - {op: replace, path: /spec/template/spec/containers/0/args, value: [--safe]}
"""
    notes = "A `test` that fails, or a path that does not exist, refuses the step before anything is changed."
    ops: Annotated[list[JsonOperation], FROM_YAML] = Field(
        min_length=1, max_length=32, description="The operations, as a YAML list."
    )


def _judged(keys: dict[str, str | None]) -> dict[str, str | None]:
    for key in keys:
        domain = key.partition("/")[0] if "/" in key else ""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of a label or annotation")
        if domain in ("interlock.dev", "kubernetes.io", "k8s.io") or domain.endswith(
            (".interlock.dev", ".kubernetes.io", ".k8s.io")
        ):
            raise ValueError(f"{key!r} belongs to Kubernetes or Interlock: choose a key of your own domain")
        if key in _CONTROLLERS:
            raise ValueError(f"{key!r} belongs to a controller")
    return keys


class Label(OnObject):
    """Sets and removes labels of an object itself, not of its pods."""

    summary = "Sets and removes labels of one object."
    example = """
name: mark
action: label
with:
  labels: "{quarantined: 'true', canary: null}"
"""
    labels: Annotated[dict[str, str | None], FROM_YAML] = Field(
        min_length=1, max_length=16, description="Labels, as a YAML mapping; null removes one."
    )

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: dict[str, str | None]) -> dict[str, str | None]:
        if wrong := sorted(key for key, value in labels.items() if value and not _VALUE.fullmatch(value)):
            raise ValueError(f"{labels[wrong[0]]!r} is no value of a label")
        return _judged(labels)


class Annotate(OnObject):
    """Sets and removes annotations of an object itself, not of its pods."""

    summary = "Sets and removes annotations of one object."
    example = """
name: note
action: annotate
with:
  annotations: "{example.com/last-incident: '${parameters.incident}'}"
"""
    annotations: Annotated[dict[str, str | None], FROM_YAML] = Field(
        min_length=1, max_length=16, description="Annotations, as a YAML mapping; null removes one."
    )

    @field_validator("annotations")
    @classmethod
    def _are_annotations(cls, annotations: dict[str, str | None]) -> dict[str, str | None]:
        return _judged(annotations)
