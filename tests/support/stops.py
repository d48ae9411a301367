"""The emergency stop as it is shipped, but for one namespace: other tests share the cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from tests.support.identity import Identity, Json, path_of
from tests.support.installation import Installation

from interlock.cli.manifests import shipped
from interlock.crds.manifests import chart

NAME = "interlock-emergency-stop"


def lease() -> Json:
    """What whoever is on call applies."""
    manifest: Json = yaml.safe_load((chart("install") / "emergency-stop" / "stop.yaml").read_text())
    return manifest


@dataclass(frozen=True)
class Stop:
    """The stop of one namespace."""

    admin: Identity
    manifest: Json

    def pull(self) -> None:
        """Stops."""
        assert self.admin.apply(self.manifest).ok

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
    yield Stop(installation.admin, manifest)
    installation.admin.delete(path_of(manifest))
    installation.admin.delete(path_of(binding))
