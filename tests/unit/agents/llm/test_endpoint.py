"""The real clients against a local server that answers well and badly."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.agents.llm.conftest import SETTINGS, Room, unclear

from interlock.agents.llm.autogen import Endpoint
from interlock.agents.llm.briefs import brief
from interlock.agents.llm.consult import endpoints
from interlock.agents.llm.exchange import Answer, Message, ModelUnavailableError, Request
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.testing import ModelServer, Reply, calls_over_http, says_over_http

CONCLUSION = {
    "cause": "workload.config.value-invalid",
    "kind": "Deployment",
    "name": "web",
    "confidence": 0.9,
    "citations": [{"id": "E1", "excerpt": "web"}],
    "summary": "So it is.",
}
ASKED = Request(
    agent="on-call",
    model="scripted",
    parameters={},
    prompts="1",
    tools=brief("on-call").tools,
    messages=(Message(role="system", text="You are."), Message(role="user", text="What is wrong?")),
)


@asynccontextmanager
async def serving(replies: Sequence[Reply], **other: object) -> AsyncIterator[tuple[ModelServer, Endpoint]]:
    with ModelServer(replies) as server:
        settings = SETTINGS.model_copy(update={"endpoint": f"{server.url}/v1", "call_timeout": 30.0, **other})
        endpoint = Endpoint(settings)
        try:
            yield server, endpoint
        finally:
            await endpoint.close()


async def answer(*replies: Reply) -> Answer:
    async with serving(replies) as (_, endpoint):
        return await endpoint.answer(ASKED)


async def test_a_consultation_over_http(room: Room, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k-123\n")
    with ModelServer([calls_over_http("conclude", json.dumps(CONCLUSION))]) as server:
        update = {"endpoint": f"{server.url}/v1", "key_file": key}
        settings = SETTINGS.model_copy(update=update)
        consultant = room.consultant(None, settings)  # type: ignore[arg-type]
        consultant._endpoints = endpoints(settings)
        advice = await consultant.advise("i1", *unclear())
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    (sent,) = server.requests
    assert server.keys == ["Bearer k-123"]
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("scripted", 800, 0.0)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert {tool["function"]["name"] for tool in sent["tools"]} == {"delegate", "conclude"}
    assert "$ref" not in json.dumps(sent)
    spent = room.transcript.spent("i1")
    assert (spent.calls, spent.tokens) == (1, 120)


async def test_text_and_tokens_are_heard() -> None:
    heard = await answer(says_over_http("token=abcd1234efgh \x1b[2J"))
    assert heard.text == "token=[redacted] \\x1b[2J"
    assert (heard.input_tokens, heard.output_tokens) == (100, 20)


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        (Reply(b'{"error": {"message": "slow down"}}', status=429), True),
        (Reply(b"upstream died", status=500), True),
        (Reply(b'{"error": {"message": "no such key sk-abcdefghijklmnopqrstuvwx"}}', status=401), False),
        (Reply(b"<html>busy</html>"), True),
        (Reply(b'{"id": "x", "object": "chat.completion", "choices": []}'), True),
        (Reply(b'{"choices": null}'), True),
        (Reply(says_over_http("half").body, cut=True), True),
        (says_over_http("A" * 100_000), False),
    ],
    ids=["429", "500", "401", "html", "no-choice", "null", "cut", "huge"],
)
async def test_what_is_no_answer_is_said_so(reply: Reply, again: bool) -> None:
    with pytest.raises(ModelUnavailableError) as failure:
        await answer(reply)
    assert failure.value.again is again
    assert "sk-abc" not in str(failure.value)


async def test_a_server_that_hangs_is_not_waited_for() -> None:
    async with serving([Reply(hangs=True)], call_timeout=0.2) as (_, endpoint):
        with pytest.raises(ModelUnavailableError, match=r"(?i)time") as failure:
            await endpoint.answer(ASKED)
    assert failure.value.again


async def test_arguments_that_were_cut_off_go_back_to_the_model(room: Room) -> None:
    cut = calls_over_http("conclude", json.dumps(CONCLUSION)[:40], finish="length")
    async with serving([cut, calls_over_http("conclude", json.dumps(CONCLUSION))]) as (server, endpoint):
        advice = await room.consultant(endpoint).advise("i1", *unclear())
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    assert "Error" in server.requests[1]["messages"][3]["content"]


async def test_one_refusal_for_too_many_requests_is_waited_out(room: Room) -> None:
    busy = Reply(b"{}", status=429)
    async with serving([busy, calls_over_http("conclude", json.dumps(CONCLUSION))]) as (server, endpoint):
        advice = await room.consultant(endpoint).advise("i1", *unclear())
    assert advice.diagnosis.verdict == "workload.config.value-invalid"
    assert (len(server.requests), room.paused) == (2, [SETTINGS.retry_after])


async def test_azure_is_spoken_to_in_its_own_way() -> None:
    with ModelServer([says_over_http("Hello.")]) as server:
        settings = ModelSettings(provider="azure", name="ours", endpoint=server.url)
        endpoint = Endpoint(settings)
        assert (await endpoint.answer(ASKED)).text == "Hello."
        await endpoint.close()
    assert server.keys == ["none"]


async def test_anthropic_is_spoken_to_in_its_own_way() -> None:
    body = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [{"type": "tool_use", "id": "c1", "name": "conclude", "input": CONCLUSION}],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 8},
    }
    with ModelServer([Reply(json.dumps(body).encode())]) as server:
        endpoint = Endpoint(ModelSettings(provider="anthropic", name="scripted", endpoint=server.url))
        heard = await endpoint.answer(ASKED)
        await endpoint.close()
    assert json.loads(heard.calls[0].arguments) == CONCLUSION
    assert (heard.input_tokens, heard.output_tokens) == (7, 8)
    assert (server.requests[0]["system"], server.requests[0]["max_tokens"]) == ("You are.", 800)


async def test_a_key_that_cannot_be_read_leaves_the_analyzers_answer(room: Room, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"key_file": tmp_path / "gone"})
    consultant = room.consultant(None, settings)  # type: ignore[arg-type]
    consultant._endpoints = endpoints(settings)
    evidence, diagnosis = unclear()
    advice = await consultant.advise("i1", evidence, diagnosis)
    assert advice.diagnosis == diagnosis
    assert "key cannot be read" in advice.told
