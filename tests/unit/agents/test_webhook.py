"""The webhook over real HTTP: what is durable is answered with 2xx, nothing else is."""

import asyncio
import json
import sqlite3
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from tests.unit.agents.payloads import payload, sent

from interlock.agents.errors import StoreUnavailableError
from interlock.agents.inbox import Inbox, InboxFullError
from interlock.agents.payload import Payload
from interlock.agents.rules import parse
from interlock.agents.serving import Server
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.webhook import PATH, SOURCES, TokenFile, create_app, health
from interlock.lab.certificates import Authority

LIMIT = 64 * 1024
TOKEN = "a-long-enough-token"


RULES = """
sources:
  grafana:
    alerts: /alerts
    status: {at: /state, firing: [alerting], resolved: [ok]}
    name: /title
    startsAt: /since
    labels: {namespace: /tags/team~1ns, deployment: /tags/app}
    labelsOf: /tags
    annotations: {summary: /message}
"""


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
    app = create_app(
        Inbox(store, most_bytes=2 * LIMIT),
        TokenFile(token_file),
        body_limit=LIMIT,
        wake=lambda: rung.append(1),
        rules=lambda: parse(RULES),
    )
    settings = AgentSettings(token_file=token_file)
    app.routes.extend(health(store, lambda: True))
    async with serving(app, settings) as port:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
            yield client


@asynccontextmanager
async def serving(app: Starlette, settings: AgentSettings) -> AsyncIterator[int]:
    """Serves on a free port, as the agents do, until the block ends."""
    up = asyncio.Event()
    server = Server(app, settings, 0, up, tls=True)
    task = asyncio.create_task(server.serve())
    await up.wait()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


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
        answer = await sender.post(PATH, content=payload(sent()), timeout=60)
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


GRAFANA = {
    "alerts": [
        {
            "state": "alerting",
            "title": "Checkout is down",
            "since": 1772366388659,
            "tags": {"team/ns": "shop", "app": "checkout", "tier": 1},
            "message": "No pod answers.",
        }
    ]
}


async def test_another_senders_alerts_are_read_by_the_mapping(sender: httpx.AsyncClient, database_url: str) -> None:
    answer = await sender.post(f"{SOURCES}/grafana", json=GRAFANA)
    assert (answer.status_code, answer.json()) == (200, {"alerts": 1, "new": 1})
    ((name, status, starts, labels),) = rows(database_url, "select name, status, starts_at, labels from alerts")
    assert (name, status, starts) == ("Checkout is down", "firing", "2026-03-01T11:59:48.659Z")
    assert json.loads(str(labels)) == {
        "alertname": "Checkout is down",
        "namespace": "shop",
        "deployment": "checkout",
        "team/ns": "shop",
        "app": "checkout",
        "tier": "1",
    }
    over = {"alerts": [{**GRAFANA["alerts"][0], "state": "ok"}]}
    assert (await sender.post(f"{SOURCES}/grafana", json=over)).json() == {"alerts": 1, "new": 1}
    assert rows(database_url, "select status from alerts") == [("resolved",)]


ODD = [
    ("nobody", GRAFANA, "no such source"),
    ("grafana", {}, "/alerts"),
    ("grafana", {"alerts": [{**GRAFANA["alerts"][0], "state": "odd"}]}, "'odd' is neither"),
    ("grafana", {"alerts": [{**GRAFANA["alerts"][0], "since": "yesterday"}]}, "alerts.0"),
    ("grafana", {"alerts": [{**GRAFANA["alerts"][0], "since": 1e300}]}, "no time"),
    ("grafana", {"alerts": [{**GRAFANA["alerts"][0], "tags": {}}]}, "/tags"),
    ("grafana", {"alerts": [[]]}, "alerts.0"),
]


@pytest.mark.parametrize(("name", "body", "why"), ODD)
async def test_a_body_that_the_mapping_does_not_fit_is_400(
    sender: httpx.AsyncClient, name: str, body: dict[str, object], why: str
) -> None:
    answer = await sender.post(f"{SOURCES}/{name}", json=body)
    assert answer.status_code == 400
    assert why in answer.json()["error"]
    unauthorized = await sender.post(f"{SOURCES}/{name}", json=body, headers={"Authorization": "Bearer no"})
    assert unauthorized.status_code == 401


async def test_deliveries_that_come_together_are_few_commits_and_each_is_answered(
    sender: httpx.AsyncClient, database_url: str, store: Store
) -> None:
    bodies = [payload(*(sent(namespace="shop", pod=f"p{n}-{m}") for m in range(10))) for n in range(40)]
    answers = await asyncio.gather(*(sender.post(PATH, content=body) for body in bodies))
    taken = [answer.json()["new"] for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert rows(database_url, "select count(*) from alerts") == [(sum(taken),)]
    for body in bodies:  # who was told to come again does
        assert (await sender.post(PATH, content=body)).status_code == 200
    assert rows(database_url, "select count(*) from alerts") == [(400,)]


async def test_what_is_under_way_is_bounded_and_given_back(store: Store) -> None:
    inbox = Inbox(store, most_bytes=100)
    with inbox.room(60), pytest.raises(InboxFullError), inbox.room(60):
        raise AssertionError("there was no room")
    with inbox.room(100):
        pass


async def test_a_failed_commit_fails_every_delivery_in_it_and_the_next_is_taken(
    store: Store, database_url: str
) -> None:
    inbox = Inbox(store, most_bytes=LIMIT)
    payloads = [Payload.read(payload(sent(namespace="shop", pod=f"p{n}"))) for n in range(3)]
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other:
        other.execute("begin immediate")
        failed = await asyncio.gather(*(inbox.take(p) for p in payloads), return_exceptions=True)
        assert {type(one) for one in failed} == {StoreUnavailableError}
        other.rollback()
    assert await asyncio.gather(*(inbox.take(p) for p in payloads)) == [1, 1, 1]


async def test_without_a_clients_certificate_nothing_is_delivered(
    store: Store, token_file: Path, tmp_path: Path, database_url: str
) -> None:
    ours, theirs = Authority.create("ours"), Authority.create("theirs")
    issuers = {"server": ours, "client": ours, "mallory": theirs}
    files = {name: _pair(tmp_path / name, authority) for name, authority in issuers.items()}
    (tmp_path / "ca").write_bytes(ours.pair.certificate)
    settings = AgentSettings(
        token_file=token_file,
        tls_cert_file=files["server"][0],
        tls_key_file=files["server"][1],
        tls_client_ca_file=tmp_path / "ca",
    )
    app = create_app(Inbox(store, most_bytes=LIMIT), TokenFile(token_file), body_limit=LIMIT, wake=lambda: None)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with serving(app, settings) as port:
        for shown, taken in ((None, False), ("mallory", False), ("client", True)):
            context = ssl.create_default_context(cafile=tmp_path / "ca")
            if shown is not None:
                context.load_cert_chain(*files[shown])
            async with httpx.AsyncClient(verify=context, headers=headers) as client:
                url = f"https://127.0.0.1:{port}{PATH}"
                if taken:
                    assert (await client.post(url, content=payload(sent()))).status_code == 200
                else:
                    with pytest.raises(httpx.TransportError):
                        await client.post(url, content=payload(sent()))
                    assert rows(database_url, "select count(*) from alerts") == [(0,)]


def _pair(stem: Path, authority: Authority) -> tuple[Path, Path]:
    authority.issue(stem.name, hosts=["127.0.0.1"]).write(stem)
    return stem.with_suffix(".crt"), stem.with_suffix(".key")


def test_clients_certificates_without_tls_are_refused() -> None:
    with pytest.raises(ValueError, match="tls_cert_file"):
        AgentSettings(tls_client_ca_file=Path("ca"))
