"""A request that takes the place of another: the same in all but its parameters, and it says which one it amends."""

import time
from collections.abc import Sequence

from interlock.cli import decisions
from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.errors import CommandError, UsageError, as_usage
from interlock.cli.executions import Seen, seen
from interlock.cli.requests import parameters
from interlock.cli.runbooks import pinned
from interlock.crds.execution import TERMINAL, RunbookExecutionSpec
from interlock.crds.runbook import Runbook

WAIT_SECONDS = 600.0
_LOOK_SECONDS = 0.4


def runbook_of(cluster: Cluster, found: Seen) -> Runbook:
    """The runbook that the execution pins; raises CommandError if it cannot be had with exactly that content."""
    asked = found.execution.spec.runbook
    runbook = pinned(cluster, asked)
    if runbook is None:
        message = f"runbook {asked.name} is not published with the content that was asked for, or you may not read it"
        raise CommandError(message, "Reading runbooks takes interlock-auditor, bound everywhere.")
    return runbook


def amended(found: Seen, runbook: Runbook, given: Sequence[str], summary: str, who: str) -> RunbookExecutionSpec:
    """The request as `who` makes it anew; without a summary the reason stays as it was.

    Raises:
        UsageError: nothing would differ, or a value is refused; the message names it and what is allowed.
    """
    before = found.execution.spec
    values = parameters(runbook, "--set", given, before.parameters)
    if values == before.parameters:
        raise UsageError("--set: the parameters would be the same", "Name what should differ, as --set NAME=VALUE.")
    with as_usage("--reason"):
        content = before.model_dump(exclude={"decisions", "cancelled"})
        reason = content["reason"] | ({"summary": summary} if summary else {})
        changes = {"parameters": values, "reason": reason, "requested_by": who, "amends": found.execution.name}
        return RunbookExecutionSpec.model_validate(content | changes)


def make_room(cluster: Cluster, found: Seen, *, cancel: bool) -> str:
    """The phase in which the execution has ended; it is cancelled first where that is wanted and it has not.

    Raises:
        CommandError: it goes on; the message says how to end it.
    """
    if found.phase in TERMINAL:
        return found.phase
    if not cancel:
        way_out = f"Cancel it first: kubectl interlock cancel {found.named}, or amend it with --cancel."
        raise CommandError(f"{found.execution.key} is {found.phase}: two must not act on one target", way_out)
    if found.execution.spec.cancelled is None:
        decisions.cancel(cluster, found, "amended")
    return _wait_for_the_end(cluster, found)


def _wait_for_the_end(cluster: Cluster, found: Seen) -> str:
    path = executions_path(found.execution.namespace, found.execution.name)
    deadline = time.monotonic() + WAIT_SECONDS
    while (body := cluster.find(path)) is not None:
        now = seen(body)
        if now.phase in TERMINAL:
            return now.phase
        if time.monotonic() > deadline:
            message = f"{found.execution.key} is cancelled but still {now.phase} after {WAIT_SECONDS:.0f} s"
            raise CommandError(message, f"Nothing was asked for; watch it: interlock execution watch {found.named}")
        time.sleep(_LOOK_SECONDS)
    return "Archived"
