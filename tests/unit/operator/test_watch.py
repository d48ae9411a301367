"""The supervision of the watch where there is no API server to be had."""

import contextlib

import kopf
import pytest
from kubernetes.aio import client

from interlock.operator import watch
from interlock.operator.api import Api
from interlock.operator.health import Health
from interlock.operator.lease import Leadership
from interlock.operator.queue import Queue
from interlock.operator.selfcheck import SelfCheck
from interlock.operator.watch import Hear, Watch, WatchEnded

HEAR = Hear(execution=lambda _: None, namespace=lambda _, __: None)


async def unreadable() -> client.Configuration:
    raise OSError("the token file is gone")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kopf itself would wait and retry for seconds before it ends."""

    async def ends(_: object) -> None:
        await unreadable()

    monkeypatch.setattr(watch._Run, "_watch", ends)
    monkeypatch.setattr(watch, "LAST_PAUSE_SECONDS", 0.0)


async def test_what_never_lives_ends_the_process_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    made = Watch(unreadable, HEAR)
    with pytest.raises(WatchEnded, match="10 times in a row, at last: OSError: the token file is gone"):
        await made.keep()
    assert made.hopeless
    assert caplog.text.count("is started anew") == watch.ATTEMPTS - 1


async def nothing(_: str) -> None:
    return None


class Leading(Leadership):
    """Leads without an API server."""

    @property
    def leads(self) -> bool:
        return True

    @property
    def epoch(self) -> int:
        return 1

    @property
    def stuck(self) -> bool:
        return False


async def test_health_tells_of_a_watch_that_is_dead_for_good() -> None:
    made = Watch(unreadable, HEAR)
    guard = SelfCheck(Api.__new__(Api), 60)
    health = Health(Leading.__new__(Leading), Queue(nothing), made, guard)
    assert all(finding.well for finding in health.live())
    with contextlib.suppress(WatchEnded):
        await made.keep()
    watching = health.live()[0]
    assert (watching.name, watching.well) == ("watch", False)
    assert "10 attempts failed" in str(watching)


async def test_a_loop_that_does_not_answer_shows() -> None:
    made = Watch(unreadable, HEAR)
    run = made._run = watch._Run(unreadable, HEAR, {}, {})
    for _ in range(5):
        run.ping()
    assert not made.hopeless
    run.ping()
    assert made.hopeless
    run._pong()
    assert not made.hopeless


async def test_what_waits_for_a_person_is_counted_until_it_does_not() -> None:
    made = Watch(unreadable, HEAR)
    run = watch._Run(unreadable, HEAR, made.versions, made._phases)

    async def tell(event: str | None, name: str, phase: str) -> None:
        body = kopf.Body(
            {"metadata": {"namespace": "shop", "name": name, "resourceVersion": "1"}, "status": {"phase": phase}}
        )
        await run._execution(type=event, meta=body.metadata, body=body)

    await tell(None, "a", "AwaitingApproval")
    await tell("ADDED", "b", "AwaitingApproval")
    assert made.count("AwaitingApproval") == 2
    await tell("MODIFIED", "a", "AwaitingPerson")
    await tell("DELETED", "b", "AwaitingApproval")
    assert (made.count("AwaitingApproval"), made.count("AwaitingPerson")) == (0, 1)
