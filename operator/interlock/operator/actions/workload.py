"""Actions that set fields of a workload: replicas, a container's image or resources, and of a node: schedulable."""

import copy
from collections.abc import Mapping
from typing import Any

from interlock.crds import actions as contract
from interlock.operator.actions.base import ActionRefused
from interlock.operator.actions.patch import merged
from interlock.operator.actions.writing import Scene, Wanted, Write


class Scale(Write):
    """A number of replicas."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The workload with the wanted number of replicas."""
        replicas = contract.Scale.parse(arguments).replicas
        if "replicas" not in (scene.live.get("spec") or {}):
            raise ActionRefused(f"{scene.live.get('kind')} has no spec.replicas to set")
        return Wanted(merged(scene.live, {"spec": {"replicas": replicas}}))


class SetImage(Write):
    """One container's image."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The workload whose container has this image."""
        parsed = contract.SetImage.parse(arguments)
        body = copy.deepcopy(dict(scene.live))
        _container(body, parsed.container)["image"] = parsed.image
        return Wanted(body)


class SetResources(Write):
    """One container's requests and limits."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The workload whose container has these resources; those that are not named stay as they are."""
        parsed = contract.SetResources.parse(arguments)
        body = copy.deepcopy(dict(scene.live))
        container = _container(body, parsed.container)
        amounts = {"requests": dict(parsed.requests), "limits": dict(parsed.limits)}
        resources = merged(container.get("resources"), amounts)
        container["resources"] = {kind: named for kind, named in resources.items() if named}
        return Wanted(body)


def _container(workload: dict[str, Any], name: str) -> dict[str, Any]:
    spec = workload.get("spec") or {}
    if workload.get("kind") == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if "template" not in spec:
        raise ActionRefused(f"{workload.get('kind')} has no pod template")
    pod = spec["template"]["spec"]
    containers: list[dict[str, Any]] = [*pod["containers"], *(pod.get("initContainers") or ())]
    for container in containers:
        if container["name"] == name:
            return container
    known = ", ".join(container["name"] for container in containers)
    raise ActionRefused(f"container {name} does not exist; existing ones are {known}")


class Cordon(Write):
    """A node that takes no new pods."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The node, unschedulable."""
        contract.Cordon.parse(arguments)
        demand_node(scene.live, "cordon")
        return Wanted(merged(scene.live, {"spec": {"unschedulable": True}}))


class Uncordon(Write):
    """A node that takes pods again."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The node, schedulable."""
        contract.Uncordon.parse(arguments)
        demand_node(scene.live, "uncordon")
        return Wanted(merged(scene.live, {"spec": {"unschedulable": None}}))


class RemoveTaint(Write):
    """A node without one taint."""

    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """The node without the taints of this key."""
        key = contract.RemoveTaint.parse(arguments).key
        demand_node(scene.live, "removeTaint")
        kept = [taint for taint in scene.live["spec"].get("taints") or () if taint["key"] != key]
        return Wanted(merged(scene.live, {"spec": {"taints": kept or None}}))


def demand_node(live: Mapping[str, Any], action: str) -> None:
    """Raises ActionRefused for anything but a Node."""
    if live.get("kind") != "Node":
        raise ActionRefused(f"{action} is for a Node, not for a {live.get('kind')}")
