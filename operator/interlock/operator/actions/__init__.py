"""The actions: typed atoms from which every runbook is made.

Each plans by itself. What it plans is one of four kinds of effect, and these are the same for all of them: how it is
applied once, how one finds out afterwards whether it was, and how it is undone.
"""

from collections.abc import Mapping

from interlock.crds.actions import EffectName
from interlock.operator.actions.base import Action, Effect
from interlock.operator.actions.deletion import Deletion
from interlock.operator.actions.jobs import CreateJob, Creation
from interlock.operator.actions.looking import Assert, Manual, Wait
from interlock.operator.actions.patch import Annotate, JsonPatch, Label, Patch
from interlock.operator.actions.pods import DeletePod, Drain, Eviction, EvictPod
from interlock.operator.actions.recreation import RecreateJob
from interlock.operator.actions.rollout import RolloutPause, RolloutRestart, RolloutResume, RolloutUndo
from interlock.operator.actions.workload import Cordon, RemoveTaint, Scale, SetImage, SetResources, Uncordon
from interlock.operator.actions.writing import Patching

ACTIONS: Mapping[str, Action] = {
    "patch": Patch(),
    "jsonPatch": JsonPatch(),
    "label": Label(),
    "annotate": Annotate(),
    "scale": Scale(),
    "setImage": SetImage(),
    "setResources": SetResources(),
    "rolloutRestart": RolloutRestart(),
    "rolloutUndo": RolloutUndo(),
    "rolloutPause": RolloutPause(),
    "rolloutResume": RolloutResume(),
    "deletePod": DeletePod(),
    "evictPod": EvictPod(),
    "cordon": Cordon(),
    "uncordon": Uncordon(),
    "removeTaint": RemoveTaint(),
    "drain": Drain(),
    "createJob": CreateJob(),
    "recreateJob": RecreateJob(),
    "wait": Wait(),
    "assert": Assert(),
    "manual": Manual(),
}
"""What carries out each action of the contract, by its name."""

EFFECTS: Mapping[EffectName, Effect] = {
    "patch": Patching(),
    "delete": Deletion(),
    "evict": Eviction(),
    "create": Creation(),
}
"""What carries out each kind of effect, by the name that stands in its intents."""
