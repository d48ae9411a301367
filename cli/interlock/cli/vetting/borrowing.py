"""A node that stands for others too: taken for a trial once earlier trials have left it, and given back as it was."""

from interlock.cli.vetting.looking import until
from interlock.cli.vetting.stage import TRIALS
from interlock.operator.actions.pods import has_to_leave
from interlock.operator.api import Api, Object


class Borrowed:
    """One node of the cluster, for one trial at a time."""

    def __init__(self, admin: Api, name: str) -> None:
        self._admin = admin
        self._name = name
        self._before: Object | None = None

    async def take(self) -> None:
        """Waits until the pods of earlier trials have left it; raises NotSeen where some stay, ApiError."""
        await until(f"earlier trials to leave {self._name}", self._is_left)
        self._before = await self._admin.get("v1", "Node", None, self._name)

    async def give_back(self) -> None:
        """Lets it take pods again if it did, and report what it reported before; raises ApiError."""
        if self._before is None:
            return
        path = await self._admin.path("v1", "Node", None, self._name)
        taints = {name: self._before["spec"].get(name) for name in ("unschedulable", "taints")}
        await self._admin.merge_patch(path, {"spec": taints})
        conditions = self._before["status"]["conditions"]
        await self._admin.merge_patch(f"{path}/status", {"status": {"conditions": conditions}})

    async def _is_left(self) -> bool:
        on_it = await self._admin.list("v1", "Pod", None, fields=f"spec.nodeName={self._name}")
        return not any(pod["metadata"]["namespace"].startswith(TRIALS) and has_to_leave(pod) for pod in on_it)
