"""What is applied to a cluster, read from where it ships; and how it is applied or printed."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml

from interlock.cli.cluster import Cluster
from interlock.cli.errors import CommandError, Refused
from interlock.runbooks import rbac

Manifest = dict[str, Any]
Progress = Callable[[str], None]
_QUOTA_SECONDS = 90
COUNTED = "count/runbookexecutions.interlock.dev"


def named(manifest: Manifest) -> str:
    """Kind and name, for people."""
    meta = manifest["metadata"]
    place = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{manifest['kind']} {place}{meta['name']}"


def apply_all(cluster: Cluster, manifests: Iterable[Manifest], progress: Progress) -> int:
    """Applies them one after the other and returns how many.

    Raises:
        CommandError: the API server refuses one; the message names it.
    """
    count = 0
    for manifest in manifests:
        try:
            cluster.apply(manifest)
        except Refused as refused:
            raise Refused(refused.status, f"{named(manifest)}: {refused.message}", refused.way_out) from refused
        progress(named(manifest))
        count += 1
    return count


def opt_in(cluster: Cluster, namespace: str, progress: Progress) -> None:
    """Opts a namespace in, and waits until the API server counts executions there: until then it refuses them all.

    Raises:
        CommandError: something is refused, or the quota's count does not come.
        ValueError: Interlock never acts in this namespace.
    """
    apply_all(cluster, rbac.opt_in(namespace), progress)
    await_count(cluster, namespace)


def await_count(cluster: Cluster, namespace: str) -> None:
    """Waits until the API server counts executions in a namespace that is opted in.

    Raises:
        CommandError: the quota's count does not come.
    """
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/interlock"
    deadline = time.monotonic() + _QUOTA_SECONDS
    while COUNTED not in ((cluster.get(path).get("status") or {}).get("used") or {}):
        if time.monotonic() > deadline:
            raise CommandError(
                f"ResourceQuota {namespace}/interlock has no count after {_QUOTA_SECONDS} s: no execution is admitted",
                f"Look at it: kubectl describe resourcequota interlock -n {namespace}",
            )
        time.sleep(0.2)


def print_yaml(manifests: Sequence[Manifest]) -> None:
    """The manifests as a stream of YAML documents, for kubectl, a file or a review."""
    sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=False))
