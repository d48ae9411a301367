"""What expressions see: the target and the live objects around it, read with the operator's own read-only account."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import JsonValue

from interlock.crds.cel import variables_of
from interlock.crds.execution import Target
from interlock.operator.api import Api, Object

VARIABLES = frozenset({"target", "parameters", "pods", "revisions", "now", "item", "steps"})
"""Every variable that expressions of a runbook may use."""

REVISION_ANNOTATION = "deployment.kubernetes.io/revision"


class TargetGone(Exception):
    """The target does not exist, or another object has its name."""


def mentioned(expressions: Iterable[str]) -> frozenset[str]:
    """The variables that any of the expressions needs."""
    return VARIABLES & frozenset().union(*(variables_of(expression) for expression in expressions))


def selector(target: Mapping[str, Any]) -> str | None:
    """The label selector of a workload, in the API's query form; None for objects that select no pods."""
    spec = (target.get("spec") or {}).get("selector") or {}
    labels = spec.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for term in spec.get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        match term["operator"]:
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case "DoesNotExist":
                terms.append(f"!{key}")
    return ",".join(terms) or None


class Observer:
    """Reads the live objects that expressions are about."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def find_target(self, target: Target) -> Object | None:
        """The target as it is now, or None where there is none."""
        return await self._api.find(target.api_version, target.kind, target.namespace, target.name)

    async def pods(self, live: Object, namespace: str | None) -> list[Object]:
        """The pods that the target selects, the youngest first."""
        labels = selector(live)
        if labels is None:
            return []
        pods = await self._api.list("v1", "Pod", namespace, labels=labels)
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)

    async def revisions(self, live: Object, namespace: str | None) -> list[Object]:
        """The ReplicaSets that the target owns, the newest revision first."""
        labels = selector(live)
        if labels is None:
            return []
        sets = await self._api.list("apps/v1", "ReplicaSet", namespace, labels=labels)
        uid = live["metadata"]["uid"]
        owned = [s for s in sets if any(o["uid"] == uid for o in s["metadata"].get("ownerReferences") or ())]
        return sorted(owned, key=revision_number, reverse=True)


@dataclass(frozen=True)
class View:
    """What expressions see at one moment: each thing is read when it is first needed, and once."""

    observer: Observer
    target: Target
    uid: str | None
    given: Mapping[str, JsonValue]
    """What is known without looking: parameters, now, and in steps the item and what earlier steps yielded."""
    read: dict[str, JsonValue] = field(default_factory=dict)

    def giving(self, **values: JsonValue) -> "View":
        """The same moment with more that is known."""
        return View(self.observer, self.target, self.uid, {**self.given, **values}, self.read)

    def anew(self) -> "View":
        """The same, as it is from now on."""
        return View(self.observer, self.target, self.uid, self.given)

    async def variables(self, names: Iterable[str]) -> dict[str, JsonValue]:
        """The named variables.

        Raises:
            TargetGone: there is no such target, or not the one with this uid.
            ApiError: something could not be read.
        """
        wanted = frozenset(names)
        if wanted & {"target", "pods", "revisions"}:
            await self._look(wanted)
        known = {**self.given, **self.read}
        return {name: known[name] for name in wanted if name in known}

    async def live(self) -> Object:
        """The target.

        Raises:
            TargetGone: there is no such target, or not the one with this uid.
            ApiError: it could not be read.
        """
        if "target" not in self.read:
            found = await self.observer.find_target(self.target)
            if found is None or (self.uid is not None and found["metadata"]["uid"] != self.uid):
                raise TargetGone(f"{self.target} is gone")
            self.read["target"] = found
        return cast(Object, self.read["target"])

    async def _look(self, wanted: frozenset[str]) -> None:
        live = await self.live()
        if "pods" in wanted and "pods" not in self.read:
            self.read["pods"] = list(await self.observer.pods(live, self.target.namespace))
        if "revisions" in wanted and "revisions" not in self.read:
            self.read["revisions"] = list(await self.observer.revisions(live, self.target.namespace))


def revision_number(replica_set: Mapping[str, Any]) -> int:
    """The revision of a ReplicaSet, 0 where it has none."""
    text = (replica_set["metadata"].get("annotations") or {}).get(REVISION_ANNOTATION, "0")
    return int(text) if str(text).isdigit() else 0
