"""A scenario on a cluster: its objects set up in a namespace of their own, and the harm that is done to them."""

import json
from collections.abc import Mapping
from typing import Any

from interlock.cli.vetting.looking import Eyes
from interlock.cli.vetting.owning import apply
from interlock.crds.celobjects import LAST_APPLIED
from interlock.crds.celprocess import Evaluator
from interlock.crds.execution import Target
from interlock.crds.parameters import parse_parameters
from interlock.crds.runbook import Runbook
from interlock.operator.api import Api, Object
from interlock.runbooks.scenario import Fault, Scenario, placed_in


class Arrangement:
    """One scenario in one namespace, which exists already."""

    def __init__(self, admin: Api, evaluator: Evaluator, runbook: Runbook, scenario: Scenario, namespace: str) -> None:
        placed = placed_in(scenario.model_dump(by_alias=True, exclude_unset=True), namespace)
        self.scenario = Scenario.model_validate(placed)
        self.target = Target(
            api_version=self.scenario.target.api_version,
            kind=self.scenario.target.kind,
            namespace=None if runbook.spec.scope == "Cluster" else namespace,
            name=self.scenario.target.name,
        )
        self.objects = _named(self.scenario)
        """The scenario's objects, target included, by "Kind/name"."""
        self.eyes = Eyes(
            admin,
            evaluator,
            target=self.target,
            parameters=parse_parameters(runbook.spec.parameters, self.scenario.parameters),
            objects=self.objects,
            namespace=namespace,
        )
        self.brought = _brought(self.scenario)
        """Those of them that it makes, and that nobody else has."""
        self._admin = admin
        self._namespace = namespace

    async def set_up(self) -> None:
        """Applies its objects, and waits until they are as it says; raises NotSeen or ApiError."""
        for manifest in self.scenario.objects:
            await apply(self._admin, _as_kubectl_does(manifest), self._namespace)
        if self.scenario.ready is not None:
            await self.eyes.wait("ready", self.scenario.ready)

    async def do_harm(self) -> None:
        """Breaks it, and waits until that shows; raises NotSeen or ApiError."""
        for fault in self.scenario.fault:
            await self._do(fault)
        if self.scenario.broken is not None:
            await self.eyes.wait("broken", self.scenario.broken)

    async def _do(self, fault: Fault) -> None:
        if fault.apply is not None:
            await apply(self._admin, _as_kubectl_does(fault.apply), self._namespace)
        elif fault.patch is not None:
            it = fault.patch.object
            path = await self._admin.path(it.api_version, it.kind, self._namespace, it.name, fault.patch.subresource)
            await self._admin.merge_patch(path, fault.patch.merge)
        elif fault.delete is not None:
            it = fault.delete
            await self._admin.delete(await self._admin.path(it.api_version, it.kind, self._namespace, it.name))
        elif fault.wait is not None:
            await self.eyes.wait("fault", fault.wait)


def _named(scenario: Scenario) -> dict[str, tuple[str, str, str]]:
    target = (scenario.target.api_version, scenario.target.kind, scenario.target.name)
    return {f"{kind}/{name}": (api_version, kind, name) for api_version, kind, name in [*_brought(scenario), target]}


def _brought(scenario: Scenario) -> list[tuple[str, str, str]]:
    return [(str(m["apiVersion"]), str(m["kind"]), str(m["metadata"]["name"])) for m in scenario.brought]  # type: ignore[index,call-overload]


def _as_kubectl_does(manifest: Mapping[str, Any]) -> Object:
    """The object with itself in the annotation that `kubectl apply` leaves, unless it says something there."""
    meta = dict(manifest["metadata"])
    own = {**manifest, "metadata": {**meta, "annotations": meta.get("annotations") or {}}}
    applied = {LAST_APPLIED: json.dumps(own, separators=(",", ":"), sort_keys=True)}
    return {**manifest, "metadata": {**meta, "annotations": applied | (meta.get("annotations") or {})}}
