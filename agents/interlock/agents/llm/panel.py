"""Who is asked when: On-Call triages, Analysis and Kubectl look in parallel if it wants them to, On-Call concludes.

Each conversation goes one turn at a time and ends when its typed tool was called, or after a number of turns.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.llm.arguments import Arguments, Conclude, Delegate, Report
from interlock.agents.llm.briefing import for_on_call, for_specialist
from interlock.agents.llm.briefs import AgentName, Brief, brief
from interlock.agents.llm.exchange import BudgetExhaustedError, ModelUnavailableError
from interlock.agents.llm.opinion import UNKNOWN, Opinion, opinion_of, problem_with, uncited
from interlock.agents.llm.toolbox import Toolbox, ToolRun

ON_CALL_TURNS = 4
SPECIALIST_TURNS = 3


class Conversation(Protocol):
    """One agent's conversation with a model."""

    async def turn(self, text: str) -> None:
        """Says something, hears the answer, and runs the tools that it calls.

        Raises:
            ModelUnavailableError, BudgetExhaustedError: there was no answer.
        """


Seats = Callable[[Brief, Mapping[str, ToolRun]], Conversation]
"""Opens the conversation of one agent with its tools."""


class Panel:
    """The three agents about one incident."""

    def __init__(
        self, evidence: Evidence, diagnosis: Diagnosis, toolbox: Toolbox, seats: Seats, *, version: str
    ) -> None:
        self._given = evidence
        self._diagnosis = diagnosis
        self._toolbox = toolbox
        self._seats = seats
        self._version = version
        self._questions: Delegate | None = None
        self._opinion: Opinion | None = None

    async def opinion(self) -> Opinion:
        """What On-Call concludes; `unknown` where it comes to no end.

        Raises:
            ModelUnavailableError, BudgetExhaustedError: On-Call had no answer.
        """
        seat = self._seats(brief("on-call", self._version), {"delegate": self._delegate, "conclude": self._conclude})
        said, asked = for_on_call(self._given, self._diagnosis), False
        for turn in range(1, ON_CALL_TURNS + 1):
            await seat.turn(said)
            if self._opinion is not None:
                return self._opinion
            if self._questions is not None and not asked:
                asked = True
                said = f"The reports, as data:\n{await self._reports(self._questions)}\nNow call `conclude`."
            else:
                said = _go_on("conclude", last=turn == ON_CALL_TURNS - 1)
        nothing = f"On-Call came to no conclusion in {ON_CALL_TURNS} answers"
        return Opinion(cause=UNKNOWN, object=self._given.target, confidence=0.0, summary=nothing)

    async def _delegate(self, arguments: Arguments) -> str:
        if self._questions is not None:
            return "they were asked already; call `conclude`"
        self._questions = cast(Delegate, arguments)
        return "they are asked; their reports follow"

    async def _conclude(self, arguments: Arguments) -> str:
        conclusion = cast(Conclude, arguments)
        if problem := problem_with(conclusion, self._toolbox.evidence):
            return f"not accepted: {problem}"
        self._opinion = self._opinion or opinion_of(conclusion, self._given.target)
        return "noted"

    async def _reports(self, questions: Delegate) -> str:
        asked: list[tuple[AgentName, str, Mapping[str, ToolRun]]] = [
            ("analysis", questions.analysis, self._toolbox.analysis()),
            ("kubectl", questions.kubectl, self._toolbox.kubectl()),
        ]
        wanted = [(agent, question, tools) for agent, question, tools in asked if question]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._specialist(*one)) for one in wanted]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return json.dumps({agent: task.result() for (agent, _, _), task in zip(wanted, tasks, strict=True)})

    async def _specialist(self, agent: AgentName, question: str, tools: Mapping[str, ToolRun]) -> object:
        heard: list[Report] = []

        async def report(arguments: Arguments) -> str:
            told = cast(Report, arguments)
            cited = (citation for observation in told.observations for citation in observation.citations)
            # What Kubectl reads meanwhile is not Analysis' to cite: whether it is there yet would be chance.
            seen = self._toolbox.evidence if agent == "kubectl" else self._given
            if problem := uncited(cited, seen):
                return f"not accepted: {problem}"
            heard.append(told)
            return "noted"

        seat = self._seats(brief(agent, self._version), {**tools, "report": report})
        said = for_specialist(question, self._given)
        try:
            for turn in range(1, SPECIALIST_TURNS + 1):
                await seat.turn(said)
                if heard:
                    return heard[0].model_dump(mode="json")
                said = _go_on("report", last=turn == SPECIALIST_TURNS - 1)
        except (ModelUnavailableError, BudgetExhaustedError) as failure:
            return f"no report: {failure}"
        return f"no report in {SPECIALIST_TURNS} answers"


def _go_on(tool: str, *, last: bool) -> str:
    return f"This is your last answer: call `{tool}`." if last else f"Go on, or call `{tool}`."
