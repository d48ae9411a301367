"""Which namespaces this operator works in: those whose label `interlock.dev/shard` names its shard.

A namespace without the label belongs to the default shard, and so does the system namespace, where executions for
cluster-scoped targets live, whatever its label says. The watch tells of every change; a namespace that it has not told
of yet is read. When a label changes, the old shard's operator lets go as soon as it hears of it, and the new one's
later epoch keeps it from writing until then: nothing is lost by a label that two operators see differently.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.crds.names import SHARD_LABEL, SYSTEM_NAMESPACE
from interlock.operator.api import Api, Object


@dataclass(frozen=True)
class _Known:
    """A namespace's shard, and the version of the namespace that said so."""

    version: int
    shard: str


class Shards:
    """The namespaces of one shard. `gained` is called with a namespace that was another shard's until now."""

    def __init__(self, api: Api, shard: str, gained: Callable[[str], None]) -> None:
        self._api = api
        self._shard = shard
        self._gained = gained
        self._known: dict[str, _Known] = {}

    def told(self, event: str | None, namespace: Mapping[str, Any]) -> None:
        """What the watch tells of a namespace; `event` is DELETED when it is gone."""
        name = namespace["metadata"]["name"]
        if event == "DELETED":
            self._known.pop(name, None)
            return
        self._learn(namespace)

    async def owns(self, namespace: str) -> bool:
        """Whether executions in this namespace are ours, by what is known; it is read if nothing is.

        Raises:
            ApiError: the API server did not answer.
        """
        if namespace == SYSTEM_NAMESPACE:
            return self._shard == ""
        if (known := self._known.get(namespace)) is not None:
            return known.shard == self._shard
        return await self.look(namespace)

    async def look(self, namespace: str) -> bool:
        """Whether executions in this namespace are ours as it is now; one that is gone is nobody's.

        Raises:
            ApiError: the API server did not answer.
        """
        if namespace == SYSTEM_NAMESPACE:
            return self._shard == ""
        found: Object | None = await self._api.find("v1", "Namespace", None, namespace)
        return found is not None and self._learn(found) == self._shard

    def _learn(self, namespace: Mapping[str, Any]) -> str:
        metadata = namespace["metadata"]
        name, version = metadata["name"], int(metadata["resourceVersion"])
        before = self._known.get(name)
        if before is not None and before.version >= version:
            return before.shard
        shard: str = (metadata.get("labels") or {}).get(SHARD_LABEL, "")
        self._known[name] = _Known(version, shard)
        if before is not None and before.shard != shard == self._shard:
            self._gained(name)
        return shard
