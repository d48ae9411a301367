"""The webhook over real HTTP: what is durable is answered with 2xx, nothing else is."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from tests.unit.agents.payloads import payload, sent

from interlock.agents.store import Store
from interlock.agents.webhook import PATH, TokenFile, create_app

LIMIT = 64 * 1024
TOKEN = "a-long-enough-token"


class Silent(uvicorn.Server):
    """Says when it listens, and leaves signals to pytest."""

    def __init__(self, up: asyncio.Event, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._up = up

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self._up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def rung() -> list[int]:
    return []


@pytest.fixture
async def sender(store: Store, token_file: Path, rung: list[int]) -> AsyncIterator[httpx.AsyncClient]:
    """An Alertmanager's side of the connection."""
    app = create_app(store, TokenFile(token_file), body_limit=LIMIT, wake=lambda: rung.append(1), is_ready=lambda: True)
    up = asyncio.Event()
    server = Silent(up, uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await up.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        yield client
    server.should_exit = True
    await serving


def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(query).fetchall()


async def test_an_alert_is_durable_before_the_answer(
    sender: httpx.AsyncClient, database_url: str, rung: list[int]
) -> None:
    answer = await sender.post(PATH, content=payload(sent()))
    assert answer.status_code == 200
    assert answer.json() == {"alerts": 1, "new": 1}
    assert rows(database_url, "select name, status from alerts") == [("KubePodCrashLooping", "firing")]
    assert rows(database_url, "pragma journal_mode") == [("wal",)]
    assert rung == [1]


async def test_a_redelivery_changes_nothing(sender: httpx.AsyncClient, database_url: str, rung: list[int]) -> None:
    for _ in range(3):
        answer = await sender.post(PATH, content=payload(sent()))
        assert answer.status_code == 200
    assert rows(database_url, "select count(*) from alerts") == [(1,)]
    assert rung == [1]


async def test_a_group_holds_firing_and_resolved_alerts(sender: httpx.AsyncClient, database_url: str) -> None:
    mixed = payload(sent("KubePodNotReady", status="resolved"), sent("KubePersistentVolumeClaimPending"))
    assert (await sender.post(PATH, content=mixed)).status_code == 200
    found = rows(database_url, "select name, status from alerts order by name")
    assert found == [("KubePersistentVolumeClaimPending", "firing"), ("KubePodNotReady", "resolved")]


async def test_a_resolved_alert_that_nobody_knew_is_no_error(sender: httpx.AsyncClient) -> None:
    assert (await sender.post(PATH, content=payload(sent(status="resolved")))).status_code == 200


async def test_what_the_sender_left_out_is_recorded(sender: httpx.AsyncClient, database_url: str) -> None:
    await sender.post(PATH, content=payload(sent(), truncated=7))
    assert rows(database_url, "select truncated, alerts from truncated_deliveries") == [(7, 1)]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer{TOKEN}"])
async def test_a_wrong_token_is_401(sender: httpx.AsyncClient, header: str, database_url: str) -> None:
    answer = await sender.post(PATH, content=payload(sent()), headers={"Authorization": header})
    assert answer.status_code == 401
    assert rows(database_url, "select count(*) from alerts") == [(0,)]


async def test_a_rotated_token_counts_without_a_restart(sender: httpx.AsyncClient, token_file: Path) -> None:
    replacement = token_file.with_suffix(".new")
    replacement.write_text("another-token")
    replacement.replace(token_file)
    assert (await sender.post(PATH, content=payload(sent()))).status_code == 401
    renewed = {"Authorization": "Bearer another-token"}
    assert (await sender.post(PATH, content=payload(sent()), headers=renewed)).status_code == 200


@pytest.fixture(params=["missing", "empty"])
def no_token(request: pytest.FixtureRequest, token_file: Path) -> None:
    token_file.unlink()
    if request.param == "empty":
        token_file.touch()


@pytest.mark.usefixtures("no_token")
async def test_without_a_token_to_compare_with_the_sender_must_try_again(sender: httpx.AsyncClient) -> None:
    assert (await sender.post(PATH, content=payload(sent()))).status_code == 503


async def test_a_body_beyond_the_limit_is_413(sender: httpx.AsyncClient) -> None:
    assert (await sender.post(PATH, content=b"x" * (LIMIT + 1))).status_code == 413

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1024 + 2):
            yield b"x" * 1024

    assert (await sender.post(PATH, content=unannounced())).status_code == 413


WRONG = [
    (b"not json", "body", "JSON"),
    (b"[]", "body", "object"),
    (payload(sent(), version="3"), "version", "'3'"),
    (payload({**sent(), "status": "pending"}), "alerts.0.status", "'pending'"),
    (payload({**sent(), "startsAt": "yesterday"}), "alerts.0.startsAt", "'yesterday'"),
    (payload({**sent(), "labels": {"alertname": 7}}), "alerts.0.labels.alertname", "7"),
    (payload({**sent(), "labels": {f"l{n}": "" for n in range(65)}}), "alerts.0.labels", "65 entries"),
    (payload(truncated=-1), "truncatedAlerts", "-1"),
]


@pytest.mark.parametrize(
    ("body", "field", "value"), WRONG, ids=[field + str(n) for n, (_, field, _) in enumerate(WRONG)]
)
async def test_a_wrong_payload_names_field_and_value(
    sender: httpx.AsyncClient, body: bytes, field: str, value: str
) -> None:
    answer = await sender.post(PATH, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{field}:")
    assert value in answer.json()["error"]


async def test_a_locked_database_is_503_and_later_taken(sender: httpx.AsyncClient, database_url: str) -> None:
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other:
        other.execute("begin immediate")
        answer = await sender.post(PATH, content=payload(sent()), timeout=10)
        assert answer.status_code == 503
        other.rollback()
    assert (await sender.post(PATH, content=payload(sent()))).status_code == 200


async def test_a_full_database_is_503(sender: httpx.AsyncClient, store: Store, database_url: str) -> None:
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
        connection.exec_driver_sql(f"pragma max_page_count={pages}")
    noisy = [{**sent(n=str(n)), "annotations": {"summary": "x" * 900}} for n in range(40)]
    assert (await sender.post(PATH, content=payload(*noisy))).status_code == 503
    assert rows(database_url, "select count(*) from alerts") == [(0,)]


async def test_health_and_readiness(sender: httpx.AsyncClient, database_url: str) -> None:
    assert (await sender.get("/livez")).status_code == 200
    assert (await sender.get("/readyz")).status_code == 200
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other:
        other.execute("drop table incidents")
        other.commit()
    assert (await sender.get("/readyz")).status_code == 503
