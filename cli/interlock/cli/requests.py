"""What a request is made of, checked before anything is written."""

import secrets
from collections.abc import Iterable, Mapping

from interlock.cli.cluster import Cluster
from interlock.cli.errors import UsageError, as_usage
from interlock.crds.execution import Target
from interlock.crds.parameters import ParameterRefused, parse_parameters
from interlock.crds.runbook import Runbook

_NAME_LENGTH = 50


def fresh_name(runbook: Runbook, target: Target) -> str:
    """A name for a new execution, a DNS label."""
    return (
        f"{runbook.spec.family}-{target.name}".replace(".", "-")[:_NAME_LENGTH].rstrip("-") + f"-{secrets.token_hex(3)}"
    )


def parameters(runbook: Runbook, option: str, given: Iterable[str], before: Mapping[str, str]) -> dict[str, str]:
    """The values of `before` with those that are given as NAME=VALUE.

    Raises:
        UsageError: one is unknown, missing or outside its bounds; the message names it, its value and what is allowed.
    """
    values = dict(before)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{option}: {text!r} is not NAME=VALUE", f"For example: {option} replicas=3")
        values[name] = value
    try:
        parse_parameters(runbook.spec.parameters, values)
    except ParameterRefused as refused:
        raise UsageError(f"{option}: {refused}", f"See `interlock runbook show {runbook.metadata.name}`.") from refused
    return values


def aimed_at(cluster: Cluster, runbook: Runbook, text: str) -> Target:
    """What KIND/NAME stands for, in the caller's namespace unless the kind has none.

    Raises:
        UsageError: the runbook is not for such a kind, or the name is none.
    """
    kind, _, name = text.partition("/")
    known = {item.kind.lower(): item for item in runbook.spec.targets}
    if not name or kind.lower() not in known:
        kinds = ", ".join(item.kind for item in runbook.spec.targets)
        raise UsageError(f"--target: {text!r} is not KIND/NAME of a kind that this runbook is for", f"Kinds: {kinds}.")
    found = known[kind.lower()]
    manifest = {"apiVersion": found.api_version, "kind": found.kind, "metadata": {"name": name}}
    namespace = cluster.namespace if "/namespaces/" in cluster.path_of(manifest) else None
    with as_usage("--target"):
        return Target(api_version=found.api_version, kind=found.kind, namespace=namespace, name=name)
