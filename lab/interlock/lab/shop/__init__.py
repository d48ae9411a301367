"""A small shop to try things on: a handful of services with probes, limits and settings, as a team would run them."""

from importlib.resources import as_file, files

from interlock.lab.kubectl import Kubectl

NAMESPACE = "shop"
DEPLOYMENTS = ("catalogue", "checkout", "frontend", "orders-db", "payments", "sessions")
READY_SECONDS = 90


def deploy_shop(kubectl: Kubectl, namespace: str = NAMESPACE, *, wait: bool = True) -> None:
    """Applies the shop, and waits until every service is available; on an existing shop, puts it as it should be.

    A namespace of another name than the shop's own must exist. Raises LabError with kubectl's words.
    """
    with as_file(files("interlock.lab.shop")) as folder:
        if namespace == NAMESPACE:
            kubectl.run("apply", "-f", str(folder / "namespace.yaml"))
        manifests = [f"--filename={folder / name}.yaml" for name in (*DEPLOYMENTS, "report", "settings")]
        kubectl.run("apply", "--namespace", namespace, *manifests)
    if wait:
        targets = [f"deployment/{name}" for name in DEPLOYMENTS]
        kubectl.run("wait", "-n", namespace, "--for=condition=Available", f"--timeout={READY_SECONDS}s", *targets)
