"""Whether a runbook's account may do what the runbook says: asked of the authorizer before a plan is made.

A dry run shows a missing right only for what it tries. A step that waits, or builds on another one, is tried only when
somebody has approved and something has been done; so all that the runbook declares is asked for first.
"""

import asyncio
import time
from collections.abc import Callable

from interlock.crds.grants import explained, needed
from interlock.crds.runbook import Runbook
from interlock.operator.api import Api

_SECONDS = 60.0
"""How long what was granted is believed to be; what is not is asked for again each time."""
_KEPT = 1024


class Grants:
    """Asks, and remembers for a while what is granted."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._granted: dict[tuple[str, str | None], float] = {}

    async def missing(self, runbook: Runbook, namespace: str | None) -> str:
        """What is not granted in the namespace of a target, and the way out; empty if nothing is missing.

        Raises:
            ApiError: the API server did not answer.
        """
        key = (runbook.digest(), namespace)
        if self._granted.get(key, 0.0) > self._clock():
            return ""
        wanted = list(needed(runbook, namespace))
        path = await self._api.path("authorization.k8s.io/v1", "SubjectAccessReview", None)
        reviews = (self._api.create(path, grant.right.review(grant.user, grant.groups)) for grant in wanted)
        answers = await asyncio.gather(*reviews)
        missing = [grant for grant, answer in zip(wanted, answers, strict=True) if not answer["status"]["allowed"]]
        if missing:
            return explained(runbook, namespace, missing)
        if len(self._granted) >= _KEPT:
            self._granted.clear()
        self._granted[key] = self._clock() + _SECONDS
        return ""
