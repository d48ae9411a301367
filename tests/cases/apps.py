"""Three applications of different make, so that rules learn mechanisms and not names."""

from dataclasses import dataclass

from tests.cases.builder import Cluster


@dataclass(frozen=True)
class App:
    """Who plays which part: the front calls the middle, the middle calls the leaf and the store."""

    namespace: str
    front: str
    middle: str
    leaf: str
    store: str
    image: str
    store_port: int
    leaf_port: int
    style: str
    """How the middle is told addresses: `url`, `host-port` or `config`."""


APPS = {
    "shop": App("shop", "web", "orders", "payments", "orders-db", "postgres:16", 5432, 8080, "url"),
    "travel": App("travel", "portal", "booking", "rates", "booking-cache", "redis:7.2", 6379, 50051, "host-port"),
    "media": App("media", "edge", "compose", "text", "post-store", "mongo:7", 27017, 9090, "config"),
}


def deployed(app: App) -> Cluster:
    """The application, well."""
    cluster = Cluster(app.namespace)
    cluster.deploy(app.store, app.store_port, container={"image": app.image})
    cluster.deploy(app.leaf, app.leaf_port, replicas=2)
    cluster.deploy(app.middle, 8080, env=_told(app), replicas=2)
    cluster.deploy(app.front, 8000, env={"BACKEND_ADDR": f"{app.middle}:8080"}, service_port=80)
    if app.style == "config":
        text = f'{{"leafAddress": "{app.leaf}:{app.leaf_port}", "storeAddress": "{app.store}:{app.store_port}"}}'
        cluster.put(
            app.namespace, "configmaps", {"metadata": {"name": f"{app.middle}-config"}, "data": {"config.json": text}}
        )
        spec = cluster.spec(app.middle)
        spec["volumes"] = [{"name": "config", "configMap": {"name": f"{app.middle}-config"}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "config", "mountPath": "/etc/app"}]
    return cluster


def _told(app: App) -> dict[str, str]:
    match app.style:
        case "url":
            store = f"postgres://app@{app.store}:{app.store_port}/main"
            return {"LEAF_URL": f"http://{app.leaf}:{app.leaf_port}", "DATABASE_URL": store}
        case "host-port":
            return {
                "LEAF_HOST": app.leaf,
                "LEAF_PORT": str(app.leaf_port),
                "CACHE_HOST": f"{app.store}.{app.namespace}.svc.cluster.local",
                "CACHE_PORT": str(app.store_port),
            }
        case _:
            return {}
