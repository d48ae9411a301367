"""An installation from an earlier version to its end, with executions in flight: none is lost, nothing is stranded."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.support.identity import Identity
from tests.support.installation import RBAC, Installation, wait_for_policies
from tests.support.processes import operator, own_scene
from tests.support.scene import Scene, runbook, scaling, waiting
from tests.support.waiting import eventually

from interlock.cli import removal
from interlock.cli.cluster import connect
from interlock.cli.releases import CONTRACT_ONLY, definitions, install_all, interlock
from interlock.crds.execution import new_execution
from interlock.crds.names import AUDIT_FINALIZER, OPERATOR_USER, RUNNERS_NAMESPACE, runner_account
from interlock.crds.runbook import Runbook
from interlock.lab import Lab
from interlock.lab.helm import Helm
from interlock.lab.tools import silent
from interlock.runbooks.rbac import grants

RELEASED = Path(__file__).with_name("released") / "interlock-0.1.0a1.zip"
DIGEST = """
import sys
from interlock.crds import runbook
print(runbook.__file__, runbook.Runbook.model_validate_json(sys.stdin.read()).digest())
"""
HALF_DONE = runbook(
    "test-half-done",
    [{"name": "scale", "action": "scale", "with": {"replicas": "4"}}, waiting("go", needs=["scale"])],
)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version before this one: its operator, its models and its charts."""
    folder = tmp_path_factory.mktemp("released")
    with zipfile.ZipFile(RELEASED) as archive:
        archive.extractall(folder)
    return folder


def install_released(helm: Helm, released: Path) -> None:
    charts = released / "interlock" / "crds" / "data" / "charts"
    kinds = definitions().model_copy(update={"chart": charts / "interlock-crds"})
    install_all(helm, (kinds, interlock(CONTRACT_ONLY).model_copy(update={"chart": charts / "interlock"})), silent)


def install_this(helm: Helm) -> None:
    install_all(helm, (definitions(), interlock(CONTRACT_ONLY)), silent)


def published_by(released: Path, scene: Scene, book: Runbook) -> str:
    """Publishes and grants a runbook under the digest that the version before gives it."""
    text = book.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)
    environment = {**os.environ, "PYTHONPATH": str(released)}
    command = [sys.executable, "-c", DIGEST]
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=True)
    place, digest = done.stdout.split()
    assert place.startswith(str(released)), place
    body = book.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    body |= {"apiVersion": "interlock.dev/v1alpha1", "kind": "Runbook"}
    body["spec"]["digest"] = digest
    scene.installation.opt_in(scene.namespace)
    scene.installation.apply([body, *grants(book, [scene.namespace])])
    account = runner_account(book.spec.family, scene.namespace)
    scene.installation.wait_for_right(OPERATOR_USER, "create", "serviceaccounts/token", RUNNERS_NAMESPACE, name=account)
    return digest


def uninstall(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "interlock.cli", "uninstall", "--context=interlock-lab"]
    command += [f"--kubeconfig={lab.kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def left_behind(admin: Identity) -> list[str]:
    """What of Interlock the cluster still has, but for namespaces."""
    kinds = (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        *(f"{RBAC}/{kind}" for kind in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
        "/api/v1/resourcequotas",
    )
    people = ("bob.", "erin.")  # made by the tests, as a cluster's owner would
    names = [item["metadata"]["name"] for kind in kinds for item in admin.get(kind).body["items"]]
    return [name for name in names if "interlock" in name and not name.startswith(people)]


def go(admin: Identity, *namespaces: str) -> None:
    """Namespaces can be deleted: nothing in them is held."""
    paths = [f"/api/v1/namespaces/{namespace}" for namespace in namespaces]
    for path in paths:
        assert admin.delete(path).ok
    eventually("all to be gone", lambda: all(admin.get(path).status == 404 for path in paths))


def answer_to_another(scene: Scene) -> str:
    """What the API server says to another request like the first; nothing where it takes it."""
    asked = new_execution(name="another", namespace=scene.namespace, spec=scene.execution().spec)
    return scene.requester.post(f"{scene.path()}?dryRun=All", asked).message


def test_an_upgrade_loses_nothing_and_an_end_strands_nothing(
    bare: Lab, helm: Helm, released: Path, tmp_path: Path
) -> None:
    installation, admin = Installation(bare), Identity.load(bare.kubeconfig)
    install_released(helm, released)
    wait_for_policies(admin)
    with operator(installation, tmp_path, str(released)) as before:
        waits, runs = (own_scene(installation, name, tmp_path) for name in ("waits", "runs"))
        digest = published_by(released, waits, scaling())
        assert waits.request(scaling(), {"replicas": "3"}, digest=digest).ok
        digest = published_by(released, runs, HALF_DONE)
        assert runs.request(HALF_DONE, digest=digest).ok
        plan = waits.offered()
        runs.approve()
        runs.happens("StepSucceeded", "scale")
        install_this(helm)
        before.send_signal(signal.SIGTERM)
        assert before.wait(60) == 0

    with operator(installation, tmp_path):
        waits.approve()
        runs.signal("go")
        runs.reaches("Succeeded")
        assert waits.ends("Succeeded").plan == plan, "nobody had to look again"
        assert (waits.workload()["spec"]["replicas"], runs.workload()["spec"]["replicas"]) == (3, 4)

        half, asked = (own_scene(installation, name, tmp_path) for name in ("half", "asked"))
        half.ask(HALF_DONE)
        half.approve()
        half.happens("StepSucceeded", "scale")
        asked.ask(scaling(), {"replicas": "3"})
        asked.offered()
        uids = [scene.execution().uid for scene in (waits, runs, half, asked)]
        ended = uninstall(bare, "--kinds")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert [waits.archived(uid).phase for uid in uids] == ["Succeeded", "Succeeded", "Cancelled", "Cancelled"]
        assert half.workload()["spec"]["replicas"] == 1
    eventually("nothing to be left", lambda: not left_behind(admin))
    go(admin, *(scene.namespace for scene in (waits, runs, half, asked)))


def test_what_no_operator_can_end_is_let_go_only_when_told_so_and_its_record_kept(
    bare: Lab, helm: Helm, tmp_path: Path
) -> None:
    installation, admin = Installation(bare), Identity.load(bare.kubeconfig)
    install_this(helm)
    wait_for_policies(admin)
    scene = own_scene(installation, "orphan", tmp_path)
    scene.ask(scaling(), {"replicas": "3"})
    refused = uninstall(bare)
    assert refused.returncode == 1
    assert "1 executions are held, and no operator works" in refused.stderr
    assert AUDIT_FINALIZER in scene.execution().finalizers
    eventually("requests to be taken as before", lambda: not answer_to_another(scene))
    removal.close(connect(kubeconfig=str(bare.kubeconfig)))
    eventually("requests to be refused", lambda: "Interlock is being uninstalled" in answer_to_another(scene))

    record = tmp_path / "left.jsonl"
    let_go = uninstall(bare, "--kinds", "--timeout=0", f"--abandon={record}")
    assert let_go.returncode == 0, let_go.stdout + let_go.stderr
    kept = [json.loads(line)["metadata"]["name"] for line in record.read_text().splitlines()]
    assert kept == ["fix"]
    eventually("nothing to be left", lambda: not left_behind(admin))
    go(admin, "orphan")
