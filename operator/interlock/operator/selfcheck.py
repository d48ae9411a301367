"""Whether what guards the cluster stands: without it the operator does not act, as nothing would hold it or the agents.

Admission does not see the deletion of its own policies, nor reads, nor impersonation. So the operator compares policies
and bindings with those that it was shipped with, and asks the authorizer whether the agents may do more than ask. It
looks before it first acts and regularly afterwards; what cannot be looked at counts as missing. It goes on by itself
when all is mended.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from interlock.crds.digest import digest
from interlock.crds.manifests import documents
from interlock.crds.names import AGENTS_USER, OPERATOR_USER
from interlock.crds.powers import AGENTS_GROUPS, AGENTS_MUST_NOT, OPERATOR_GROUPS, OPERATOR_MUST_NOT, Right
from interlock.crds.types import Digest
from interlock.operator.api import Api
from interlock.operator.errors import ApiError

log = logging.getLogger(__name__)

REGISTRATION = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_MENDING_SECONDS = 2.0
"""How often it is looked at while something is wrong."""

Guards = Mapping[tuple[str, str], Digest]
"""Policies and bindings: by kind and name the digest of what they say."""


class Unguarded(Exception):
    """What guards the cluster does not stand as it was shipped: nothing may be done."""


class SelfCheck:
    """Looks regularly, and says whether the operator may act."""

    def __init__(self, api: Api, seconds: float) -> None:
        self._api = api
        self._seconds = seconds
        self._shipped = shipped()
        self._well = asyncio.Event()
        self._ill = asyncio.Event()
        self.trouble = "not looked at yet"

    @property
    def well(self) -> bool:
        """Whether all stood at the last look."""
        return self._well.is_set()

    def check(self) -> None:
        """Called right before each effect.

        Raises:
            Unguarded: something is missing or differs; the message says what.
        """
        if not self.well:
            raise Unguarded(self.trouble)

    async def until_well(self) -> None:
        """Returns when all stands."""
        await self._well.wait()

    async def until_trouble(self) -> None:
        """Returns when something was found that does not stand."""
        await self._ill.wait()

    async def keep(self) -> None:
        """Looks until cancelled."""
        while True:
            self._tell(await self._look())
            await asyncio.sleep(self._seconds if self.well else min(self._seconds, _MENDING_SECONDS))

    def _tell(self, trouble: str) -> None:
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            self._well.clear()
            self._ill.set()
            log.error("nothing is done until this is mended: %s", trouble)
        else:
            self._well.set()
            self._ill.clear()
            log.info("policies stand as shipped, and the agents can only ask")

    async def _look(self) -> str:
        try:
            found = [*differences(self._shipped, await self._standing()), *await self._rights()]
        except ApiError as error:
            return f"what guards the cluster cannot be looked at: {error}"
        return "; ".join(found)

    async def _standing(self) -> Guards:
        return {
            (kind, body["metadata"]["name"]): digest(body["spec"])
            for kind in (POLICY, BINDING)
            for body in await self._api.list(REGISTRATION, kind, None)
        }

    async def _rights(self) -> list[str]:
        path = await self._api.path("authorization.k8s.io/v1", "SubjectAccessReview", None)

        async def excess(who: str, user: str, groups: tuple[str, ...], right: Right) -> str:
            answer = await self._api.create(path, right.review(user, groups))
            return f"{who} may {right}" if answer["status"]["allowed"] else ""

        asked = [
            *(excess("the agents", AGENTS_USER, AGENTS_GROUPS, right) for right in AGENTS_MUST_NOT),
            *(excess("the operator", OPERATOR_USER, OPERATOR_GROUPS, right) for right in OPERATOR_MUST_NOT),
        ]
        return [said for said in await asyncio.gather(*asked) if said]


def shipped() -> Guards:
    """What this version of the operator demands."""
    return {
        (doc["kind"], doc["metadata"]["name"]): digest(_with_defaults(doc["kind"], doc["spec"]))
        for doc in documents("install")
        if doc["kind"] in {POLICY, BINDING}
    }


def differences(wanted: Guards, standing: Guards) -> Iterator[str]:
    """What is missing or says something else. What others have added only forbids more, and is theirs."""
    for (kind, name), says in sorted(wanted.items()):
        if (kind, name) not in standing:
            yield f"{kind} {name} is missing"
        elif standing[kind, name] != says:
            yield f"{kind} {name} is not as shipped"


def _with_defaults(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec as the API server completes it."""
    part = "matchConstraints" if kind == POLICY else "matchResources"
    if part not in spec:
        return dict(spec)
    selectors = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
    matched = {**selectors, **spec[part]}
    if "resourceRules" in matched:
        matched["resourceRules"] = [{"scope": "*", **rule} for rule in matched["resourceRules"]]
    return {**spec, part: matched}
