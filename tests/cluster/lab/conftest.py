"""Fixtures for tests of the lab itself.

`monitored_lab`  one lab with Prometheus and Alertmanager for the whole run, beside the shared `lab`.
`shop`           the demo shop in a namespace of the test's own on that lab: yields the namespace.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.lab import Lab, lab_up
from interlock.lab.kubectl import administrator
from interlock.lab.shop import deploy_shop
from interlock.lab.tools import CONTROL_PLANE, MONITORING, ensure_tools


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compiles what monitoring needs before the first test, whose time-out it would break on a cold cache."""
    wanted = any("monitored_lab" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        ensure_tools((*CONTROL_PLANE, *MONITORING), lambda line: print(line, file=sys.__stderr__, flush=True))


@pytest.fixture(scope="session")
def monitored_lab(lab_directory: Path, worker_id: str) -> Iterator[Lab]:
    """A lab with monitoring, shared by all workers of the run."""
    alone = worker_id == "master"
    shared = lab_up(lab_directory.with_name("monitored-lab"), owner_pid=os.getpid() if alone else os.getppid())
    yield shared
    if alone:
        shared.stop()


@pytest.fixture
def shop(monitored_lab: Lab) -> Iterator[str]:
    """A shop of this test's own."""
    kubectl, name = administrator(monitored_lab), f"shop-{secrets.token_hex(4)}"
    kubectl.run("create", "namespace", name)
    deploy_shop(kubectl, name)
    yield name
    kubectl.run("delete", "namespace", name, "--wait=false")
