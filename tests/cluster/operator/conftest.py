"""The operator under test: one process per worker on a lab of its own. One leads, the others stand by and take over.

The lab is not the one that the other tests share: there, nobody but the test itself moves an execution.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation, install
from tests.support.scene import Scene, open_namespace, operator_environment
from tests.support.waiting import eventually

from interlock.cli.releases import definitions
from interlock.lab import lab_up

LEASE = "/apis/coordination.k8s.io/v1/namespaces/interlock-system/leases/interlock-operator"
UPKEEP = {
    "INTERLOCK_OPERATOR_HEAD_SECONDS": "1",
    "INTERLOCK_OPERATOR_SWEEP_SECONDS": "2",
    "INTERLOCK_OPERATOR_SHOW_SECONDS": "1",
    "INTERLOCK_OPERATOR_KEEP_NEWEST": "4",
}
"""What a cluster shows in minutes and days is shown in seconds."""


@pytest.fixture(scope="session")
def operated(lab_directory: Path, worker_id: str) -> Iterator[Installation]:
    """The contract in force on the operator's lab, shared by all workers."""
    alone = worker_id == "master"
    owner = os.getpid() if alone else os.getppid()
    directory = lab_directory.with_name("operated-lab")
    lab = lab_up(directory, monitoring=False, releases=(definitions(),), owner_pid=owner)
    yield install(lab)
    if alone:
        lab.stop()


@pytest.fixture(scope="session")
def trust_policy(operated: Installation) -> Path:
    """Whom the lab's operators believe; one test writes it, all others do without vetting."""
    path = operated.lab.directory / "trust.yaml"
    path.touch()
    return path


@pytest.fixture(scope="session")
def operator(operated: Installation, trust_policy: Path) -> Iterator[Path]:
    """A running operator, and where it keeps its archive; its log stands beside the lab's."""
    directory = operated.lab.directory / "operator"
    environment = operator_environment(operated.operator_kubeconfig, directory) | UPKEEP
    environment |= {"INTERLOCK_OPERATOR_TRUST_POLICY": str(trust_policy)}
    log = operated.lab.directory / f"operator-{os.getpid()}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "interlock.operator"], env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        eventually("the operator to be up", lambda: "health and metrics on port" in log.read_text(), 240)
        eventually(
            "an operator to lead", lambda: operated.admin.get(LEASE).body.get("spec", {}).get("holderIdentity"), 240
        )
        yield directory / "archive.db"
        process.terminate()
        assert process.wait(timeout=120) == 0, log.read_text()[-3000:]


@pytest.fixture(scope="module")
def own_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The contract on a lab of a module's own, for tests that kill the operator that leads."""
    lab = lab_up(tmp_path_factory.mktemp("own") / "lab", nodes=1, monitoring=False, releases=(definitions(),))
    yield install(lab)
    lab.stop()


@pytest.fixture
def scene(operator: Path, operated: Installation) -> Iterator[Scene]:
    """A namespace with a Deployment, people who may ask and approve, and the operator at work."""
    name = f"test-{secrets.token_hex(4)}"
    open_namespace(operated, name)
    yield Scene.prepare(operated, name, operator)
    operated.admin.delete(f"/api/v1/namespaces/{name}")
