"""Writes the status of each published runbook, so that `kubectl get rb` tells why one would be refused.

What is shown decides nothing. The default shard's operator writes it; nobody else may.
"""

from collections.abc import Sequence

from interlock.crds.attestation import Verdict
from interlock.crds.ledger import LedgerSpec
from interlock.crds.names import RUNNERS_NAMESPACE, SYSTEM_NAMESPACE
from interlock.crds.runbook import Runbook
from interlock.crds.types import API_VERSION, rfc3339
from interlock.operator.api import Api, Object
from interlock.operator.core.standing import NAMED, Published, Surroundings, places, standing
from interlock.operator.errors import NotFound
from interlock.operator.grants import Grants
from interlock.operator.lease import Leadership
from interlock.operator.recurring import every
from interlock.operator.session import Clock, utc_now
from interlock.operator.trust import Trust

_RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_NOT_JUDGED = Verdict("NoAttestation", "not judged, as it is not understood")


class Standings:
    """What is found of each runbook."""

    def __init__(self, api: Api, leadership: Leadership, trust: Trust, clock: Clock = utc_now) -> None:
        self._api = api
        self._leadership = leadership
        self._trust = trust
        self._clock = clock
        self._grants = Grants(api)

    async def show_every(self, seconds: float) -> None:
        """Shows while this process leads, until cancelled; failures are logged."""
        await every(seconds, self._leadership, self.show, "the runbooks' status is not kept")

    async def show(self) -> int:
        """Writes the status of each runbook whose standing has changed; returns how many.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: the API server refuses, or does not answer.
        """
        bodies = await self._api.list(API_VERSION, "Runbook", None)
        runners = await self._runners()
        listed = await self._api.list(API_VERSION, "Ledger", SYSTEM_NAMESPACE)
        ledgers = [LedgerSpec.model_validate(body["spec"]) for body in listed]
        return sum([await self._show(body, runners, ledgers) for body in bodies])

    async def _show(self, body: Object, runners: frozenset[str], ledgers: list[LedgerSpec]) -> bool:
        published = Published.of(body)
        verdict = await self._trust.judge(published.runbook) if published.runbook else _NOT_JUDGED
        granted = places(published.runbook, runners) if published.runbook else ()
        missing = await self._missing(published.runbook, granted) if published.runbook else ""
        around = Surroundings(verdict, self._trust.allow_unvetted, granted, missing, ledgers)
        status = standing(published, around, rfc3339(self._clock()))
        if status == published.status:
            return False
        content = status.model_dump(mode="json", by_alias=True)  # null takes away what does not hold any more
        path = await self._api.path(API_VERSION, "Runbook", None, body["metadata"]["name"], "status")
        self._leadership.fence()
        try:
            await self._api.merge_patch(path, {"status": content})
        except NotFound:
            return False
        return True

    async def _missing(self, runbook: Runbook, granted: Sequence[str | None]) -> str:
        """What a runner lacks, of those that are named to people."""
        for place in granted[:NAMED]:
            if missing := await self._grants.missing(runbook, place):
                return missing
        return ""

    async def _runners(self) -> frozenset[str]:
        """The accounts that this operator may mint tokens of, by its own rights."""
        asked = {"spec": {"namespace": RUNNERS_NAMESPACE}}
        rules = (await self._api.create(_RULES, asked))["status"]["resourceRules"]
        return frozenset(
            name
            for rule in rules
            if "serviceaccounts/token" in rule.get("resources", ()) and "create" in rule["verbs"]
            for name in rule.get("resourceNames", ())
        )
