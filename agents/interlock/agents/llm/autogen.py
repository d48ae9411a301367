"""The only module that imports AutoGen: one turn of an agent, and the endpoints that answer.

A turn is one call of AssistantAgent with a single tool iteration. Between AutoGen and the endpoint stands our own
`Model`, so that budget, record and replay see each exchange as a plain value.
"""

import logging
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import TextMessage
from autogen_core import EVENT_LOGGER_NAME, CancellationToken, FunctionCall
from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    ModelCapabilities,
    ModelInfo,
    RequestUsage,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import BaseTool, ParametersSchema, ToolSchema
from pydantic import BaseModel, JsonValue, ValidationError

from interlock.agents.errors import AgentError
from interlock.agents.llm.arguments import ARGUMENTS, Arguments
from interlock.agents.llm.briefs import Brief
from interlock.agents.llm.exchange import (
    Answer,
    Message,
    Model,
    ModelUnavailableError,
    Request,
    ToolCall,
    ToolResult,
    ToolSpec,
    heard,
)
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.toolbox import ToolRun

_INFO = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    family="unknown",
    structured_output=False,
    multiple_system_messages=False,
)
_SHAPES = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What the clients raise when an answer has not the shape that it should."""
LONGEST_RESULT = 4096

# A cut answer is told to the model, and servers call models as they like.
warnings.filterwarnings("ignore", "(Finish reason|Resolved model) mismatch", UserWarning)
# These write whole conversations, or a line for each request.
for _name in (EVENT_LOGGER_NAME, "autogen_core", "httpx", "httpx2", "openai", "anthropic"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class AutoGenConversation:
    """One agent's conversation."""

    def __init__(self, told: Brief, runs: Mapping[str, ToolRun], model: Model, settings: ModelSettings) -> None:
        self._voice = _Voice(told, model, settings)
        self._tools = [_Tool(spec, runs[spec.name]) for spec in told.tools]
        self._agent = AssistantAgent(
            name=told.agent.replace("-", "_"),
            model_client=self._voice,
            tools=list(self._tools),
            system_message=told.system,
            max_tool_iterations=1,
            reflect_on_tool_use=False,
        )

    async def turn(self, text: str) -> None:
        """Says something, hears the answer, and runs the tools that it calls.

        Raises:
            ModelUnavailableError, BudgetExhaustedError: there was no answer.
            StoreUnavailableError: a tool's answer could not be kept.
        """
        await self._agent.on_messages([TextMessage(content=text, source="interlock")], CancellationToken())
        for tool in self._tools:
            if tool.failure is not None:  # AutoGen tells failures of tools to the model; ours are not its business
                raise tool.failure


class _Tool(BaseTool[Arguments, Any]):
    def __init__(self, spec: ToolSpec, run: ToolRun) -> None:
        super().__init__(ARGUMENTS[spec.name], str, spec.name, spec.description)
        self._spec = spec
        self._run = run
        self.failure: AgentError | None = None

    @property
    def schema(self) -> ToolSchema:
        return _tool_schema(self._spec)

    async def run(self, args: Arguments, cancellation_token: CancellationToken) -> str:
        try:
            return await self._run(args)
        except AgentError as failure:
            self.failure = failure
            raise

    async def run_json(
        self, args: Mapping[str, Any], cancellation_token: CancellationToken, call_id: str | None = None
    ) -> Any:
        try:
            arguments = ARGUMENTS[self._spec.name].model_validate(args)
        except ValidationError as wrong:
            return "; ".join(_said(error) for error in wrong.errors(include_url=False, include_input=False)[:4])
        return await self.run(arguments, cancellation_token)


class _Voice(ChatCompletionClient):
    """Our `Model`, as AutoGen asks it."""

    component_type = "model"
    component_config_schema = BaseModel

    def __init__(self, told: Brief, model: Model, settings: ModelSettings) -> None:
        self._told = told
        self._model = model
        self._settings = settings

    async def create(self, messages: Sequence[LLMMessage], **_: Any) -> CreateResult:
        request = Request(
            agent=self._told.agent,
            model=self._settings.name,
            parameters=parameters(self._settings),
            prompts=self._told.version,
            tools=self._told.tools,
            messages=tuple(_from_autogen(message) for message in messages),
        )
        answer = await self._model.answer(request)
        calls = [FunctionCall(id=call.id, name=call.name, arguments=call.arguments) for call in answer.calls]
        return CreateResult(
            finish_reason="function_calls" if calls else "stop",
            content=calls or answer.text,
            usage=RequestUsage(prompt_tokens=answer.input_tokens, completion_tokens=answer.output_tokens),
            cached=False,
            thought=answer.text if calls and answer.text else None,
        )

    def create_stream(self, messages: Sequence[LLMMessage], **_: Any) -> AsyncGenerator[str | CreateResult, None]:
        raise NotImplementedError("answers are not streamed")

    async def close(self) -> None:
        """Nothing is held."""

    def actual_usage(self) -> RequestUsage:
        return RequestUsage(prompt_tokens=0, completion_tokens=0)

    def total_usage(self) -> RequestUsage:
        return self.actual_usage()

    def count_tokens(self, messages: Sequence[LLMMessage], **_: Any) -> int:
        return 0

    def remaining_tokens(self, messages: Sequence[LLMMessage], **_: Any) -> int:
        return 0

    @property
    def capabilities(self) -> ModelCapabilities:
        return cast(ModelCapabilities, _INFO)

    @property
    def model_info(self) -> ModelInfo:
        return _INFO


class Endpoint:
    """A model behind an API."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._client, self._failures = _client(settings)

    async def answer(self, request: Request) -> Answer:
        """The endpoint's answer.

        Raises:
            ModelUnavailableError: it gave none that can be used.
        """
        messages = [one for message in request.messages for one in _to_autogen(message, request.agent)]
        try:
            result = await self._client.create(messages, tools=[_tool_schema(tool) for tool in request.tools])
        except self._failures as failure:
            raise ModelUnavailableError(f"{type(failure).__name__}: {failure}", again=_passing(failure)) from None
        except _SHAPES as malformed:
            said = f"the answer is malformed: {type(malformed).__name__}: {malformed}"
            raise ModelUnavailableError(said, again=True) from None
        return _heard(result)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()


def parameters(settings: ModelSettings) -> dict[str, JsonValue]:
    """What is sent beside the messages."""
    sent: dict[str, JsonValue] = {settings.answer_tokens_field: settings.answer_tokens}
    return sent if settings.temperature is None else {**sent, "temperature": settings.temperature}


# The clients weigh a second each; only the one that is configured is loaded.
def _client(settings: ModelSettings) -> tuple[ChatCompletionClient, type[Exception]]:
    arguments: dict[str, Any] = {
        "model": settings.name,
        "api_key": settings.key_file.read_text().strip() if settings.key_file else "none",
        "timeout": settings.call_timeout,
        "max_retries": 0,
        "model_info": _INFO,
        **parameters(settings),
    }
    if settings.endpoint is not None:
        arguments["azure_endpoint" if settings.provider == "azure" else "base_url"] = settings.endpoint
    if settings.provider == "anthropic":
        from anthropic import AnthropicError  # noqa: PLC0415
        from autogen_ext.models.anthropic import AnthropicChatCompletionClient  # noqa: PLC0415

        arguments["max_tokens"] = arguments.pop(settings.answer_tokens_field)
        return AnthropicChatCompletionClient(**arguments), AnthropicError
    from autogen_ext.models.openai import AzureOpenAIChatCompletionClient, OpenAIChatCompletionClient  # noqa: PLC0415
    from openai import OpenAIError  # noqa: PLC0415

    if settings.provider == "azure":
        arguments |= {"azure_deployment": settings.name, "api_version": settings.api_version}
        return AzureOpenAIChatCompletionClient(**arguments), OpenAIError
    return OpenAIChatCompletionClient(**arguments), OpenAIError


def _passing(failure: Exception) -> bool:
    """Whether asking again may help: no connection, too many requests, a failing server."""
    status = getattr(failure, "status_code", None)
    return status is None or status in {408, 409, 429} or status >= 500


def _heard(result: CreateResult) -> Answer:
    usage = {"input_tokens": result.usage.prompt_tokens or 0, "output_tokens": result.usage.completion_tokens or 0}
    if isinstance(result.content, str):
        return heard(result.content, (), finish=result.finish_reason, **usage)
    calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in result.content)
    return heard(result.thought or "", calls, finish=result.finish_reason, **usage)


def _from_autogen(message: LLMMessage) -> Message:
    match message:
        case SystemMessage():
            return Message(role="system", text=message.content)
        case UserMessage():
            return Message(role="user", text=str(message.content))
        case AssistantMessage(content=str(text)):
            return Message(role="assistant", text=text)
        case AssistantMessage():
            calls = tuple(
                ToolCall(id=call.id, name=call.name, arguments=call.arguments)
                for call in message.content
                if isinstance(call, FunctionCall)
            )
            return Message(role="assistant", text=message.thought or "", calls=calls)
        case FunctionExecutionResultMessage():
            results = tuple(
                ToolResult(call_id=one.call_id, name=one.name, text=one.content[:LONGEST_RESULT])
                for one in message.content
            )
            return Message(role="tool", results=results)


def _to_autogen(message: Message, agent: str) -> list[LLMMessage]:
    match message.role:
        case "system":
            return [SystemMessage(content=message.text)]
        case "user":
            return [UserMessage(content=message.text, source="interlock")]
        case "assistant":
            calls = [FunctionCall(id=call.id, name=call.name, arguments=call.arguments) for call in message.calls]
            return [
                AssistantMessage(
                    content=calls or message.text,
                    thought=message.text if calls and message.text else None,
                    source=agent.replace("-", "_"),
                )
            ]
        case "tool":
            results = [
                FunctionExecutionResult(call_id=one.call_id, name=one.name, content=one.text, is_error=False)
                for one in message.results
            ]
            return [FunctionExecutionResultMessage(content=results)]


def _tool_schema(tool: ToolSpec) -> ToolSchema:
    return ToolSchema(
        name=tool.name, description=tool.description, parameters=cast(ParametersSchema, tool.parameters), strict=False
    )


def _said(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "arguments"
    return f"{where}: {error['msg']}"
