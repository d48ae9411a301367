"""The identity under which a runbook acts: its own account, by tokens that live minutes and are bound to a Secret.

The Secret is named after execution and attempt and created first: it is the intent of minting, it shows in the audit
log whose token it was, and deleting it ends the token.
"""

import base64
import json
import time
from dataclasses import dataclass
from functools import partial

from interlock.crds import grants
from interlock.crds.execution import RunbookExecution
from interlock.crds.names import EXECUTION_UID_LABEL, RUNNER_SECRET_TYPE, RUNNERS_NAMESPACE, runner_account
from interlock.operator.api import Api
from interlock.operator.errors import Conflict, Forbidden, NotFound
from interlock.operator.trial import IN_EARNEST, Trial

TOKEN_SECONDS = 600
_RENEW_BEFORE_SECONDS = 120
_MAX_ATTEMPTS = 64


class NoRunner(Exception):
    """The runner's account or the right to mint its token is missing; the message says what to apply."""


@dataclass
class Runner:
    """One minted token and the client that uses it."""

    api: Api
    secrets: tuple[str, ...]
    credential: str
    expires: float


class Runners:
    """Mints and keeps one token for each execution that is worked on."""

    def __init__(self, api: Api, trial: Trial = IN_EARNEST) -> None:
        self._api = api
        self._trial = trial
        self._runners: dict[str, Runner] = {}

    async def runner(self, execution: RunbookExecution) -> Runner:
        """A runner whose token lives for at least two more minutes.

        Raises:
            NoRunner: the account or the grant is missing.
            ApiError: the API server did not answer.
        """
        known = self._runners.get(execution.uid)
        if known is not None and known.expires - time.monotonic() > _RENEW_BEFORE_SECONDS:
            return known
        if known is not None:
            await self.release(execution.uid)
        self._runners[execution.uid] = minted = await self._mint(execution)
        return minted

    async def _mint(self, execution: RunbookExecution) -> Runner:
        family = execution.spec.runbook.family
        account = runner_account(family, execution.spec.target.namespace)
        try:
            secrets, uid = await self._secret(execution.uid)
            base = await self._api.path("v1", "ServiceAccount", RUNNERS_NAMESPACE, account, "token")
            bound = {"kind": "Secret", "apiVersion": "v1", "name": secrets[-1], "uid": uid}
            answer = await self._api.create(
                base,
                {
                    "apiVersion": "authentication.k8s.io/v1",
                    "kind": "TokenRequest",
                    "spec": {"expirationSeconds": TOKEN_SECONDS, "boundObjectRef": bound},
                },
            )
        except (NotFound, Forbidden) as refused:
            way_out = grants.way_out(family, execution.spec.target.namespace)
            raise NoRunner(f"no token of {account} in {RUNNERS_NAMESPACE}: {refused}; {way_out}") from refused
        token = str(answer["status"]["token"])
        api = self._api.with_token(token, partial(self._trial.heard, account))
        return Runner(api, secrets, _jti(token), time.monotonic() + TOKEN_SECONDS)

    async def _secret(self, execution: str) -> tuple[tuple[str, ...], str]:
        """All Secrets of the execution with this uid so far, a new one last, and that one's uid."""
        path = await self._api.path("v1", "Secret", RUNNERS_NAMESPACE)
        labels = {EXECUTION_UID_LABEL: execution}
        names = _names(execution)
        for attempt, name in enumerate(names, start=1):
            try:
                made = await self._api.create(
                    path,
                    {
                        "apiVersion": "v1",
                        "kind": "Secret",
                        "type": RUNNER_SECRET_TYPE,
                        "metadata": {"name": name, "namespace": RUNNERS_NAMESPACE, "labels": labels},
                    },
                )
            except Conflict:
                continue
            return names[:attempt], str(made["metadata"]["uid"])
        raise NoRunner(f"{_MAX_ATTEMPTS} tokens were minted for {execution} already")

    async def release(self, uid: str, *, inherited: bool = False) -> None:
        """Ends the tokens of an execution: those minted here, and those of operators before us if it was inherited.

        Raises:
            ApiError: the API server did not answer; some of them may be left.
        """
        runner = self._runners.get(uid)
        if runner is not None:
            await runner.api.close()
            names = runner.secrets
        elif inherited:
            names = await self._inherited(uid)
        else:
            return
        # The last first: what a crash leaves is found again by counting from the first.
        for name in reversed(names):
            await self._api.delete(await self._api.path("v1", "Secret", RUNNERS_NAMESPACE, name))
        self._runners.pop(uid, None)

    async def _inherited(self, uid: str) -> tuple[str, ...]:
        """Secrets cannot be read: only where a new one finds place shows how many there are."""
        try:
            names, _ = await self._secret(uid)
        except NoRunner:
            return _names(uid)
        return names

    async def close(self) -> None:
        """Ends all tokens."""
        for uid in list(self._runners):
            await self.release(uid)


def _names(execution: str) -> tuple[str, ...]:
    return tuple(f"rbx-{execution}-{attempt}" for attempt in range(1, _MAX_ATTEMPTS + 1))


def _jti(token: str) -> str:
    """The token's identifier, by which the API server's audit log names it."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims.get("jti", ""))
