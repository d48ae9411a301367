"""The one call that the worker makes: what the analyzers found goes in, a diagnosis that may hold a model's comes out.

A consultation that a crash interrupted goes on with the evidence that it began with; what was answered is not asked
again, and what came to an end is not begun anew while the analyzers say the same.
"""

import asyncio
import json
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from interlock.agents.cluster import Reader
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence, Item
from interlock.agents.llm.advice import Advice
from interlock.agents.llm.autogen import Endpoint
from interlock.agents.llm.briefs import VERSION, digests
from interlock.agents.llm.exchange import Model, ModelUnavailableError
from interlock.agents.llm.metered import Metered, Pause
from interlock.agents.llm.opinion import weigh
from interlock.agents.llm.record import Given, Outcome, key_of, sent_settings
from interlock.agents.llm.session import hold
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.tables import ConsultationRow, ToolCallRow
from interlock.agents.llm.toolbox import Toolbox
from interlock.agents.llm.transcript import Transcript
from interlock.crds.causes import covers
from interlock.crds.digest import digest

Endpoints = Callable[[], AbstractAsyncContextManager[Model]]
"""Opens the model for one consultation; raises ModelUnavailableError."""


class Consultant:
    """Asks models about incidents."""

    def __init__(
        self,
        settings: ModelSettings,
        transcript: Transcript,
        endpoints: Endpoints,
        reader: Reader | None,
        *,
        min_confidence: float,
        now: Callable[[], datetime],
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._transcript = transcript
        self._endpoints = endpoints
        self._reader = reader
        self._min_confidence = min_confidence
        self._now = now
        self._pause = pause

    async def advise(self, incident: str, evidence: Evidence, diagnosis: Diagnosis) -> Advice:
        """The diagnosis with a model's judgment in it, or as it was where none is wanted or to be had.

        Raises:
            StoreUnavailableError: nothing was decided; what was answered until then is kept.
        """
        rows = await to_thread(self._transcript.consultations, incident)
        row = rows[-1] if rows and rows[-1].closed_at is None else None
        if row is None:
            if not self._wanted(diagnosis):
                return Advice(evidence=evidence, diagnosis=diagnosis)
            question = _question(diagnosis)
            known = next((one for one in rows if one.question == question), None)
            if known is not None:
                return self._consulted(known, Outcome.model_validate_json(known.outcome), again=True)
            history = await to_thread(self._transcript.history, incident, evidence.target)
            given = Given(evidence=_with(history, evidence, self._now()), diagnosis=diagnosis).redacted()
            row = await to_thread(self._begin, incident, question, given)
        outcome = await self._ask(row)
        await to_thread(self._transcript.finish, key_of(row), outcome.model_dump_json())
        return self._consulted(row, outcome)

    def _wanted(self, diagnosis: Diagnosis) -> bool:
        if self._settings.when == "always":
            return True
        unsure = diagnosis.best is None or diagnosis.confidence < self._settings.sure_enough
        return unsure and not covers("none", diagnosis.verdict)

    def _begin(self, incident: str, question: str, given: Given) -> ConsultationRow:
        return self._transcript.begin(
            incident,
            question=question,
            model=sent_settings(self._settings),
            prompts=VERSION,
            digests=json.dumps(digests()),
            given=given.model_dump_json(),
        )

    async def _ask(self, row: ConsultationRow) -> Outcome:
        key, given = key_of(row), Given.model_validate_json(row.given)

        async def keep(call: ToolCallRow) -> None:
            await to_thread(self._transcript.keep_tool_call, call)

        known = await to_thread(self._transcript.tool_calls, key)
        toolbox = Toolbox(key, given.evidence, self._reader, now=self._now, keep=keep, known=known)
        try:
            async with self._endpoints() as model:
                return await hold(row, Metered(model, self._transcript, key, self._settings, self._pause), toolbox)
        except ModelUnavailableError as failure:
            return Outcome(why=str(failure))

    def _consulted(self, row: ConsultationRow, outcome: Outcome, *, again: bool = False) -> Advice:
        given = Given.model_validate_json(row.given)
        evidence = given.evidence.model_copy(update={"items": (*given.evidence.items, *outcome.items)})
        told = "" if again else outcome.told
        if outcome.opinion is None:
            return Advice(evidence=evidence, diagnosis=given.diagnosis, told=told)
        most = self._settings.max_confidence
        weighed = weigh(given.diagnosis, outcome.opinion, min_confidence=self._min_confidence, most=most)
        return Advice(evidence=evidence, diagnosis=weighed.diagnosis, doubt=weighed.doubt, told=told)


def endpoints(settings: ModelSettings) -> Endpoints:
    """The endpoint of the settings, set up anew for each consultation so that a new key is taken."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Model]:
        try:
            endpoint = await to_thread(Endpoint, settings)
        except OSError as missing:
            raise ModelUnavailableError(f"the model's key cannot be read: {missing}", again=False) from missing
        try:
            yield endpoint
        finally:
            await endpoint.close()

    return opened


def _with(history: Sequence[Mapping[str, str]], evidence: Evidence, now: datetime) -> Evidence:
    """The evidence with the past of its target, if it has one."""
    if not history:
        return evidence
    source = f"past incidents of {evidence.target}"
    past = Item(id="H1", kind="around", source=source, collected_at=now, content=[dict(one) for one in history])
    return evidence.model_copy(update={"items": (*evidence.items, past)})


def _question(diagnosis: Diagnosis) -> str:
    said = [f"{finding.cause} {finding.object} {finding.confidence}" for finding in diagnosis.hypotheses]
    return digest([diagnosis.verdict, *said])
