"""The emergency stop as it is shipped, but for one namespace: other tests share the cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from tests.support.identity import Identity, Json, path_of
from tests.support.installation import Installation
from tests.support.waiting import eventually

from interlock.cli.manifests import shipped
from interlock.crds.manifests import chart
from interlock.crds.names import RUNNERS_GROUP, RUNNERS_NAMESPACE

NAME = "interlock-emergency-stop"


def lease() -> Json:
    """What whoever is on call applies."""
    manifest: Json = yaml.safe_load((chart("install") / "emergency-stop" / "stop.yaml").read_text())
    return manifest


@dataclass(frozen=True)
class Stop:
    """The stop of one namespace."""

    admin: Identity
    namespace: str
    manifest: Json

    def pull(self) -> None:
        """Stops."""
        assert self.admin.apply(self.manifest).ok

    def until_in_force(self) -> None:
        """Returns when the API server refuses what runners write here: a new binding reaches it after a moment."""
        account = f"system:serviceaccount:{RUNNERS_NAMESPACE}:probe.{self.namespace}"
        runner = self.admin.impersonating(account, RUNNERS_GROUP, "system:masters")
        path, body = f"/api/v1/namespaces/{self.namespace}/configmaps", {"metadata": {"generateName": "probe-"}}
        eventually("the stop to be in force", lambda: "emergency stop" in str(runner.post(path, body).body))

    def lift(self) -> None:
        """Lets go on."""
        assert self.admin.delete(path_of(self.manifest)).ok


@contextmanager
def emergency_stop(installation: Installation, namespace: str) -> Iterator[Stop]:
    """The shipped binding, dormant, with a Lease and a namespace of its own."""
    own = f"{NAME}-{namespace}"
    [binding] = [m for m in shipped("install") if m["kind"].endswith("Binding") and m["metadata"]["name"] == NAME]
    binding["metadata"]["name"] = binding["spec"]["paramRef"]["name"] = own
    labels = {"kubernetes.io/metadata.name": namespace}
    binding["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": labels}}
    manifest = lease()
    manifest["metadata"]["name"] = own
    assert installation.admin.apply(binding).ok
    yield Stop(installation.admin, namespace, manifest)
    installation.admin.delete(path_of(manifest))
    installation.admin.delete(path_of(binding))
