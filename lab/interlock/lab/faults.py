"""Faults to inject: each a change that a person would make, by kubectl, and the change that takes it back.

The same person makes it who would make it in a real team: a developer in the namespace, or the platform's owner.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from interlock.lab.errors import LabError
from interlock.lab.kubectl import Kubectl, administrator, developer
from interlock.lab.lab import Lab
from interlock.lab.nodes.halting import halt, resume

Command = tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """A fault of the demo shop, how it is made, and what it should set off."""

    name: str
    title: str
    does: str
    """What changes, in a sentence."""
    alerts: tuple[str, ...]
    """Alerts that fire for it, the most telling first."""
    breaks: tuple[Command, ...]
    mends: tuple[Command, ...]
    by: Literal["developer", "platform"] = "developer"
    lab_only: bool = False
    """Makes sense on a lab only; on real nodes it is made by `halts` instead."""
    halts: str | None = None
    """The node whose kubelet is stopped, where it has a real one, and goes on when the fault is taken back."""


def find_fault(name: str) -> Fault:
    """The fault of that name; raises LabError that lists the names there are."""
    if name not in FAULTS:
        raise LabError(f"there is no fault {name!r}; choose one of: {', '.join(FAULTS)}")
    return FAULTS[name]


def inject(lab: Lab, fault: Fault, namespace: str = "shop") -> list[str]:
    """Breaks the shop of a lab and returns what was said to each change; raises LabError with kubectl's words."""
    if fault.halts and lab.description.real_nodes:
        return [halt(lab.directory, fault.halts)]
    return change(person(lab, fault), fault.breaks, namespace)


def repair(lab: Lab, fault: Fault, namespace: str = "shop") -> list[str]:
    """Takes a fault back and returns what was said to each change; raises LabError with kubectl's words."""
    if fault.halts and lab.description.real_nodes:
        return [resume(lab.directory, fault.halts)]
    return change(person(lab, fault), fault.mends, namespace)


def change(kubectl: Kubectl, commands: tuple[Command, ...], namespace: str) -> list[str]:
    """Makes the changes one after the other and returns what kubectl said to each."""
    return [kubectl.run("--namespace", namespace, *command).strip() for command in commands]


def person(lab: Lab, fault: Fault) -> Kubectl:
    """Who makes this mistake."""
    return developer(lab) if fault.by == "developer" else administrator(lab)


def _image(deployment: str, tag: str) -> Command:
    return ("set", "image", f"deployment/{deployment}", f"{deployment}=registry.example/shop/{deployment}:{tag}")


def _report(tag: str) -> Command:
    return ("set", "image", "cronjob/report", f"report=registry.example/shop/report:{tag}")


def _pod_patch(deployment: str, pod_spec: dict[str, Any]) -> Command:
    patch = {"spec": {"template": {"spec": pod_spec}}}
    return ("patch", "deployment", deployment, "--type=strategic", "--patch", json.dumps(patch))


def _container_patch(deployment: str, fields: dict[str, Any]) -> Command:
    return _pod_patch(deployment, {"containers": [{"name": deployment, **fields}]})


def _memory(deployment: str, request: str, limit: str) -> Command:
    amounts = (f"--requests=memory={request}", f"--limits=memory={limit}")
    return ("set", "resources", f"deployment/{deployment}", *amounts)


def _scale(deployment: str, replicas: int) -> Command:
    return ("scale", f"deployment/{deployment}", f"--replicas={replicas}")


def _variable(deployment: str, name: str, source: dict[str, Any]) -> tuple[Command, Command]:
    added = {"env": [{"name": name, "valueFrom": source}]}
    removed = {"env": [{"name": name, "$patch": "delete"}]}
    return _container_patch(deployment, added), _container_patch(deployment, removed)


_CURRENCY = _variable("catalogue", "CURRENCY", {"configMapKeyRef": {"name": "shop-settings", "key": "CURRENCY"}})
_SIGNING_KEY = _variable("payments", "SIGNING_KEY", {"secretKeyRef": {"name": "payments-signing", "key": "key"}})

FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            name="crash-after-change",
            title="A new version crashes at its start",
            does="rolls checkout out at 1.5.0, which needs a setting that nobody made, and says so in its log",
            alerts=("KubePodCrashLooping", "KubeDeploymentRolloutStuck"),
            breaks=(_image("checkout", "1.5.0"),),
            mends=(_image("checkout", "1.4.2"),),
        ),
        Fault(
            name="crash-by-bug",
            title="A new version panics",
            does="rolls catalogue out at 0.9.5, whose migration panics with a stack trace",
            alerts=("KubePodCrashLooping", "KubeDeploymentRolloutStuck"),
            breaks=(_image("catalogue", "0.9.5"),),
            mends=(_image("catalogue", "0.9.4"),),
        ),
        Fault(
            name="image-not-found",
            title="An image tag with a typo",
            does="rolls frontend out at 2.30, a tag that was never pushed",
            alerts=("KubeContainerWaiting", "KubeDeploymentRolloutStuck"),
            breaks=(_image("frontend", "2.30"),),
            mends=(_image("frontend", "2.3.0"),),
        ),
        Fault(
            name="probe-failing",
            title="A readiness probe that asks the wrong path",
            does="changes the readiness probe of catalogue to a path that it does not serve",
            alerts=("KubePodNotReady", "KubeDeploymentRolloutStuck"),
            breaks=(_container_patch("catalogue", {"readinessProbe": {"httpGet": {"path": "/ready"}}}),),
            mends=(_container_patch("catalogue", {"readinessProbe": {"httpGet": {"path": "/readyz"}}}),),
        ),
        Fault(
            name="liveness-wrong",
            title="A liveness probe on a port that nobody listens on",
            does="moves the liveness probe of frontend to port 9090, so that the kubelet restarts it for ever",
            alerts=("KubePodCrashLooping",),
            breaks=(_container_patch("frontend", {"livenessProbe": {"httpGet": {"port": 9090}}}),),
            mends=(_container_patch("frontend", {"livenessProbe": {"httpGet": {"port": "http"}}}),),
        ),
        Fault(
            name="config-missing",
            title="A setting that is not in the ConfigMap",
            does="makes catalogue read CURRENCY from shop-settings, which has no such key",
            alerts=("KubeContainerWaiting", "KubeDeploymentRolloutStuck"),
            breaks=(_CURRENCY[0],),
            mends=(_CURRENCY[1],),
        ),
        Fault(
            name="secret-missing",
            title="A Secret that nobody created",
            does="makes payments read SIGNING_KEY from a Secret payments-signing that does not exist",
            alerts=("KubeContainerWaiting", "KubeDeploymentRolloutStuck"),
            breaks=(_SIGNING_KEY[0],),
            mends=(_SIGNING_KEY[1],),
        ),
        Fault(
            name="memory-limit-too-low",
            title="A memory limit below what the program needs",
            does="lowers the memory limit of payments to 96Mi",
            alerts=("KubeContainerOOMKilled", "KubePodCrashLooping"),
            breaks=(_memory("payments", "96Mi", "96Mi"),),
            mends=(_memory("payments", "192Mi", "256Mi"),),
        ),
        Fault(
            name="scaled-to-zero",
            title="A service scaled to nothing",
            does="scales checkout to 0 replicas",
            alerts=("KubeDeploymentScaledToZero",),
            breaks=(_scale("checkout", 0),),
            mends=(_scale("checkout", 2),),
        ),
        Fault(
            name="unschedulable",
            title="Pods that fit no node",
            does="makes catalogue ask for nodes with the label disk=nvme, of which there are none",
            alerts=("KubePodUnschedulable", "KubeDeploymentRolloutStuck"),
            breaks=(_pod_patch("catalogue", {"nodeSelector": {"disk": "nvme"}}),),
            mends=(_pod_patch("catalogue", {"nodeSelector": None}),),
        ),
        Fault(
            name="quota-exceeded",
            title="A quota that is too small for the load",
            does="allows the namespace 11 pods and scales catalogue to 6",
            alerts=("KubeQuotaExceeded", "KubeDeploymentReplicaFailure"),
            breaks=(("create", "quota", "team", "--hard=pods=11"), _scale("catalogue", 6)),
            mends=(("delete", "quota", "team", "--ignore-not-found"), _scale("catalogue", 2)),
            by="platform",
        ),
        Fault(
            name="job-failed",
            title="A Job that fails",
            does="moves the report to version 1.0.3, whose template is missing, and starts it by hand",
            alerts=("KubeJobFailed",),
            breaks=(_report("1.0.3"), ("create", "job", "report-by-hand", "--from=cronjob/report")),
            mends=(_report("1.0.2"), ("delete", "job", "report-by-hand", "--ignore-not-found")),
        ),
        Fault(
            name="node-down",
            title="A node that is gone",
            does="switches node-1 off: its lease is no longer renewed, its pods hang until they are evicted",
            alerts=("KubeNodeNotReady",),
            breaks=(("label", "node", "node-1", "type-"),),
            mends=(("label", "node", "node-1", "type=kwok", "--overwrite"),),
            by="platform",
            lab_only=True,
            halts="node-1",
        ),
    )
}
