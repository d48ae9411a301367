"""An operator that a test starts and kills itself, on a lab where no other leads."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.installation import Installation
from tests.support.scene import Scene, open_namespace, operator_environment
from tests.support.waiting import eventually


@contextmanager
def operator(installation: Installation, data: Path, code: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """An operator that leads, killed at the end without a warning; its log stands beside its archive.

    `code` is a folder with another version of the product to run.
    """
    environment, log = operator_environment(installation.operator_kubeconfig, data), data / "operator.log"
    environment |= {"PYTHONPATH": code}
    with log.open("a") as file:
        began = file.tell()
        process = subprocess.Popen([sys.executable, "-m", "interlock.operator"], env=environment, stderr=file)
    try:
        eventually("the operator to lead", lambda: "lease leading" in log.read_text()[began:], seconds=180)
        yield process
    finally:
        process.kill()
        process.wait()


def own_scene(installation: Installation, namespace: str, data: Path) -> Scene:
    """A scene in a namespace of the own lab."""
    open_namespace(installation, namespace)
    return Scene.prepare(installation, namespace, data / "archive.db")
