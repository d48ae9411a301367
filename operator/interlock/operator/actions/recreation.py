"""The action that runs a Job once more: a Job cannot be changed, so a copy of it is created."""

import copy
from collections.abc import Mapping
from typing import Any

from interlock.crds import actions as contract
from interlock.crds.names import COPY_OF_ANNOTATION, EXECUTION_UID_LABEL, LAST_STEP_ANNOTATION
from interlock.operator.actions.base import Action, ActionRefused, Means, Turn
from interlock.operator.actions.jobs import creating, job_name
from interlock.operator.api import Object
from interlock.operator.prepared import Prepared, marker

NAME_LENGTH = 63
_KEPT_SECONDS = 86400
_CONTROLLERS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
_NOT_COPIED = ("selector", "manualSelector", "suspend", "managedBy")


class RecreateJob(Action):
    """Runs the target once more."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The copy, by the API server's own dry run."""
        contract.RecreateJob.parse(turn.arguments)
        live = await turn.subject.view.live()
        if live["kind"] != "Job":
            raise ActionRefused(f"recreateJob is for a Job, not for a {live['kind']}")
        job = copied(live, turn)
        chosen = [("/metadata/name", job["metadata"]["name"]), ("/spec", job["spec"])]
        return await creating(means, turn, job, chosen)


def copied(live: Mapping[str, Any], turn: Turn) -> Object:
    """The copy of a Job: its spec without what its controller and its first run left in it, and without a token."""
    execution, name = turn.subject.execution, live["metadata"]["name"]
    spec = {key: copy.deepcopy(value) for key, value in live["spec"].items() if key not in _NOT_COPIED}
    spec["activeDeadlineSeconds"] = turn.node.step.timeout_seconds
    spec.setdefault("ttlSecondsAfterFinished", _KEPT_SECONDS)
    template = spec["template"]
    template["metadata"] = {**template["metadata"], "labels": _labels(template["metadata"], execution.uid)}
    template["spec"]["automountServiceAccountToken"] = False
    suffix = job_name(execution, turn.node.name).rpartition("-")[2]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{name[: NAME_LENGTH - len(suffix) - 1]}-{suffix}",
            "namespace": live["metadata"]["namespace"],
            "labels": _labels(live["metadata"], execution.uid),
            "annotations": {
                LAST_STEP_ANNOTATION: marker(execution, turn.node.name, turn.attempt),
                COPY_OF_ANNOTATION: live["metadata"]["uid"],
            },
        },
        "spec": spec,
    }


def _labels(metadata: Mapping[str, Any], execution: str) -> dict[str, str]:
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in _CONTROLLERS}
    return {**labels, EXECUTION_UID_LABEL: execution}
