"""Whether a runbook is granted what it needs, before anybody asks for it."""

from collections.abc import Iterator

from interlock.cli.cluster import Cluster
from interlock.cli.diagnosis import allowed
from interlock.cli.errors import CommandError, Refused
from interlock.crds.grants import Grant, needed, way_out
from interlock.crds.runbook import Runbook


def missing(cluster: Cluster, runbook: Runbook, namespace: str | None) -> Iterator[Grant]:
    """What the authorizer refuses; raises Refused for those who may not ask it."""
    return (
        grant for grant in needed(runbook, namespace) if not allowed(cluster, grant.user, grant.groups, grant.right)
    )


def demand_granted(cluster: Cluster, runbook: Runbook, namespace: str | None) -> None:
    """Returns if a runbook is granted what it needs, or if the caller may not know: the operator looks in any case.

    Raises:
        CommandError: something is missing; the message says what, and which command prints the grant.
    """
    try:
        found = list(missing(cluster, runbook, namespace))
    except Refused as refused:
        if refused.status == 403:
            return
        raise
    if found:
        place = namespace or "the cluster"
        message = f"{runbook.metadata.name} is not granted in {place}: " + "; ".join(map(str, found))
        raise CommandError(message, f"{way_out(runbook.spec.family, namespace)}.")
