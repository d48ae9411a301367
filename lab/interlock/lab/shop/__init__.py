"""A small shop to try things on: a handful of services with probes, limits and settings, as a team would run them."""

from importlib.resources import as_file, files

from interlock.lab.kubectl import Kubectl

NAMESPACE = "shop"
DEPLOYMENTS = ("catalogue", "checkout", "frontend", "orders-db", "payments", "sessions")
READY_SECONDS = 90


def deploy_shop(kubectl: Kubectl, *, wait: bool = True) -> None:
    """Applies the shop, and waits until every service is available; on an existing shop, puts it as it should be.

    Raises LabError with kubectl's words.
    """
    with as_file(files("interlock.lab.shop")) as folder:
        kubectl.run("apply", "-f", str(folder / "namespace.yaml"))
        kubectl.run("apply", "-f", str(folder))
    if wait:
        targets = [f"deployment/{name}" for name in DEPLOYMENTS]
        kubectl.run("wait", "-n", NAMESPACE, "--for=condition=Available", f"--timeout={READY_SECONDS}s", *targets)
