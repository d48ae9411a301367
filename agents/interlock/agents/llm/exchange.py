"""What is said to a model and what it answers, whoever speaks to it: plain values with a digest.

All text passes `clean` on its way in and out: whatever else fails, no secret that can be recognised reaches an
endpoint, a transcript or a log.
"""

import json
from functools import cached_property, lru_cache
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, JsonValue

from interlock.agents.errors import AgentError
from interlock.agents.model import Record
from interlock.agents.payload import printable
from interlock.crds.digest import digest
from interlock.crds.redact import redact_object, redact_text
from interlock.crds.types import Digest

LONGEST_ANSWER = 16 * 1024
"""Characters of text and arguments in one answer."""
MOST_CALLS = 4
"""Tool calls of one answer that are heard; the rest is counted and dropped."""

Role = Literal["system", "user", "assistant", "tool"]


class ModelUnavailableError(AgentError):
    """The model gave no answer that can be used; `again` says whether asking once more may help."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(printable(redact_text(message), 300))
        self.again = again


class BudgetExhaustedError(AgentError):
    """The next call could pass a limit; the message names the limit. What the analyzers say stands."""


@lru_cache(maxsize=128)  # a conversation is sent whole with each of its turns
def clean(text: str) -> str:
    """Text without what looks like a secret, and without characters that a terminal would obey; lines are kept."""
    return "\n".join(printable(line, len(line) * 10 + 1) for line in redact_text(text).split("\n"))


Text = Annotated[str, AfterValidator(clean)]


class ToolCall(Record):
    """A tool that the model wants called; `arguments` are JSON, if the model wrote JSON."""

    id: str
    name: str
    arguments: str


class ToolResult(Record):
    """What a tool answered."""

    call_id: str
    name: str
    text: Text


class Message(Record):
    """One message: text, or calls of the assistant, or results of tools."""

    role: Role
    text: Text = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()


class ToolSpec(Record):
    """A tool as the model sees it; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class Request(Record):
    """All that a model is sent."""

    agent: str
    model: str
    parameters: dict[str, JsonValue]
    prompts: str
    """The version of the prompts."""
    tools: tuple[ToolSpec, ...]
    messages: tuple[Message, ...]

    @cached_property
    def digest(self) -> Digest:
        """The same for the same question."""
        return digest(self.model_dump(mode="json"))

    @cached_property
    def size(self) -> int:
        """Bytes of what is sent, tools included; the scaffolding of a provider's own format is not counted."""
        return len(self.model_dump_json(include={"messages", "tools"}).encode())


class Answer(Record):
    """What the model said, cleaned."""

    text: Text = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    input_tokens: int = 0
    output_tokens: int = 0
    dropped_calls: int = 0


class Model(Protocol):
    """Something that answers."""

    async def answer(self, request: Request) -> Answer:
        """The answer.

        Raises:
            ModelUnavailableError: there is none.
            BudgetExhaustedError: the question was not asked.
        """


def heard(
    text: str, calls: tuple[ToolCall, ...], *, finish: str = "stop", input_tokens: int = 0, output_tokens: int = 0
) -> Answer:
    """The answer as far as it is listened to.

    Raises:
        ModelUnavailableError: it is larger than LONGEST_ANSWER.
    """
    size = len(text) + sum(len(call.arguments) + len(call.name) + len(call.id) for call in calls[:MOST_CALLS])
    if size > LONGEST_ANSWER:
        raise ModelUnavailableError(f"the answer has {size} characters, more than {LONGEST_ANSWER}", again=False)
    return Answer(
        text=text,
        calls=tuple(_clean_call(call) for call in calls[:MOST_CALLS]),
        finish=finish,
        input_tokens=max(input_tokens, 0),
        output_tokens=max(output_tokens, 0),
        dropped_calls=max(len(calls) - MOST_CALLS, 0),
    )


def _clean_call(call: ToolCall) -> ToolCall:
    try:
        arguments = json.dumps(redact_object(json.loads(call.arguments)))
    except (ValueError, RecursionError):
        arguments = clean(call.arguments)
    return ToolCall(
        id=printable(redact_text(call.id), 200), name=printable(redact_text(call.name), 100), arguments=arguments
    )
