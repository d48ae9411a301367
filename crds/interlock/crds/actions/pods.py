"""Actions that take pods away, and those on the node under them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from interlock.crds.actions.base import Arguments
from interlock.crds.types import SUBDOMAIN_PATTERN

PodName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN)]


class DeletePod(Arguments):
    """Deletes one pod that has a controller."""

    summary = "Deletes one pod, whose controller makes a new one."
    example = """
name: delete
action: deletePod
forEach: pods.filter(p, condition(p, 'Ready') == 'False').map(p, p.metadata.name)
maxItems: 3
with:
  name: ${item}
"""
    notes = (
        "A pod without a controller is refused: nobody would make it again. A deletion asks no"
        " PodDisruptionBudget: prefer evictPod."
    )
    effect = "delete"
    name: PodName = Field(description="Name of the pod, in the target's namespace.")


class EvictPod(Arguments):
    """Evicts one pod that has a controller."""

    summary = "Evicts one pod as soon as its PodDisruptionBudget allows it; its controller makes a new one."
    example = """
name: evict
action: evictPod
with:
  name: ${parameters.pod}
timeoutSeconds: 600
"""
    notes = "It waits, at most for the step's timeout, for the budget and then until the pod is gone."
    effect = "evict"
    name: PodName = Field(description="Name of the pod, in the target's namespace.")


class Cordon(Arguments):
    """Keeps new pods off the target, a Node."""

    summary = "Marks the target, a Node, as unschedulable."
    example = """
name: cordon
action: cordon
"""


class Uncordon(Arguments):
    """Lets pods onto the target, a Node, again."""

    summary = "Marks the target, a Node, as schedulable again."
    example = """
name: uncordon
action: uncordon
"""


TaintKey = Annotated[
    str,
    StringConstraints(
        max_length=317,
        pattern=r"^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
    ),
]


class RemoveTaint(Arguments):
    """Lets pods that do not tolerate it onto the target, a Node."""

    summary = "Removes the taints of one key from the target, a Node."
    example = """
name: untaint
action: removeTaint
with:
  key: ${parameters.key}
"""
    notes = (
        "A taint that drives pods away (NoExecute), one of Kubernetes' own and one of an autoscaler stay: the API"
        " server refuses their removal, and lets no family but remove-taint remove any."
    )
    key: TaintKey = Field(description="Key of the taints, whatever their value and effect.")


class Drain(Arguments):
    """Evicts all pods of the target, a Node."""

    summary = "Evicts the pods of the target, a Node, as their PodDisruptionBudgets allow it."
    example = """
name: drain
action: drain
timeoutSeconds: 1800
"""
    notes = (
        "A step before it must cordon the node. Pods of DaemonSets, static and finished ones stay. It is refused when a"
        " pod has no controller, keeps data in an emptyDir, belongs to a namespace that has not opted in, or when there"
        " are more than 32 pods. A step that runs into its timeout has evicted some of them."
    )
    effect = "evict"
    delete_empty_dir_data: Literal["true", "false"] = Field(
        default="false", description="Whether pods may lose what they keep in an emptyDir."
    )
