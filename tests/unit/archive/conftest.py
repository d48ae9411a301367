"""Archives on both databases, and executions to put into them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.operator.making import CREATED, body, runbook

from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Event, extend, genesis
from interlock.operator.archive import Archive, migrate
from interlock.operator.archive.signing import Signer

BOOK = runbook()


def finished(number: int, *, namespace: str = "shop", text: str = "fine") -> dict[str, Any]:
    """A finished execution with a journal, told from others by its number."""
    made = body(BOOK)
    made["metadata"] |= {"uid": f"uid-{number}", "name": f"fix-{number}", "namespace": namespace}
    execution = RunbookExecution.from_object(made)
    events = [Event(event="Requested"), Event(event="Planned", data={"note": text}), Event(event="Ended")]
    journal = extend(genesis(execution.uid, execution.spec.request_digest()), [], events, CREATED)
    made["status"] = {
        "phase": "Failed",
        "fence": {"epoch": 1, "holder": "operator-0"},
        "completedAt": CREATED,
        "journal": [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal],
    }
    return made


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Archive]]:
    """Opens the archive, as often as there are writers."""
    migrate.upgrade(url)
    archives: list[Archive] = []

    def open_() -> Archive:
        archives.append(Archive(url))
        return archives[-1]

    yield open_
    for archive in archives:
        archive.close()


@pytest.fixture
def archive(opened: Callable[[], Archive]) -> Archive:
    """An empty archive."""
    return opened()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A key."""
    return Signer.load(tmp_path / "signing.key", make=True)
