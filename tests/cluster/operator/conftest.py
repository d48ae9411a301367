"""The operator under test: one process per worker on the shared lab. One leads, the others stand by and take over."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation
from tests.support.scene import Scene, operator_environment

from interlock.lab import Lab


@pytest.fixture(scope="session")
def operator(installation: Installation, lab: Lab, lab_directory: Path) -> Iterator[None]:
    """A running operator; its log stands beside the lab's."""
    environment = operator_environment(installation.operator_kubeconfig, lab_directory / "operator")
    log = lab_directory / f"operator-{os.getpid()}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "interlock.operator"], env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        yield
        process.terminate()
        assert process.wait(timeout=30) == 0, log.read_text()[-3000:]


@pytest.fixture
def scene(operator: None, installation: Installation, namespace: str, lab_directory: Path) -> Scene:
    """A namespace with a Deployment, people who may ask and approve, and the operator at work."""
    return Scene.prepare(installation, namespace, lab_directory / "operator" / "archive.db")
