"""Executions to look at, wherever they are: in the archive, or still on the cluster."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from interlock.cli.audit.opening import opened
from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.errors import CommandError
from interlock.cli.executions import Seen, seen
from interlock.crds.execution import TERMINAL
from interlock.operator.archive import ArchivedExecution
from interlock.operator.archive.verify import flaws_of


@dataclass(frozen=True)
class Found:
    """An execution, where it was found, and its row if that is the archive."""

    seen: Seen
    where: str
    row: ArchivedExecution | None = None

    def flaws(self) -> Iterator[str]:
        """What is wrong with it by itself."""
        if self.row is not None:
            yield from flaws_of(self.row)
        elif (broken := self.seen.broken_at()) is not None:
            yield f"its journal is BROKEN at entry {broken}"

    def summary(self) -> dict[str, str | None]:
        """What a list shows of it."""
        execution = self.seen.execution
        return {
            "ended": execution.status.completed_at if execution.status else None,
            "execution": execution.key,
            "runbook": execution.spec.runbook.name,
            "target": str(execution.spec.target),
            "phase": self.seen.phase,
            "askedBy": execution.spec.requested_by,
            "approvedBy": ", ".join(self._approvers()),
            "uid": execution.uid,
            "where": self.where,
        }

    def _approvers(self) -> list[str]:
        execution = self.seen.execution
        plan = execution.status.plan if execution.status else None
        return [d.by for d in execution.spec.decisions if plan and d.subject == plan.digest and d.verdict == "Approve"]


def archived(url: str, limit: int) -> Iterator[Found]:
    """The latest of the archive."""
    with opened(url) as store:
        for row in store.list(limit=limit):
            yield _of(row)


def live_ones(cluster: Cluster) -> Iterator[Found]:
    """What the cluster holds."""
    for body in cluster.items(executions_path()):
        found = seen(body)
        yield Found(found, "cluster" if found.phase in TERMINAL else "cluster, under way")


def one(uid: str, url: str, live: Iterable[Found]) -> Found:
    """The one execution whose uid begins so; raises CommandError if there is none, or more than one."""
    matching = {item.seen.execution.uid: item for item in live if item.seen.execution.uid.startswith(uid)}
    if url or not matching:
        with opened(url) as store:
            matching |= {row.uid: _of(row) for row in store.find(uid)}
    if len(matching) != 1:
        message = f"{len(matching) or 'no'} executions have a UID that begins with {uid!r}"
        raise CommandError(message, "See interlock audit list")
    return matching.popitem()[1]


def _of(row: ArchivedExecution) -> Found:
    try:
        return Found(seen(row.body()), "archive", row)
    except (ValueError, KeyError) as wrong:
        message = f"seq {row.seq} of the archive ({row.uid}) was changed: it is no execution any more"
        raise CommandError(message, "See interlock audit verify") from wrong
