"""Whether a runbook is to be trusted here and now: by the installation's trust policy, on this cluster's Kubernetes."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from interlock.crds.attestation import Verdict, judge
from interlock.crds.runbook import Runbook
from interlock.crds.trust import PolicyRefused, TrustPolicy
from interlock.operator.api import Api
from interlock.operator.session import Clock

log = logging.getLogger(__name__)

VERSION_KEPT = timedelta(minutes=5)
"""How long the API server's version is believed; it changes with an upgrade of the cluster."""


class Trust:
    """Judges runbooks. A policy that cannot be read trusts nobody, until it can."""

    def __init__(self, api: Api, policy: Path | None, clock: Clock, *, allow_unvetted: bool) -> None:
        self._api = api
        self._path = policy
        self._clock = clock
        self._content = b""
        self._policy = TrustPolicy()
        self._version = ""
        self._version_read: datetime | None = None
        self.allow_unvetted = allow_unvetted
        """Whether what nobody attests runs all the same."""

    async def judge(self, runbook: Runbook) -> Verdict:
        """Whether it is to be trusted now.

        Raises:
            ApiError: the API server does not say which version it is.
        """
        try:
            policy = self.policy()
        except PolicyRefused as refused:
            return Verdict("PolicyUnreadable", f"the trust policy cannot be read, so nobody is trusted: {refused}")
        attested = runbook.spec.attestations and policy.keys
        return judge(runbook, policy, self._clock(), await self._kubernetes() if attested else "")

    def policy(self) -> TrustPolicy:
        """The policy as the file says it now.

        Raises:
            PolicyRefused: there is no such file, or it is no trust policy.
        """
        if self._path is None:
            return self._policy
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise PolicyRefused(str(error)) from error
        if content != self._content:
            self._policy = TrustPolicy.parse(content)
            self._content = content
            keys = ", ".join(trusted.name for trusted in self._policy.keys)
            log.info("attestations are believed that are signed by: %s", keys or "nobody")
        return self._policy

    async def _kubernetes(self) -> str:
        now = self._clock()
        if self._version_read is None or now - self._version_read > VERSION_KEPT:
            self._version = str((await self._api.request("GET", "/version"))["gitVersion"])
            self._version_read = now
        return self._version
