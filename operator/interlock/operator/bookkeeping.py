"""Keeps the Ledgers true and shows what they say: what has ended holds nothing for long, and guardrails show their use.

What ends gives back by itself; this is for whoever died before. What is shown decides nothing.
"""

from interlock.crds.guardrail import Guardrail, GuardrailStatus
from interlock.crds.ledger import SHARED_LEDGER, ledger_of
from interlock.crds.types import API_VERSION
from interlock.operator.api import Api, Object
from interlock.operator.core.shown import shown
from interlock.operator.errors import NotFound
from interlock.operator.lease import Leadership
from interlock.operator.ledgers import Ledgers
from interlock.operator.recurring import every
from interlock.operator.session import Clock, utc_now


class Bookkeeping:
    """Sweeps the Ledgers, and writes the status of Guardrails."""

    def __init__(self, api: Api, leadership: Leadership, ledgers: Ledgers, clock: Clock = utc_now) -> None:
        self._api = api
        self._leadership = leadership
        self._ledgers = ledgers
        self._clock = clock

    async def sweep_every(self, seconds: float) -> None:
        """Sweeps while this process leads, until cancelled; failures are logged."""
        await every(seconds, self._leadership, self._ledgers.sweep, "the Ledgers are not swept")

    async def show_every(self, seconds: float) -> None:
        """Shows what is used while this process leads, until cancelled; failures are logged."""
        await every(seconds, self._leadership, self.show, "what is used of guardrails is not shown")

    async def show(self) -> int:
        """Writes the status of each guardrail that has changed; returns how many.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: the API server refuses, or does not answer.
        """
        specs = {_namespace(ledger.name): ledger.spec for ledger in await self._ledgers.all()}
        count = 0
        for body in await self._api.list(API_VERSION, "Guardrail", None):
            status = shown(Guardrail.from_object(body), specs, self._clock(), body["metadata"]["generation"])
            count += await self._write(body, status)
        return count

    async def _write(self, body: Object, status: GuardrailStatus) -> bool:
        content = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        if (body.get("status") or {}) == content:
            return False
        path = await self._api.path(API_VERSION, "Guardrail", None, body["metadata"]["name"], "status")
        self._leadership.fence()
        try:
            await self._api.merge_patch(path, {"status": content})
        except NotFound:
            return False
        return True


def _namespace(ledger: str) -> str:
    """Whose Ledger it is, empty for the shared one."""
    return "" if ledger == SHARED_LEDGER else ledger.removeprefix(ledger_of(""))
