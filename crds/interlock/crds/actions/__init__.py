"""The arguments of every action: what a runbook's author may write under `with`.

They belong to the contract so that lint and the operator judge a runbook by the same models without knowing each
other. Arguments are strings on the wire; `${…}` holds CEL that the operator evaluates when it plans the step, so a
value with an expression is judged only then, once it is known.
"""

from collections.abc import Mapping

from interlock.crds.actions.base import TEMPLATE, Arguments, EffectName, OnObject, is_structured
from interlock.crds.actions.jobs import CreateJob, RecreateJob
from interlock.crds.actions.looking import Assert, Manual, Wait
from interlock.crds.actions.objects import Annotate, JsonOperation, JsonPatch, Label, Patch
from interlock.crds.actions.pods import Cordon, DeletePod, Drain, EvictPod, RemoveTaint, Uncordon
from interlock.crds.actions.workloads import (
    RolloutPause,
    RolloutRestart,
    RolloutResume,
    RolloutUndo,
    Scale,
    SetImage,
    SetResources,
)

__all__ = [
    "ACTIONS",
    "RAW",
    "STRUCTURED",
    "TEMPLATE",
    "Annotate",
    "Arguments",
    "Assert",
    "Cordon",
    "CreateJob",
    "DeletePod",
    "Drain",
    "EffectName",
    "EvictPod",
    "JsonOperation",
    "JsonPatch",
    "Label",
    "Manual",
    "OnObject",
    "Patch",
    "RecreateJob",
    "RemoveTaint",
    "RolloutPause",
    "RolloutRestart",
    "RolloutResume",
    "RolloutUndo",
    "Scale",
    "SetImage",
    "SetResources",
    "Uncordon",
    "Wait",
]

ACTIONS: Mapping[str, type[Arguments]] = {
    "patch": Patch,
    "jsonPatch": JsonPatch,
    "label": Label,
    "annotate": Annotate,
    "scale": Scale,
    "setImage": SetImage,
    "setResources": SetResources,
    "rolloutRestart": RolloutRestart,
    "rolloutUndo": RolloutUndo,
    "rolloutPause": RolloutPause,
    "rolloutResume": RolloutResume,
    "deletePod": DeletePod,
    "evictPod": EvictPod,
    "cordon": Cordon,
    "uncordon": Uncordon,
    "removeTaint": RemoveTaint,
    "drain": Drain,
    "createJob": CreateJob,
    "recreateJob": RecreateJob,
    "wait": Wait,
    "assert": Assert,
    "manual": Manual,
}
"""Every action by the name that a runbook uses."""

RAW = frozenset({"until", "expression", "satisfies"})
"""Arguments that are CEL themselves: no template is looked for in them."""

STRUCTURED: frozenset[str] = frozenset(
    field.alias or name
    for model in ACTIONS.values()
    for name, field in model.model_fields.items()
    if is_structured(field)
)
"""Arguments that are YAML: expressions in them yield values, not text."""
