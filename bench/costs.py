"""What the contract's safeguards cost: each against the same work without it."""

import asyncio
import copy
import hashlib
import json
from collections.abc import Iterator

from pydantic import JsonValue

from bench.figure import Figure, microseconds
from interlock.crds.cel import compile_expression, evaluate
from interlock.crds.celprocess import Evaluator
from interlock.crds.digest import digest
from interlock.crds.journal import Event, broken_at, extend, genesis
from interlock.crds.redact import redact_object

AT = "2026-01-02T03:04:05.678Z"
EXPRESSION = "pods.all(p, p.status.?phase.orValue('') == 'Running') && size(pods) >= parameters.replicas"


def pod(number: int) -> dict[str, JsonValue]:
    """A pod of ordinary size."""
    containers: list[JsonValue] = [
        {
            "name": f"container-{n}",
            "image": "registry.example.com:5000/shop/web@sha256:" + "a" * 64,
            "env": [{"name": f"NAME_{e}", "value": f"ordinary value {e}"} for e in range(10)],
        }
        for n in range(3)
    ]
    return {
        "kind": "Pod",
        "metadata": {"name": f"web-{number}", "labels": {"app": "web"}},
        "spec": {"containers": containers},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def figures() -> Iterator[Figure]:
    """All of them."""
    yield from cel()
    yield from hashing()
    body = pod(1)
    yield Figure(
        "redact a pod",
        microseconds(lambda: redact_object(body)),
        microseconds(lambda: copy.deepcopy(body)),
        "copy it",
        "µs",
    )


def cel() -> Iterator[Figure]:
    """An expression over ten pods, evaluated where it can be stopped."""
    variables: dict[str, JsonValue] = {"pods": [pod(n) for n in range(10)], "parameters": {"replicas": 3}}

    def compiled() -> None:
        compile_expression.cache_clear()
        compile_expression(EXPRESSION)

    inside = microseconds(lambda: evaluate(EXPRESSION, variables))
    outside = asyncio.run(_outside(variables))
    yield Figure("CEL in a process of its own", outside, inside, "CEL in this process", "µs")
    yield Figure("compile CEL", microseconds(compiled), inside, "CEL in this process", "µs")


async def _outside(variables: dict[str, JsonValue]) -> float:
    loop = asyncio.get_running_loop()
    async with Evaluator() as evaluator:
        await evaluator.evaluate(EXPRESSION, variables)
        begun = loop.time()
        for _ in range(200):
            await evaluator.evaluate(EXPRESSION, variables)
        return (loop.time() - begun) / 200 * 1e6


def hashing() -> Iterator[Figure]:
    """Digests and the journal's chain."""
    body = pod(1)
    plain = microseconds(lambda: hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest())
    yield Figure("digest of a pod", microseconds(lambda: digest(body)), plain, "SHA-256 of json.dumps", "µs")
    start = genesis("uid", "sha256:" + "0" * 64)
    event = Event(event="StepStarted", step="drain", data={"resourceVersion": "12345", "attempt": 1})
    short, long = extend(start, (), [event] * 10, AT), extend(start, (), [event] * 200, AT)
    yield Figure(
        "verify a journal of 200",
        microseconds(lambda: broken_at(start, long), repeat=20),
        microseconds(lambda: broken_at(start, short), repeat=20),
        "a journal of 10",
        "µs",
    )
