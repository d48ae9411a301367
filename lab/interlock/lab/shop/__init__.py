"""A small shop to try things on: a handful of services with probes, limits and settings, as a team would run them."""

from collections.abc import Sequence
from importlib.resources import as_file, files

from interlock.lab.kubectl import Kubectl

NAMESPACE = "shop"
DEPLOYMENTS = ("catalogue", "checkout", "frontend", "orders-db", "payments", "sessions")
READY_SECONDS = 90


def deploy_shop(kubectl: Kubectl, namespace: str = NAMESPACE, *, wait: bool = True) -> None:
    """Applies the shop, and waits until every service is available; on an existing shop, puts it as it should be.

    A namespace of another name than the shop's own must exist. Raises LabError with kubectl's words.
    """
    if namespace == NAMESPACE:
        with as_file(files("interlock.lab.shop")) as folder:
            kubectl.run("apply", "-f", str(folder / "namespace.yaml"))
    deploy_parts(kubectl, namespace, (*DEPLOYMENTS, "report"), wait=wait)


def deploy_parts(kubectl: Kubectl, namespace: str, parts: Sequence[str], *, wait: bool = True) -> None:
    """Applies these parts of the shop, with its settings; waits for those that are Deployments.

    Raises LabError with kubectl's words.
    """
    with as_file(files("interlock.lab.shop")) as folder:
        manifests = [f"--filename={folder / name}.yaml" for name in (*parts, "settings")]
        kubectl.run("apply", "--namespace", namespace, *manifests)
    targets = [f"deployment/{name}" for name in parts if name in DEPLOYMENTS]
    if wait and targets:
        kubectl.run("wait", "-n", namespace, "--for=condition=Available", f"--timeout={READY_SECONDS}s", *targets)
