"""What expressions see: the target and the live objects around it, read with the operator's own read-only account."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

from interlock.crds.cel import ExpressionError, variables_of
from interlock.crds.execution import Target
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE
from interlock.operator.api import Api, Object
from interlock.operator.around import (
    OWNERS,
    SERVICE_LABEL,
    WORKLOADS,
    controller,
    is_unready,
    newest_first,
    owned,
    referred,
    referring,
    selector,
    versions,
    youngest_first,
)
from interlock.operator.errors import Forbidden

MAX_LISTED = 500
"""More objects than these of one kind are not shown to an expression: it has failed."""
MAX_REFERRED = 16
"""So many ConfigMaps or claims are read at most."""


class TargetGone(Exception):
    """The target does not exist, or another object has its name."""


class Observer:
    """Reads the live objects that expressions are about, with the operator's own account."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def find_target(self, target: Target) -> Object | None:
        """The target as it is now, or None where there is none."""
        return await self._api.find(target.api_version, target.kind, target.namespace, target.name)

    async def pods(self, live: Object, namespace: str | None) -> list[Object]:
        """The pods of the target, the youngest first: those that it selects; those that refer to it, if it is a
        ConfigMap; those of the same controller, itself included, if it is a pod; those of the workload that it scales,
        if it is an autoscaler; those on it and those that are not ready, if it is a node."""
        kind, name = live["kind"], live["metadata"]["name"]
        if kind == "Node":
            return youngest_first(await self._around_node(name))
        if kind == "HorizontalPodAutoscaler":
            scaled = live["spec"]["scaleTargetRef"]
            found = await self._api.find(scaled["apiVersion"], scaled["kind"], namespace, scaled["name"])
            return await self.pods(found, namespace) if found is not None else []
        if kind == "ConfigMap":
            return youngest_first(referring(await self._listed("v1", "Pod", namespace), kind, name))
        if kind == "Pod":
            owner = controller(live)
            everyone = await self._listed("v1", "Pod", namespace) if owner else []
            return youngest_first(owned(everyone, [owner["uid"]] if owner else []))
        labels = selector(live)
        if labels is None:
            return []
        return youngest_first(await self._api.list("v1", "Pod", namespace, labels=labels))

    async def revisions(self, live: Object, namespace: str | None) -> list[Object]:
        """The revisions of the target, the newest first: ReplicaSets of a Deployment, ControllerRevisions of a
        StatefulSet or DaemonSet; of a ConfigMap those of all workloads that refer to it."""
        if live["kind"] == "ConfigMap":
            users = referring(await self.workloads(namespace), "ConfigMap", live["metadata"]["name"])
            uids = [user["metadata"]["uid"] for user in users]
            kinds: tuple[str, ...] = ("ReplicaSet", "ControllerRevision")
            labels = ""
        else:
            uids = [live["metadata"]["uid"]]
            kinds = ("ReplicaSet",) if live["kind"] == "Deployment" else ("ControllerRevision",)
            labels = selector(live) or ""
        if not uids or (live["kind"] not in WORKLOADS and live["kind"] != "ConfigMap"):
            return []
        listed = [o for kind in kinds for o in await self._listed("apps/v1", kind, namespace, labels)]
        return newest_first(owned(listed, uids))

    async def _around_node(self, name: str) -> list[Object]:
        """The pods on a node and, on any other or none, those that are not ready: of namespaces that have opted in."""
        opted_in = await self._api.list("v1", "Namespace", None, labels=f"{OPT_IN_LABEL}={OPT_IN_VALUE}")
        places = [str(space["metadata"]["name"]) for space in opted_in]
        found = [pod for place in places for pod in await self._seen(place)]
        return judgeable([pod for pod in found if pod["spec"].get("nodeName") == name or is_unready(pod)], "Pod")

    async def _seen(self, namespace: str) -> list[Object]:
        """The pods of a namespace; none of one that is being deleted, or has granted nothing yet."""
        try:
            return await self._listed("v1", "Pod", namespace)
        except Forbidden:
            return []

    async def jobs(self, _: Object, namespace: str | None) -> list[Object]:
        """The Jobs of the namespace, the youngest first."""
        return youngest_first(await self._listed("batch/v1", "Job", namespace))

    async def nodes(self, _: Object, __: str | None) -> list[Object]:
        """The nodes of the cluster."""
        return await self._listed("v1", "Node", None)

    async def endpoint_slices(self, live: Object, namespace: str | None) -> list[Object]:
        """The EndpointSlices of the target, a Service; the API server says null of one without endpoints."""
        labels = f"{SERVICE_LABEL}={live['metadata']['name']}"
        found = await self._listed("discovery.k8s.io/v1", "EndpointSlice", namespace, labels)
        return [{**piece, "endpoints": piece.get("endpoints") or []} for piece in found]

    async def services(self, _: Object, namespace: str | None) -> list[Object]:
        """The Services of the namespace."""
        return await self._listed("v1", "Service", namespace)

    async def workloads(self, namespace: str | None) -> list[Object]:
        """The Deployments, StatefulSets and DaemonSets of the namespace."""
        return [o for kind in WORKLOADS for o in await self._listed("apps/v1", kind, namespace)]

    async def owner(self, live: Object, namespace: str | None) -> Object | None:
        """What the target belongs to in the end, such as the Deployment of a pod; None where nothing is known."""
        found: Object | None = None
        above = controller(live)
        while above is not None and OWNERS.get(above["kind"]) == above["apiVersion"]:
            found = await self._api.find(above["apiVersion"], above["kind"], namespace, above["name"])
            if found is None or found["metadata"]["uid"] != above["uid"]:
                return None
            above = controller(found)
        return found

    async def config_maps(self, live: Object, namespace: str | None) -> list[Object]:
        """The ConfigMaps that the target or one of its revisions refers to, those of the newest first; of a
        ConfigMap its other versions, that revisions of its workloads refer to."""
        revisions = await self.revisions(live, namespace)
        names = referred([live, *revisions], "ConfigMap")
        if live["kind"] == "ConfigMap":
            names = versions(live["metadata"]["name"], names)
        return await self._named("ConfigMap", namespace, names)

    async def claims(self, live: Object, namespace: str | None) -> list[Object]:
        """The PersistentVolumeClaims that the target or one of its revisions refers to, and that exist."""
        names = referred([live, *await self.revisions(live, namespace)], "PersistentVolumeClaim")
        return await self._named("PersistentVolumeClaim", namespace, names)

    async def warnings(self, live: Object, namespace: str | None) -> list[Object]:
        """The Warning events about the target and its pods, the latest first."""
        about = {o["metadata"]["uid"] for o in (live, *await self.pods(live, namespace))}
        listed = await self._listed("v1", "Event", namespace, fields="type=Warning")
        found = [event for event in listed if event["involvedObject"].get("uid") in about]
        return sorted(found, key=lambda event: str(event.get("lastTimestamp") or ""), reverse=True)

    async def _listed(
        self, api_version: str, kind: str, namespace: str | None, labels: str = "", fields: str = ""
    ) -> list[Object]:
        found = judgeable(await self._api.list(api_version, kind, namespace, labels=labels, fields=fields), kind)
        for item in found:
            item["metadata"].pop("managedFields", None)
        return found

    async def _named(self, kind: str, namespace: str | None, names: list[str]) -> list[Object]:
        found = [await self._api.find("v1", kind, namespace, name) for name in names[:MAX_REFERRED]]
        return [o for o in found if o is not None]


def judgeable(found: list[Object], kind: str) -> list[Object]:
    """The same objects.

    Raises:
        ExpressionError: there are more of them than may be judged.
    """
    if len(found) > MAX_LISTED:
        raise ExpressionError(f"there are {len(found)} objects {kind}, more than {MAX_LISTED} that may be judged")
    return found


_Look = Callable[[Observer, Object, str | None], Awaitable[JsonValue | list[Object] | Object | None]]

AROUND: Mapping[str, _Look] = {
    "pods": Observer.pods,
    "revisions": Observer.revisions,
    "owner": Observer.owner,
    "configMaps": Observer.config_maps,
    "claims": Observer.claims,
    "warnings": Observer.warnings,
    "jobs": Observer.jobs,
    "nodes": Observer.nodes,
    "endpointSlices": Observer.endpoint_slices,
    "services": Observer.services,
}
"""What is looked at around the target, by the name that expressions use."""

VARIABLES = frozenset({"target", "workloads", "parameters", "now", "item", "steps", *AROUND})
"""Every variable that expressions of a runbook may use."""


def mentioned(expressions: Iterable[str]) -> frozenset[str]:
    """The variables that any of the expressions needs."""
    return VARIABLES & frozenset().union(*(variables_of(expression) for expression in expressions))


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
            ExpressionError: there is more of something than may be judged.
            ApiError: something could not be read.
        """
        wanted = frozenset(names)
        await self._look(wanted - self.read.keys())
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
        namespace = self.target.namespace
        if "workloads" in wanted:
            self.read["workloads"] = cast(JsonValue, await self.observer.workloads(namespace))
        around = wanted & AROUND.keys()
        if around or "target" in wanted:
            live = await self.live()
            for name in sorted(around):
                self.read[name] = cast(JsonValue, await AROUND[name](self.observer, live, namespace))
