"""Whom a complaint is about: the store that a client passes on, who refuses though ready, who consumes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, running

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine

APP = APPS["shop"]
Look = Callable[[Cluster], list[tuple[str, str]]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Cause and name of what is found and at least as likely as not, the likeliest first."""

    def found(cluster: Cluster) -> list[tuple[str, str]]:
        cluster.settle()
        cluster.write(tmp_path)
        diagnosis = examine(Landscape(Snapshot(tmp_path)), 0.6)
        return [(h.cause, h.object.name) for h in diagnosis.hypotheses if h.confidence >= 0.5]

    return found


def complaining(*lines: str, by: str = "orders") -> Cluster:
    """The application, in which one says something again and again, and orders hurts."""
    cluster = deployed(APP)
    for index in range(2):
        cluster.log(by, "".join(f"{line}\n" for line in lines) * 6, index=index)
    cluster.alert("HighErrorRate", service="orders")
    return cluster


@pytest.mark.parametrize(
    "line",
    [
        "ERROR org.postgresql.util.PSQLException: ERROR: could not extend file base/1/2: No space left on device",
        "psycopg.errors.DiskFull: could not extend file base/16384: No space left on device",
    ],
)
def test_a_full_disk_that_a_driver_tells_of_is_the_databases(look: Look, line: str) -> None:
    assert look(complaining(line))[0] == ("database.storage.full", "orders-db")


def test_a_full_disk_of_ones_own_stays_ones_own(look: Look) -> None:
    found = look(complaining("ERROR write /var/cache/thumbs/1.png: no space left on device"))
    assert found[0] == ("workload.volume.full", "orders")


def test_of_two_stores_the_one_of_that_product_is_meant(look: Look) -> None:
    cluster = complaining("ERROR redis: OOM command not allowed when used memory > 'maxmemory'.")
    cluster.deploy("basket", 6379, container={"image": "valkey/valkey:8"})
    cluster.env("orders", "BASKET_ADDR", "basket:6379")
    assert look(cluster)[0] == ("database.storage.full", "basket")


def test_of_two_stores_of_one_product_neither_is_surely_meant(look: Look) -> None:
    cluster = complaining("FATAL: sorry, too many clients already (postgres)")
    cluster.deploy("archive-db", 5432, container={"image": "postgres:16"})
    cluster.env("orders", "ARCHIVE_URL", "postgres://app@archive-db:5432/main")
    assert not [cause for cause, _ in look(cluster) if cause.startswith("database")]


@pytest.mark.parametrize(
    "line",
    [
        "Error [ERR_TLS]: Hostname/IP does not match certificate's altnames: Host: payments. is not in DNS:pay",
        "javax.net.ssl.SSLHandshakeException: No subject alternative DNS name matching payments found.",
    ],
)
def test_a_certificate_of_another_name_is_heard_in_each_runtimes_words(look: Look, line: str) -> None:
    cluster = complaining(f"{line} (calling payments:8080)")
    assert look(cluster)[0] == ("certificate.name-mismatch", "payments")


def test_an_address_of_the_cluster_says_which_service_is_called(tmp_path: Path) -> None:
    cluster = deployed(APP)
    cluster.container("web")["env"] = []
    address = cluster.get("services", "payments")["spec"]["clusterIP"]
    cluster.log("web", f"dial tcp {address}:8080: i/o timeout\n" * 4)
    cluster.settle()
    cluster.write(tmp_path)
    land = Landscape(Snapshot(tmp_path))
    assert [g.ref.name for g in land.callers["shop", "payments"]] == ["orders", "web"]


@pytest.mark.parametrize(("queue", "meant"), [("payment.s", "payments"), ("audit-trail", None)])
def test_an_alert_about_a_queue_is_about_who_consumes_it_or_nobody(look: Look, queue: str, meant: str | None) -> None:
    cluster = deployed(APP)
    cluster.alert("QueueBacklog", queue=queue)
    blamed = [name for cause, name in look(cluster) if cause == "queue.backlog.growing"]
    assert blamed == ([meant] if meant else [])


REFUSED = "dial tcp 10.0.0.1: connect: connection refused (payments:8080)"


def test_who_refuses_though_ready_does_not_listen(look: Look) -> None:
    assert look(complaining(REFUSED))[0] == ("workload.port.not-listening", "payments")


def test_who_restarted_a_moment_ago_refuses_for_that(look: Look) -> None:
    cluster = complaining(REFUSED)
    ended = {"exitCode": 1, "reason": "Error"}
    cluster.state("payments", running(restarts=2, since=30, last=ended))
    assert ("workload.port.not-listening", "payments") not in look(cluster)


@pytest.mark.parametrize(
    ("value", "blamed"),
    [
        (None, ("workload.port.not-listening", "payments")),
        ("127.0.0.1:8080", ("workload.env.invalid", "payments")),
    ],
)
def test_who_listens_for_itself_only_serves_nobody(look: Look, value: str | None, blamed: tuple[str, str]) -> None:
    cluster = complaining(REFUSED)
    cluster.log("payments", "INFO server listening on http://127.0.0.1:8080\n")
    cluster.env("payments", "LISTEN_ADDR", value)
    assert look(cluster)[0] == blamed
