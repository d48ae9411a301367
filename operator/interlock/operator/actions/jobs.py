"""The action that creates a Job, and the creation itself: once, by a name that only this step of this execution has."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from interlock.crds import actions as contract
from interlock.crds.execution import Change, PlannedStep, RunbookExecution
from interlock.crds.names import EXECUTION_UID_LABEL, LAST_STEP_ANNOTATION
from interlock.crds.redact import safe_message
from interlock.operator.actions.base import Action, ActionRefused, Effect, Means, Turn, only_known
from interlock.operator.actions.deletion import deletion_intent
from interlock.operator.api import Object
from interlock.operator.changes import UndoConflict, show
from interlock.operator.errors import ApiError, Conflict
from interlock.operator.prepared import (
    Acted,
    Intent,
    Prepared,
    Probe,
    Settled,
    Subject,
    Waiting,
    identity,
    marker,
    marks_of,
    place_of,
    planned_step,
)
from interlock.operator.runner import NoRunner

LOG_BYTES = 1024
_LOG_LINES = 50
_CONTAINER = "job"


class CreateJob(Action):
    """Runs a program to its end."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The whole Job, by the API server's own dry run."""
        only_known(turn)
        execution = turn.subject.execution
        if execution.spec.target.namespace is None:
            raise ActionRefused("a Job needs a namespace, and a cluster-scoped target has none")
        job = _job(contract.CreateJob.parse(turn.arguments), turn)
        return await creating(means, turn, job, _shown(job))


async def creating(means: Means, turn: Turn, job: Object, chosen: Sequence[tuple[str, JsonValue]]) -> Prepared:
    """A Job that would be created, of which the plan shows what was chosen.

    Raises:
        ActionRefused: there is one of that name.
        ApiError: the API server refuses it.
    """
    execution, node = turn.subject.execution, turn.node
    path = await means.api.path("batch/v1", "Job", execution.spec.target.namespace)
    runner = await means.runners.runner(execution)
    try:
        await runner.api.create(path, job, dry_run=True)
    except Conflict as exists:
        raise ActionRefused(str(exists)) from exists
    intent: dict[str, JsonValue] = {
        "writes": True,
        "effect": "create",
        "object": place_of(job),
        "credential": runner.credential,
    }
    changes = [Change(path=where, after=show(("value",), value, means.key)) for where, value in chosen]
    return Prepared(planned_step(node, changes=changes, note=node.step.description), intent, path, job)


def job_name(execution: RunbookExecution, step: str) -> str:
    """The one name that the Job of a step has, at most 63 characters: whatever is tried again meets the same Job."""
    digest = hashlib.sha256(f"{execution.uid}/{step}".encode()).hexdigest()
    return f"{step.replace('.', '-')}-{digest[:12]}"


def _job(given: contract.CreateJob, turn: Turn) -> Object:
    execution, step = turn.subject.execution, turn.node.step
    labels = {EXECUTION_UID_LABEL: execution.uid}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(execution, turn.node.name),
            "namespace": execution.spec.target.namespace,
            "labels": labels,
            "annotations": {LAST_STEP_ANNOTATION: marker(execution, turn.node.name, turn.attempt)},
        },
        "spec": {
            "activeDeadlineSeconds": step.timeout_seconds,
            "backoffLimit": given.retries,
            "ttlSecondsAfterFinished": given.keep_seconds,
            "template": {"metadata": {"labels": labels}, "spec": _pod(given)},
        },
    }


def _pod(given: contract.CreateJob) -> Object:
    container: Object = {
        "name": _CONTAINER,
        "image": given.image,
        "env": [{"name": name, "value": value} for name, value in given.env.items()],
        "resources": {"requests": dict(given.requests), "limits": dict(given.limits)},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    container |= {key: words for key, words in (("command", given.command), ("args", given.args)) if words}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }


def _shown(job: Object) -> list[tuple[str, JsonValue]]:
    """What of the Job was chosen; the rest is the same for every Job of a runbook."""
    spec = job["spec"]
    container = spec["template"]["spec"]["containers"][0]
    named = ("image", "command", "args", "env", "resources")
    return [
        ("/metadata/name", job["metadata"]["name"]),
        *((f"/spec/{key}", spec[key]) for key in ("activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")),
        *(
            (f"/spec/template/spec/containers/[name={_CONTAINER}]/{key}", container[key])
            for key in named
            if container.get(key)
        ),
    ]


class Creation(Effect):
    """The creation of a Job."""

    async def apply(self, means: Means, execution: RunbookExecution, ready: Prepared) -> Acted:
        """Creates it; of two equal attempts the name lets one win, and the other finds the Job by its mark."""
        runner = await means.acting_as(execution)
        created = await runner.create(ready.path, ready.body)
        return Acted({"uid": created["metadata"]["uid"]})

    async def probe(self, means: Means, intent: Intent, ours: Callable[[str], bool]) -> Probe:
        """Our mark is on the Job; a Job of that name without it is not ours, and ours can then not be created."""
        live = await _find(means, intent)
        return "happened" if live is not None and ours(_mark(live)) else "not"

    async def settle(self, means: Means, subject: Subject, intent: Intent) -> Settled | Waiting:
        """Waits until the Job has completed; yields its name and the end of its log."""
        live = await _find(means, intent)
        name = intent["object"]["name"]
        if live is None:
            raise ActionRefused(f"Job {name} is gone before it was seen to complete")
        ended = {c["type"]: c for c in (live.get("status") or {}).get("conditions") or () if c["status"] == "True"}
        if "Complete" in ended:
            return Settled({"job": name, "logs": await _log(means, subject.execution, live)})
        if (failed := ended.get("Failed")) is not None:
            said = await _log(means, subject.execution, live)
            raise ActionRefused(f"Job {name} failed: {failed.get('reason')}: {failed.get('message')}; its log: {said}")
        return Waiting(f"Job {name} has not completed yet")

    async def undo(self, means: Means, execution: RunbookExecution, name: str, intent: Intent) -> Prepared | None:
        """Deletes the Job with its pods. What its program did, it does not undo."""
        live = await _find(means, intent)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        if not marks_of(execution, name)(_mark(live)):
            raise UndoConflict(f"Job {intent['object']['name']} is not the one that was created")
        planned = PlannedStep(name=name, action="undo", object=identity(live))
        return Prepared(planned, deletion_intent(intent["object"], live["metadata"]["uid"]))


async def _find(means: Means, intent: Intent) -> Object | None:
    place = intent["object"]
    return await means.api.find(place["apiVersion"], place["kind"], place["namespace"], place["name"])


def _mark(live: Mapping[str, Any]) -> str:
    return str((live["metadata"].get("annotations") or {}).get(LAST_STEP_ANNOTATION, ""))


async def _log(means: Means, execution: RunbookExecution, job: Object) -> str:
    """The end of the log of the Job's youngest pod, redacted; why there is none, where it cannot be read."""
    namespace = job["metadata"]["namespace"]
    try:
        owned = f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}"
        pods = await means.api.list("v1", "Pod", namespace, labels=owned)
        if not pods:
            return "(no log: the pod is gone)"
        youngest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        path = await means.api.path("v1", "Pod", namespace, youngest["metadata"]["name"], "log")
        runner = await means.runners.runner(execution)
        container = youngest["spec"]["containers"][0]["name"]
        return tail(await runner.api.text(path, {"container": container, "tailLines": str(_LOG_LINES)}))
    except (ApiError, NoRunner) as error:
        return tail(f"(no log: {error})")


def tail(text: str) -> str:
    """The end of a text, at most LOG_BYTES, redacted before it is cut so that no cut uncovers anything."""
    clean = safe_message(text, limit=len(text) + LOG_BYTES)
    return clean.encode()[-LOG_BYTES:].decode(errors="ignore").strip()
