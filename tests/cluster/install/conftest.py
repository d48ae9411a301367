"""A lab of a module's own, as installing and removing is for a whole cluster."""

from collections.abc import Iterator

import pytest

from interlock.lab import Lab, lab_up
from interlock.lab.helm import Helm, find_helm
from interlock.lab.tools import silent


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster that has never heard of Interlock."""
    lab = lab_up(tmp_path_factory.mktemp("bare") / "lab", nodes=2, monitoring=False)
    yield lab
    lab.stop()


@pytest.fixture(scope="module")
def helm(bare: Lab) -> Helm:
    """Helm, as that cluster's administrator."""
    return find_helm((f"--kubeconfig={bare.kubeconfig}",), silent)
