"""The runbooks that are walked crash by crash.

Most act on a suspended CronJob: no controller writes to it, so every run makes the same requests in the same order and
"the k-th request" means the same in all of them. One acts on a Deployment, in a race with its controller.
"""

from collections.abc import Sequence
from typing import Any

from tests.support.identity import Json
from tests.support.lane import People, Run, Scenario
from tests.support.scene import deployment, runbook, settled

from interlock.crds.execution import RunbookExecution

CRON: Json = {
    "targets": [{"apiVersion": "batch/v1", "kind": "CronJob"}],
    "permissions": [{"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get", "patch"]}],
    "allowedPaths": ["/spec/schedule", "/spec/startingDeadlineSeconds", "/metadata/labels/**"],
}


def one(name: str) -> Sequence[Json]:
    """One CronJob."""
    return [cron_job(name)]


def pair(name: str) -> Sequence[Json]:
    """Two of them."""
    return [cron_job(name), cron_job(f"{name}-b")]


def cron_job(name: str) -> Json:
    """A CronJob that never runs."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "app.example/job:1"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": {"schedule": "0 3 * * *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": pod}}}},
    }


def patch(name: str, merge: str, **details: Any) -> Json:
    """A step that patches the target."""
    return {"name": name, "action": "patch", "with": {"merge": merge}, **details}


def patch_other(name: str, merge: str, **details: Any) -> Json:
    """A step that patches the other one of two."""
    other = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "${target.metadata.name + '-b'}"}
    return {"name": name, "action": "patch", "with": {"merge": merge, **other}, **details}


TWO_CHANGES = [
    patch("later", "spec: {schedule: '0 5 * * *'}"),
    patch("mark", "{spec: {startingDeadlineSeconds: 60}, metadata: {labels: {team: null, by: interlock}}}"),
]
ROLLED = "target.status.observedGeneration == target.metadata.generation && target.status.updatedReplicas == 1"
NEVER = ({"name": "never", "expression": "target.spec.schedule == 'never'"},)


def cancel_at(step: str) -> People:
    """Approves, and cancels when this step has begun."""

    def people(run: Run, seen: RunbookExecution) -> None:
        run.approve()
        if seen.status is not None and seen.status.step == step:
            cancelled = {"spec": {"cancelled": {"by": "bob", "reason": "enough"}}}
            run.once("cancel", lambda: run.lane.scene.approver.patch(run.lane.scene.path(run.name), cancelled))

    return people


SUCCEEDS = Scenario("succeeds", runbook("crash-succeeds", TWO_CHANGES, **CRON), one, ("Succeeded", "Verified"))
PATIENT = Scenario(
    "patient",
    runbook("crash-patient", TWO_CHANGES, timeoutSeconds=604800, **CRON),
    one,
    ("Succeeded", "Verified"),
)
UNDONE = Scenario(
    "undone",
    runbook("crash-undone", TWO_CHANGES, verification={"checks": list(NEVER), "withinSeconds": 1}, **CRON),
    one,
    ("Undone", "VerificationFailed"),
)
CANCELLED = Scenario(
    "cancelled",
    runbook(
        "crash-cancelled",
        [*TWO_CHANGES, {"name": "forever", "action": "wait", "with": {"until": "target.spec.schedule == 'never'"}}],
        **CRON,
    ),
    one,
    ("Cancelled", "CancelledAndUndone"),
    people=cancel_at("forever"),
)


def let_go_after_a_failure(run: Run, seen: RunbookExecution) -> None:
    """Approves, and mends what a step waits for once that step has failed."""
    run.approve()
    if any(entry.event == "StepFailed" for entry in seen.journal):
        run.once("mend", lambda: run.change_target({"metadata": {"labels": {"go": "1"}}}))


BRANCHES = Scenario(
    "branches",
    runbook(
        "crash-branches",
        [
            patch("left", "spec: {schedule: '0 5 * * *'}", needs=[]),
            patch_other("right", "spec: {schedule: '0 6 * * *'}", needs=[]),
            patch("join", "metadata: {labels: {by: interlock}}", needs=["left", "right"]),
        ],
        **CRON,
    ),
    pair,
    ("Succeeded", "Verified"),
    ordered=False,
)
RETRIED = Scenario(
    "retried",
    runbook(
        "crash-retried",
        [
            patch("later", "spec: {schedule: '0 5 * * *'}"),
            {
                "name": "gate",
                "action": "assert",
                "with": {"expression": "target.metadata.labels.?go.orValue('') == '1'"},
                "retry": {"limit": 8, "backoffSeconds": 1, "jitterPercent": 0},
            },
            patch("mark", "metadata: {labels: {by: interlock}}"),
        ],
        **CRON,
    ),
    one,
    ("Succeeded", "Verified"),
    people=let_go_after_a_failure,
)
REVERTED = Scenario(
    "reverted",
    runbook("crash-reverted", TWO_CHANGES, revertAfterSeconds=1, **CRON),
    one,
    ("Succeeded", "Reverted"),
)
ROLLED_OUT = Scenario(
    "rolled-out",
    runbook(
        "crash-rolled-out",
        [
            {"name": "there", "action": "assert", "with": {"expression": "target.spec.replicas == 1"}},
            {"name": "restart", "action": "rolloutRestart"},
            {"name": "seen", "action": "wait", "with": {"until": ROLLED}},
        ],
        checks=[{"name": "rolled", "expression": ROLLED}],
    ),
    lambda name: [deployment(name)],
    ("Succeeded", "Verified"),
    ready=settled,
)
POD_DELETED = Scenario(
    "pod-deleted",
    runbook(
        "crash-pod-deleted",
        [{"name": "delete", "action": "deletePod", "with": {"name": "${pods[0].metadata.name}"}}],
        permissions=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]}],
    ),
    lambda name: [deployment(name)],
    ("Succeeded", "Verified"),
    ready=settled,
)
ALL = (SUCCEEDS, UNDONE, CANCELLED, BRANCHES, RETRIED, REVERTED, ROLLED_OUT, POD_DELETED)
