"""The three stops, each for one namespace: other tests share the cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from tests.support.identity import Identity, Json, path_of
from tests.support.installation import Installation
from tests.support.waiting import eventually

from interlock.crds.manifests import chart, documents
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE, PAUSED_VALUE, RUNNERS_GROUP, RUNNERS_NAMESPACE

NAME = "interlock-emergency-stop"
STOPS = ("label", "emergency stop", "guardrail")


def lease() -> Json:
    """What whoever is on call applies."""
    manifest: Json = yaml.safe_load((chart("install") / "emergency-stop" / "stop.yaml").read_text())
    return manifest


@dataclass(frozen=True)
class Stop:
    """A stop of one namespace."""

    admin: Identity
    namespace: str
    on: Callable[[], object]
    off: Callable[[], object]
    reason: str
    """Why executions are held by it."""
    refusal: str
    """How the API server refuses what runners write while it is on; empty for the one that binds the operator."""

    def pull(self) -> None:
        """Stops; the API server has it when this returns."""
        self.on()

    def lift(self) -> None:
        """Lets go on."""
        self.off()

    def until_in_force(self) -> None:
        """Returns when the API server refuses what runners write here: a policy hears of it after a moment."""
        account = f"system:serviceaccount:{RUNNERS_NAMESPACE}:probe.{self.namespace}"
        runner = self.admin.impersonating(account, RUNNERS_GROUP, "system:masters")
        path, body = f"/api/v1/namespaces/{self.namespace}/configmaps", {"metadata": {"generateName": "probe-"}}
        eventually("the stop to be in force", lambda: self.refusal in str(runner.post(path, body).body))


def label(admin: Identity, namespace: str) -> Stop:
    """The label of the namespace's owner."""

    def put(value: str) -> None:
        answer = admin.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": {OPT_IN_LABEL: value}}})
        assert answer.ok, answer

    return Stop(
        admin, namespace, lambda: put(PAUSED_VALUE), lambda: put(OPT_IN_VALUE), "NamespacePaused", "namespace paused"
    )


@contextmanager
def guardrail(admin: Identity, namespace: str) -> Iterator[Stop]:
    """A Guardrail's switch."""
    spec = {"selector": {"namespaces": [namespace]}, "stop": False}
    name = f"stop-{namespace}"
    body: Json = {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": name}, "spec": spec}
    assert admin.apply(body).ok

    def put(stop: bool) -> None:
        answer = admin.patch(path_of(body), {"spec": {"stop": stop}})
        assert answer.ok, answer

    yield Stop(admin, namespace, lambda: put(True), lambda: put(False), "Stopped", "")
    admin.delete(path_of(body))


@contextmanager
def emergency_stop(installation: Installation, namespace: str) -> Iterator[Stop]:
    """The shipped binding, dormant, with a Lease and a namespace of its own."""
    admin, own = installation.admin, f"{NAME}-{namespace}"
    [binding] = [m for m in documents("install") if m["kind"].endswith("Binding") and m["metadata"]["name"] == NAME]
    binding["metadata"]["name"] = binding["spec"]["paramRef"]["name"] = own
    labels = {"kubernetes.io/metadata.name": namespace}
    binding["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": labels}}
    manifest = lease()
    manifest["metadata"]["name"] = own
    assert admin.apply(binding).ok

    def pull() -> None:
        assert admin.apply(manifest).ok

    def lift() -> None:
        assert admin.delete(path_of(manifest)).ok

    yield Stop(admin, namespace, pull, lift, "EmergencyStop", "emergency stop")
    admin.delete(path_of(manifest))
    admin.delete(path_of(binding))


@contextmanager
def stop_of(which: str, installation: Installation, namespace: str) -> Iterator[Stop]:
    """One of STOPS, by its name."""
    if which == "label":
        yield label(installation.admin, namespace)
    elif which == "guardrail":
        with guardrail(installation.admin, namespace) as stop:
            yield stop
    else:
        with emergency_stop(installation, namespace) as stop:
            yield stop
