"""Fixtures for tests that need a cluster.

`lab`        one lab for the whole run, shared by all xdist workers: a control plane and simulated nodes, without
             monitoring. It belongs to the pytest process that was started by hand and dies with it, however that ends.
`namespace`  a fresh namespace per test, opted in to remediation (interlock.dev/remediation=enabled), so that tests can
             run side by side in the one lab. It is deleted at the end; nobody waits for that.
`installation`  the contract in force on that lab (definitions, roles, policies) and the identities that it is about:
             `installation.operator_kubeconfig`, `.agents_kubeconfig`, `.person("alice")`,
             `.bind(user, role, namespace)`, `.opt_in(namespace, runbooks=[...])`. Nothing of Interlock runs.

Use `lab.kubeconfig` with any client, `lab.client_certificate_kubeconfig("alice")` to be somebody else, and wait on
conditions, never on time.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.support.installation import Installation, install

from interlock.cli.releases import definitions
from interlock.lab import Lab, lab_up
from interlock.lab.api import Api
from interlock.lab.tools import CONTROL_PLANE, ensure_helm, ensure_tools


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compiles the lab's tools before the first test, whose time-out they would break on a cold cache."""
    if (
        any("lab" in getattr(item, "fixturenames", ()) for item in session.items)
        and not session.config.option.collectonly
    ):
        for ensure in (partial(ensure_tools, CONTROL_PLANE), ensure_helm):
            ensure(lambda line: print(line, file=sys.__stderr__, flush=True))


@pytest.fixture(scope="session")
def lab_directory(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "lab"


@pytest.fixture(scope="session")
def lab(lab_directory: Path, worker_id: str) -> Iterator[Lab]:
    """The lab of this run. The first worker that asks starts it, the others get the same one.

    One that is up already is used where INTERLOCK_TEST_LAB names its folder, and left as it is.
    """
    if (given := os.environ.get("INTERLOCK_TEST_LAB")) and (standing := Lab.load(Path(given))):
        yield standing
        return
    alone = worker_id == "master"
    owner = os.getpid() if alone else os.getppid()
    shared = lab_up(lab_directory, monitoring=False, releases=(definitions(),), owner_pid=owner)
    yield shared
    if alone:
        shared.stop()


@pytest.fixture(scope="session")
def installation(lab: Lab) -> Installation:
    """The lab with the contract in force; applied by the first worker that asks."""
    return install(lab)


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """The name of a namespace of this test's own."""
    api, name = Api(lab.kubeconfig), f"test-{secrets.token_hex(4)}"
    labels = {"interlock.dev/remediation": "enabled"}
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")
