"""Two operators and two replicas of the agents over PostgreSQL, with the settings that the chart gives their pods.

One leads and acts, alerts are shared, and whoever is killed loses nothing and leaves nothing to be done twice.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import yaml
from tests.cluster.agents.test_service import Agents
from tests.support.identity import Json
from tests.support.installation import Installation
from tests.support.operators import Fleet, fleet
from tests.support.postgres import Postgres
from tests.support.scene import Scene
from tests.support.waiting import eventually

from interlock.crds.manifests import chart
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.lab.faults import FAULTS, inject
from interlock.lab.helm import find_helm
from interlock.lab.kubectl import administrator
from interlock.lab.ports import free_port
from interlock.lab.tools import ensure_helm, silent
from interlock.operator.archive import Archive
from interlock.runbooks.loading import load_catalogue

VALUES = (
    "--set=operator.archive.secretName=archive",
    "--set=operator.keys.secretName=keys",
    "--set=agents.database.secretName=database",
    "--set=agents.replicas=2",
)
OF_THE_POD = {"HOST", "PORT", "TOKEN_FILE", "HEALTH_HOST", "HEALTH_PORT", "DATA_DIR", "SHARD", "TRUST_POLICY"}
OF_THE_POD |= {"SIGNING_KEY", "REDACTION_KEY", "ALLOW_UNVETTED", "PROMETHEUS_URL"}
"""Places and ports, which are a process's own here; and whom to trust, as nothing is attested in tests."""


def settings_of(part: str) -> tuple[int, dict[str, str]]:
    """Replicas and plain settings of a part, as the chart renders them for more than one replica."""
    ensure_helm()
    command = ("template", "interlock", str(chart("install")), f"--namespace={SYSTEM_NAMESPACE}", *VALUES)
    documents: list[Json] = [d for d in yaml.safe_load_all(find_helm((), silent).run(*command)) if d]
    (found,) = [d for d in documents if d["kind"] == "Deployment" and d["metadata"]["name"] == f"interlock-{part}"]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    prefix = f"INTERLOCK_{part.upper()}_"
    named = {entry["name"].removeprefix(prefix): entry.get("value") for entry in container["env"]}
    secret = {"operator": "ARCHIVE_URL", "agents": "DATABASE_URL"}[part]
    assert named.pop(secret) is None, "the database's URL comes from a Secret"
    plain = {name: str(value) for name, value in named.items() if value is not None and name not in OF_THE_POD}
    return found["spec"]["replicas"], plain


@pytest.fixture
def ours(operated: Installation, tmp_path: Path) -> Iterator[Fleet]:
    """Operators of a shard of this test's own."""
    with fleet(operated, tmp_path) as made:
        yield made


@pytest.fixture
def scene(ours: Fleet) -> Scene:
    """The lab's frontend, whose new image does not exist, where the catalogue is granted a rollback."""
    made = ours.scene()
    for item in load_catalogue():
        made.installation.publish(item.runbook)
    rollback = next(i.runbook for i in load_catalogue() if i.runbook.spec.family == "rollback-deployment")
    made.use(rollback)
    kubectl = administrator(made.installation.lab)
    with as_file(files("interlock.lab.shop")) as folder:
        parts = [f"--filename={folder / part}.yaml" for part in ("frontend", "settings")]
        kubectl.run("apply", "--namespace", made.namespace, *parts)
    waits = ("--for=condition=Available", "--timeout=120s", "deployment/frontend")
    kubectl.run("wait", "-n", made.namespace, *waits)
    inject(made.installation.lab, FAULTS["image-not-found"], made.namespace)
    return made


def replicas(scene: Scene, url: str, folder: Path) -> list[Agents]:
    count, given = settings_of("agents")
    made = []
    for number in range(count):
        own = folder / f"agents-{number}"
        own.mkdir()
        made.append(Agents(scene.installation, scene.namespace, own, free_port(), url, given))
    return made


def test_who_is_killed_loses_nothing_and_nothing_is_done_twice(
    ours: Fleet, scene: Scene, postgres: Postgres, tmp_path: Path
) -> None:
    count, settings = settings_of("operator")
    given = {f"INTERLOCK_OPERATOR_{name}": value for name, value in settings.items()}
    with ExitStack() as stack:
        archive, alerts = (stack.enter_context(postgres.database()) for _ in range(2))
        operators = [ours.start(f"operator-{n}", archive_url=archive, more=given) for n in range(count)]
        leader = eventually("one to lead", lambda: next((o for o in operators if o.leads()), None))
        (standby,) = [o for o in operators if o is not leader]
        first, second = agents = replicas(scene, alerts, tmp_path)
        processes = [stack.enter_context(one.running()) for one in agents]
        for one in (first, second, first):
            one.tell(one.alert())
        made = second.execution()
        name = made["metadata"]["name"]
        processes[0].kill()
        scene.approve(name)
        scene.happens("StepSucceeded", "undo", name=name)
        leader.signal(signal.SIGKILL)
        eventually("the other to lead", standby.leads)
        scene.ends("Succeeded", name=name)
        second.incident("watching")
        second.tell(second.alert(status="resolved"))
        assert second.incident("resolved").executions[0].name == name
        assert [e["metadata"]["name"] for e in second.executions()] == [name]
        assert len(ours.writes(scene.namespace)) == 1, "the rollback, once"
        stored = Archive(archive)
        assert eventually("it to be archived", lambda: stored.get(made["metadata"]["uid"])).phase == "Succeeded"
        stored.close()
