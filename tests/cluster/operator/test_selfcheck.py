"""An operator whose guards are gone does nothing, says so, and goes on when they are back: on a lab of its own."""

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.support.executions import allowed
from tests.support.identity import Identity
from tests.support.installation import RBAC, Installation, binding_of
from tests.support.processes import operator, own_scene
from tests.support.scene import Scene, scaling
from tests.support.waiting import eventually

from interlock.crds.manifests import documents
from interlock.crds.names import AGENTS_USER, OPERATOR_ACCOUNT, SYSTEM_NAMESPACE

POLICIES = "/apis/admissionregistration.k8s.io/v1"
BINDINGS = f"{POLICIES}/validatingadmissionpolicybindings"


def readiness(log: Path) -> str:
    """What /readyz says."""
    port = re.findall(r"health and metrics on port (\d+)", log.read_text())[-1]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


def says(log: Path, words: str) -> None:
    """Returns when /readyz says so."""
    eventually(f"readiness to say {words!r}", lambda: words in readiness(log))


def restore(admin: Identity, name: str) -> None:
    """Puts back what is shipped under a name."""
    for manifest in documents("install"):
        if manifest["metadata"]["name"] == name and manifest["kind"].startswith("ValidatingAdmission"):
            allowed(admin.apply(manifest))


def test_without_its_guards_the_operator_does_nothing(
    own_installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, log = own_installation.admin, tmp_path / "operator.log"
    scene = own_scene(own_installation, "unguarded", tmp_path)
    loose = {"spec": {"failurePolicy": "Ignore"}}
    mistake = binding_of("mistake", "cluster-admin", None, {"kind": "User", "name": AGENTS_USER})
    monkeypatch.setenv("INTERLOCK_OPERATOR_CHECK_SECONDS", "0.5")
    with operator(own_installation, tmp_path):
        says(log, "[+] self-check: ok")
        scene.ask(scaling("test-waiting"), {"replicas": "2"}, name="waiting")
        scene.offered("waiting")
        allowed(admin.delete(f"{BINDINGS}/interlock-bindings"))
        says(log, "[-] self-check: ValidatingAdmissionPolicyBinding interlock-bindings is missing")
        scene.use(scaling("test-unguarded"))
        allowed(scene.request(scaling("test-unguarded"), {"replicas": "3"}))
        allowed(admin.patch(f"{POLICIES}/validatingadmissionpolicies/interlock-runners", loose))
        eventually("the mistake to be possible", lambda: admin.apply(mistake).ok)
        says(log, "the agents may get secrets")
        for words in ("ValidatingAdmissionPolicy interlock-runners is not as shipped", "the agents may impersonate"):
            says(log, words)
        assert scene.execution().status is None
        eventually("those who wait to be told", lambda: told(scene, "waiting"))
        eventually("those who ask meanwhile to be told", lambda: warned(admin, scene.namespace, "fix"))
        eventually("the owners to be told", lambda: warned(admin, SYSTEM_NAMESPACE, OPERATOR_ACCOUNT))
        allowed(admin.delete(f"{RBAC}/clusterrolebindings/mistake"))
        for name in ("interlock-bindings", "interlock-runners"):
            restore(admin, name)
        says(log, "[+] self-check: ok")
        eventually("the waiting one to be free again", lambda: not told(scene, "waiting"))
        scene.approve()
        scene.reaches("Succeeded")


def told(scene: Scene, name: str) -> bool:
    """Whether an execution says that it is held as the cluster is unguarded: condition, fields for kubectl, Event."""
    status = scene.execution(name).status
    assert status is not None
    assert status.phase == "AwaitingApproval"
    held = any((c.type, c.status, c.reason) == ("Held", "True", "Unguarded") for c in status.conditions)
    assert held == (status.reason == "Unguarded")
    return held and warned(scene.admin, scene.namespace, name)


def warned(admin: Identity, namespace: str, about: str) -> bool:
    """Whether there is an Event about it that says so."""
    events = admin.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events").body["items"]
    return any((e["regarding"]["name"], e["reason"], e["type"]) == (about, "Unguarded", "Warning") for e in events)
