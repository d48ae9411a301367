"""What can go wrong with one request: the operator dies around it, or the connection, or the answer is another one."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from tests.support.launcher import When
from tests.support.proxy import Call, Disturb, Exchange, Fault


def at(point: str, fault: Fault) -> Disturb:
    """Disturbs the call at this point of a run, once."""

    def disturb(call: Call) -> Fault | None:
        return fault if call.point == point else None

    return disturb


def death(kill: Callable[[], None], when: When) -> Fault:
    """The operator is killed before the request is on its way, or when it is done and the answer is not."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        if when == "after":
            await exchange.forward()
        kill()
        return exchange.reset()

    return fault


def reset(when: When) -> Fault:
    """The connection breaks before the request arrives, or before its answer does."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        if when == "after":
            await exchange.forward()
        return exchange.reset()

    return fault


def refusal(status: int, reason: str, **headers: str) -> Fault:
    """The API server refuses, without having done anything."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        return exchange.refuse(status, reason, {name.replace("_", "-"): value for name, value in headers.items()})

    return fault


def slow(seconds: float, when: When) -> Fault:
    """The request or its answer is on its way for longer than the operator waits; a request still arrives."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        if when == "before":
            await asyncio.sleep(seconds)
            return await exchange.forward()
        answer = await exchange.forward()
        await asyncio.sleep(seconds)
        return answer

    return fault
