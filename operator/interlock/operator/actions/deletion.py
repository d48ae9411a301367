"""The deletion of one object that its uid names: of a pod, or of what a step has created."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from interlock.crds.execution import RunbookExecution
from interlock.operator.actions.base import Effect, Means
from interlock.operator.api import Api, Object
from interlock.operator.prepared import Acted, Intent, Prepared, Probe


def deletion_intent(place: Mapping[str, JsonValue], uid: str) -> dict[str, JsonValue]:
    """What is durable before a deletion. It cannot be put back."""
    return {"writes": True, "effect": "delete", "undoable": False, "object": dict(place), "uid": uid}


class Deletion(Effect):
    """The deletion of one object."""

    async def apply(self, means: Means, execution: RunbookExecution, ready: Prepared) -> Acted:
        """Deletes it; dependants go in the background."""
        intent: Intent = ready.intent
        runner = await means.acting_as(execution)
        await delete(runner, intent["object"], intent["uid"])
        return Acted()

    async def probe(self, means: Means, intent: Intent, ours: Callable[[str], bool]) -> Probe:
        """What has that uid is gone or going, or it was not deleted."""
        place = intent["object"]
        live = await means.api.find(place["apiVersion"], place["kind"], place["namespace"] or None, place["name"])
        return "happened" if _gone_or_going(live, intent["uid"]) else "not"


async def delete(api: Api, place: Intent, uid: str, *, dry_run: bool = False) -> None:
    """Deletes what stands there if it has that uid."""
    path = await api.path(place["apiVersion"], place["kind"], place["namespace"] or None, place["name"])
    await api.delete(path, uid=uid, dry_run=dry_run)


def _gone_or_going(live: Object | None, uid: str) -> bool:
    if live is None or live["metadata"]["uid"] != uid:
        return True
    return bool(live["metadata"].get("deletionTimestamp"))
