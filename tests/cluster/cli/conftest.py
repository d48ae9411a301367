"""The command line as people run it: the installed scripts, under their own kubeconfig, against a real API server."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.executions import Place, place
from tests.support.installation import Installation

Run = Callable[..., subprocess.CompletedProcess[str]]
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def shop(installation: Installation) -> Iterator[Place]:
    """An opted-in namespace where alice and dave may ask, and bob and carol may approve."""
    with place(installation) as made:
        yield made


def environment(kubeconfig: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}


@pytest.fixture(scope="module")
def kubectl(shop: Place) -> Run:
    """`kubectl interlock …` as somebody, through kubectl's own plugin mechanism."""

    def run(person: str, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        kubeconfig = shop.person(person).kubeconfig
        command = [str(shop.installation.lab.kubectl), "interlock", *words, "-n", shop.namespace]
        return subprocess.run(
            command, input=answer, env=environment(kubeconfig), capture_output=True, text=True, check=False, timeout=300
        )

    return run


@pytest.fixture(scope="module")
def interlock(shop: Place) -> Run:
    """`interlock …` as somebody, or as the administrator."""

    def run(person: str, *words: str) -> subprocess.CompletedProcess[str]:
        admin = shop.installation.lab.kubeconfig
        kubeconfig = admin if person == "admin" else shop.person(person).kubeconfig
        command = [str(SCRIPTS / "interlock"), *words]
        return subprocess.run(
            command, env=environment(kubeconfig), capture_output=True, text=True, check=False, timeout=300
        )

    return run
