"""A namespace with the lab's shop, and the agents' eyes on it: their own identity, their own rights."""

from collections.abc import AsyncIterator, Callable
from importlib.resources import as_file, files

import pytest
from tests.support.installation import Installation

from interlock.agents.cluster import Cluster
from interlock.agents.diagnose import Diagnosis, diagnose
from interlock.agents.evidence import Evidence
from interlock.agents.evidence.collect import collect
from interlock.agents.model import ObjectRef, utc_now
from interlock.lab import Lab
from interlock.lab.kubectl import administrator

Deploy = Callable[[str], ObjectRef]


@pytest.fixture
def watched(installation: Installation, namespace: str) -> str:
    """An opted-in namespace in which the agents have their rights."""
    installation.opt_in(namespace)
    return namespace


@pytest.fixture
async def eyes(installation: Installation) -> AsyncIterator[Cluster]:
    """The API server as the agents see it."""
    async with await Cluster.connect(installation.agents_kubeconfig, 10) as cluster:
        yield cluster


@pytest.fixture
def deploy(lab: Lab, watched: str) -> Deploy:
    """Deploys one service of the shop with its settings and waits until it is available."""
    kubectl = administrator(lab)

    def one(name: str) -> ObjectRef:
        with as_file(files("interlock.lab.shop")) as folder:
            manifests = [f"--filename={folder / part}.yaml" for part in (name, "settings")]
            kubectl.run("apply", "--namespace", watched, *manifests)
        kubectl.run("wait", "-n", watched, "--for=condition=Available", "--timeout=60s", f"deployment/{name}")
        return ObjectRef(kind="Deployment", namespace=watched, name=name)

    return one


async def look(eyes: Cluster, target: ObjectRef) -> tuple[Evidence, Diagnosis]:
    """What the agents see of the target now, and what they make of it."""
    evidence = await collect(eyes, None, target, (), now=utc_now, calls=100, seconds=120)
    return evidence, diagnose(evidence, 0.7)
