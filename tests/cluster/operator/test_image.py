"""The images as they are built, unpacked and run: read-only, as no root, under their own accounts at an API server."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.agents.test_service import Agents
from tests.support.image import CONFIG, DATA, Container, Opened
from tests.support.installation import Installation
from tests.support.operators import Fleet, fleet
from tests.support.scene import scaling
from tools.images import PARTS, build

from interlock.lab.ports import free_port

pytestmark = pytest.mark.image


def may_mount() -> bool:
    """Whether this process may run something in a root and with mounts of its own."""
    tried = ["unshare", "--mount", "--propagation=private", "true"]
    return os.geteuid() == 0 and subprocess.run(tried, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Container]:
    """Operator and agents, built and unpacked."""
    if not may_mount():
        pytest.skip("running an image's files as a container does takes root and the right to mount")
    made = {}
    for part in PARTS:
        folder = tmp_path_factory.mktemp(part)
        image = Opened(build(part, folder))
        image.unpack(folder / "root")
        (folder / "config").mkdir()
        made[part] = Container(image, folder / "root", folder / "data", folder / "config")
    return made


@pytest.fixture
def ours(operated: Installation, tmp_path: Path) -> Iterator[Fleet]:
    """Operators of a shard of this test's own."""
    with fleet(operated, tmp_path) as made:
        yield made


def test_the_operators_image_carries_out_a_runbook(ours: Fleet, containers: dict[str, Container]) -> None:
    container = containers["operator"]
    shutil.copy(ours.installation.lab.token_kubeconfig(ours.token(), "image"), container.config / "kubeconfig")
    (container.config / "kubeconfig").chmod(0o644)
    running = ours.start(
        "image",
        kubeconfig=Path(CONFIG, "kubeconfig"),
        command=container.command("operator", "run"),
        more=container.image.environment,
        data_dir=DATA,
    )
    scene = ours.scene()
    scene.ask(scaling(), {"replicas": "2"})
    scene.approve()
    scene.ends("Succeeded")
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    assert "Uid:\t65532\t65532" in status
    assert running.leads()
    running.process.terminate()
    assert running.ended() == 0, running.text
    assert (container.data / "archive.db").stat().st_uid == 65532
    assert not list(container.root.glob("**/__pycache__")), "nothing was written where it may not be"


def test_the_agents_image_looks_and_asks_nothing_where_nobody_opted_in(
    operated: Installation, containers: dict[str, Container]
) -> None:
    container = containers["agents"]
    shutil.copy(operated.agents_kubeconfig, container.config / "kubeconfig")
    (container.config / "kubeconfig").chmod(0o644)
    places = {"KUBECONFIG": f"{CONFIG}/kubeconfig", "TOKEN_FILE": f"{CONFIG}/token"}
    agents = Agents(
        operated,
        "kube-system",
        container.config,
        free_port(),
        f"sqlite:///{container.data}/agents.db",
        {**places, "DATABASE_URL": f"sqlite:///{DATA}/agents.db"},
        container.command("agents", "run"),
        container.image.environment,
    )
    with agents.running() as process:
        agents.tell(agents.alert(deployment="coredns"))
        assert "has not opted in" in agents.incident("recorded").reason
        assert "Uid:\t65532\t65532" in Path(f"/proc/{process.pid}/status").read_text()
