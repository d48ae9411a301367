"""The actions: typed atoms from which every runbook is made.

A writing action says what an object should become; a looking action says what must hold. Everything else (dry run,
condition, marker, probe, undo) is the same for all of them and stands in `steps`.
"""

from collections.abc import Mapping

from interlock.operator.actions.base import Looking, Writing
from interlock.operator.actions.looking import Assert, Wait
from interlock.operator.actions.patch import Patch, Scale
from interlock.operator.actions.rollout import RolloutRestart, RolloutUndo

ACTIONS: Mapping[str, Writing | Looking] = {
    "patch": Patch(),
    "scale": Scale(),
    "rolloutUndo": RolloutUndo(),
    "rolloutRestart": RolloutRestart(),
    "wait": Wait(),
    "assert": Assert(),
}
"""What carries out each action of the contract, by its name."""
