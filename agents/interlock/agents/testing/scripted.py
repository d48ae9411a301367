"""A model that answers from a list per agent, and keeps what it was asked."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from interlock.agents.llm.exchange import Answer, ModelUnavailableError, Request, ToolCall, heard

Scripted = Answer | ModelUnavailableError


def call(tool: str, /, **arguments: JsonValue) -> Answer:
    """An answer that calls one tool."""
    return calls((tool, arguments))


def calls(*wanted: tuple[str, JsonValue], text: str = "") -> Answer:
    """An answer that calls several tools."""
    made = tuple(
        ToolCall(id=f"call-{number}", name=tool, arguments=json.dumps(arguments))
        for number, (tool, arguments) in enumerate(wanted, start=1)
    )
    return heard(text, made, finish="function_calls")


def says(text: str) -> Answer:
    """An answer that calls nothing."""
    return heard(text, ())


class ScriptedModel:
    """Answers each agent's questions in order.

    `scripts` names agents (`on-call`, `analysis`, `kubectl`) with their answers; an error among them is raised.
    An agent whose script is at its end has no answer.
    """

    def __init__(self, scripts: dict[str, Sequence[Scripted]]) -> None:
        self._left = {agent: list(answers) for agent, answers in scripts.items()}
        self.requests: list[Request] = []
        """What was asked, in order."""

    async def answer(self, request: Request) -> Answer:
        """The next answer for the agent that asks."""
        self.requests.append(request)
        left = self._left.get(request.agent)
        if not left:
            raise ModelUnavailableError(f"the script of {request.agent} is at its end", again=False)
        answer = left.pop(0)
        if isinstance(answer, ModelUnavailableError):
            raise answer
        return answer
