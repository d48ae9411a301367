"""What binds a namespace now: its guardrails with what is used of them, and the executions that are held up by them."""

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.cli.cluster import Cluster, executions_path
from interlock.crds.guardrail import GuardrailSpec, GuardrailStatus, Use
from interlock.crds.types import API_VERSION

Row = tuple[str, str, str, str, str]


def guardrails(cluster: Cluster, namespace: str) -> list[Mapping[str, Any]]:
    """The guardrails that select executions of a namespace."""
    found = cluster.items(f"/apis/{API_VERSION}/guardrails")
    return [body for body in found if namespace in (_selector(body) or [namespace])]


def _selector(body: Mapping[str, Any]) -> list[str]:
    return GuardrailSpec.model_validate(body["spec"]).selector.namespaces


def rows(bodies: list[Mapping[str, Any]]) -> Iterator[Row]:
    """Guardrail, mode, limit, use, and when it frees up: a line for each limit that is used."""
    for body in bodies:
        spec = GuardrailSpec.model_validate(body["spec"])
        status = GuardrailStatus.model_validate(body.get("status") or {})
        mode = "stopped" if spec.stop else spec.mode
        name = body["metadata"]["name"]
        yield name, mode, status.limits or "approvals only", status.trouble, ""
        yield from ((name, mode, use.limit, _used(use), use.frees_at or "") for use in status.uses)


def _used(use: Use) -> str:
    return f"{use.used} of {use.allowed}" + (f" by {use.of}" if use.of else "")


def held(cluster: Cluster, namespace: str) -> Iterator[tuple[str, str, str]]:
    """Name, reason and message of what is approved and held up."""
    for body in cluster.items(executions_path(namespace)):
        for condition in (body.get("status") or {}).get("conditions") or ():
            if (condition["type"], condition["status"]) == ("Held", "True"):
                yield body["metadata"]["name"], condition["reason"], condition.get("message", "")
