"""Actions that take pods away: one by deletion or eviction, or all of a node.

Every request names the pod's uid, so it may be repeated: another pod under the same name is never touched. What is
gone cannot be put back; its controller has made another by then.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from interlock.crds import actions as contract
from interlock.crds.digest import canonical
from interlock.crds.execution import Change, RunbookExecution
from interlock.operator.actions.base import Action, ActionRefused, DemandOn, Effect, Means, Turn, always_on, only_known
from interlock.operator.actions.deletion import delete, deletion_intent
from interlock.operator.actions.workload import demand_node
from interlock.operator.actions.writing import INTENT_BYTES
from interlock.operator.api import Api, Object
from interlock.operator.errors import ApiError, Blocked, Conflict, NotFound
from interlock.operator.prepared import (
    Acted,
    Intent,
    Prepared,
    Probe,
    Settled,
    Subject,
    Waiting,
    identity,
    place_of,
    planned_step,
    skipped_step,
)

MAX_PODS = 32
_MIRROR = "kubernetes.io/config.mirror"
_TWO_BUDGETS = "more than one PodDisruptionBudget"


class DeletePod(Action):
    """Deletes one pod."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The pod by its uid."""
        pod = await _named(means, turn, contract.DeletePod)
        if pod is None:
            return skipped_step(turn.node, "the pod is gone already", partial=True)
        runner = await means.runners.runner(turn.subject.execution)
        await delete(runner.api, place_of(pod), pod["metadata"]["uid"], dry_run=True)
        intent = {**deletion_intent(place_of(pod), pod["metadata"]["uid"]), "credential": runner.credential}
        planned = planned_step(
            turn.node, object=identity(pod), changes=_changes([pod]), note=turn.node.step.description
        )
        return Prepared(planned, intent, partial=True)


class EvictPod(Action):
    """Evicts one pod."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The pod by its uid."""
        pod = await _named(means, turn, contract.EvictPod)
        if pod is None:
            return skipped_step(turn.node, "the pod is gone already", partial=True)
        return await _evicting(means, turn, pod, [pod])


class Drain(Action):
    """Evicts all pods of a node."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """Every pod by its uid, read with the runner's own rights: they lie in all namespaces."""
        only_known(turn)
        may_lose_data = contract.Drain.parse(turn.arguments).delete_empty_dir_data == "true"
        node = await turn.subject.view.live()
        demand_node(node, "drain")
        runner = await means.runners.runner(turn.subject.execution)
        on_node = await runner.api.list("v1", "Pod", None, fields=f"spec.nodeName={node['metadata']['name']}")
        pods = [pod for pod in sorted(on_node, key=_name) if has_to_leave(pod)]
        demand_evictable(pods, may_lose_data=may_lose_data)
        if not pods:
            return skipped_step(turn.node, "no pod has to leave", partial=True)
        return await _evicting(means, turn, node, pods)


async def _named(means: Means, turn: Turn, model: type[contract.DeletePod | contract.EvictPod]) -> Object | None:
    """The pod that a step names; None at its turn if it is gone or going by then."""
    only_known(turn)
    name = model.parse(turn.arguments).name
    pod = await means.api.find("v1", "Pod", turn.subject.execution.spec.target.namespace, name)
    if pod is None or pod["metadata"].get("deletionTimestamp"):
        if not turn.subject.planning:
            return None
        raise ActionRefused(f"pod {name} {'does not exist' if pod is None else 'is being deleted already'}")
    if _MIRROR in (pod["metadata"].get("annotations") or {}):
        raise ActionRefused(f"pod {name} is a static pod: only its node's kubelet can take it away")
    if _controller(pod) is None:
        raise ActionRefused(f"pod {name} has no controller: nobody would make it again")
    return pod


async def _evicting(means: Means, turn: Turn, about: Object, pods: Sequence[Object]) -> Prepared:
    runner = await means.runners.runner(turn.subject.execution)
    uids = {_name(pod): pod["metadata"]["uid"] for pod in pods}
    await _evict_all(runner.api, uids, dry_run=True)  # may it at all; whether a budget allows it now will change
    intent: dict[str, JsonValue] = {
        "writes": True,
        "effect": "evict",
        "undoable": False,
        "pods": dict(uids),
        "credential": runner.credential,
    }
    if len(canonical(intent)) > INTENT_BYTES:
        raise ActionRefused(f"{len(pods)} pods are too many to be recorded: evict fewer at a time")
    planned = planned_step(turn.node, object=identity(about), changes=_changes(pods), note=turn.node.step.description)
    return Prepared(planned, intent, partial=True)


def _changes(pods: Iterable[Object]) -> list[Change]:
    return [Change(path=f"/pods/{_name(pod)}", before=json.dumps(pod["metadata"]["uid"])) for pod in pods]


def _name(pod: Mapping[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _controller(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def has_to_leave(pod: Mapping[str, Any]) -> bool:
    """Whether a drain has to take it away: neither finished, nor going, nor bound to the node."""
    meta = pod["metadata"]
    controller = _controller(pod)
    bound = _MIRROR in (meta.get("annotations") or {}) or (controller or {}).get("kind") == "DaemonSet"
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not (bound or finished or meta.get("deletionTimestamp"))


def demand_evictable(pods: Sequence[Mapping[str, Any]], *, may_lose_data: bool) -> None:
    """Raises ActionRefused unless all of these pods may be evicted in one step."""
    if bare := [_name(pod) for pod in pods if _controller(pod) is None]:
        raise ActionRefused(f"{_some(bare)} has no controller: nobody would make it again; delete it first")
    keeping = [_name(pod) for pod in pods if any("emptyDir" in v for v in pod["spec"].get("volumes") or ())]
    if keeping and not may_lose_data:
        raise ActionRefused(f"{_some(keeping)} keeps data in an emptyDir: allow its loss by deleteEmptyDirData")
    if len(pods) > MAX_PODS:
        raise ActionRefused(f"{len(pods)} pods would have to leave, more than {MAX_PODS}: too many for one plan")


def _some(names: Sequence[str]) -> str:
    return f"pod {names[0]}" + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")


class Eviction(Effect):
    """The eviction of pods, one after the other, as their budgets allow it."""

    async def apply(self, means: Means, execution: RunbookExecution, ready: Prepared) -> Acted | Waiting:
        """Evicts all that are left; waits while a budget keeps some."""
        pods = _pods(ready.intent)
        runner = await means.acting_as(execution)
        blocked = await _evict_all(runner, pods, before_each=means.demand_leave)
        if blocked:
            return Waiting(f"evicted {len(pods) - len(blocked)} of {len(pods)}; {'; '.join(blocked)}"[:1000])
        return Acted({"evicted": len(pods)})

    async def probe(self, means: Means, intent: Intent, ours: Callable[[str], bool]) -> Probe:
        """All that the intent names are gone or going; if not, the rest may be evicted again."""
        left = await _present(means.api, _pods(intent))
        return "not" if any(not pod["metadata"].get("deletionTimestamp") for pod in left) else "happened"

    async def settle(self, means: Means, subject: Subject, intent: Intent) -> Settled | Waiting:
        """Waits until all of them are gone."""
        pods = _pods(intent)
        left = [_name(pod) for pod in await _present(means.api, pods)]
        if left:
            return Waiting(f"{len(pods) - len(left)} of {len(pods)} are gone; waits for {', '.join(left)}"[:1000])
        return Settled()


def _pods(intent: Intent) -> dict[str, str]:
    return {str(name): str(uid) for name, uid in intent["pods"].items()}


async def _present(api: Api, pods: Mapping[str, str]) -> list[Object]:
    """Those of the pods that still exist."""
    found = await asyncio.gather(*(api.find("v1", "Pod", *name.split("/", 1)) for name in pods))
    return [
        pod for pod, uid in zip(found, pods.values(), strict=True) if pod is not None and pod["metadata"]["uid"] == uid
    ]


async def _evict_all(
    api: Api, pods: Mapping[str, str], *, before_each: DemandOn = always_on, dry_run: bool = False
) -> list[str]:
    """Why pods are still there, each in a sentence; none if all have been evicted or are gone.

    Raises:
        Stopped: the rest may not be evicted now.
        ActionRefused: the API server evicts no pod that two budgets select.
        ApiError: see its subclasses.
    """
    blocked = []
    for name, uid in pods.items():
        await before_each()
        if reason := await _evict(api, name, uid, dry_run=dry_run):
            blocked.append(f"{name} waits: {reason}")
    return blocked


async def _evict(api: Api, name: str, uid: str, *, dry_run: bool) -> str:
    """Why a budget keeps the pod; empty once it is gone or going."""
    namespace, pod = name.split("/", 1)
    path = await api.path("v1", "Pod", namespace, pod, "eviction")
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": uid}},
    }
    try:
        await api.create(path, body, dry_run=dry_run)
    except Blocked as waits:
        return str(waits)
    except (NotFound, Conflict):  # gone, or another one under its name
        return ""
    except ApiError as error:
        if _TWO_BUDGETS in str(error):
            raise ActionRefused(
                f"pod {name} is selected by {_TWO_BUDGETS}: the API server does not evict it"
            ) from error
        raise
    return ""
