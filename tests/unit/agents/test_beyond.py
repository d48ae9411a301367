"""What lies beyond the target is found through the same reader, cited as everything else is, and weighed with it."""

from datetime import UTC, datetime
from typing import Any

from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, crashing

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.beyond import beyond, explained, with_quotes
from interlock.agents.cluster import KINDS, Json
from interlock.agents.diagnose import diagnose
from interlock.agents.errors import AccessDeniedError
from interlock.agents.evidence.around import look_around
from interlock.agents.evidence.collect import collect
from interlock.agents.model import ObjectRef

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TARGET = ObjectRef(kind="Deployment", namespace="shop", name="orders")


class Held:
    """A reader of a cluster that is held in memory; some kinds may be refused."""

    def __init__(self, cluster: Cluster, *refused: str) -> None:
        self._cluster, self._refused = cluster, refused

    def _bodies(self, kind: str, namespace: str | None) -> list[Json]:
        if kind in self._refused:
            raise AccessDeniedError(f"cannot list {kind}")
        return list(self._cluster.objects.get((namespace or "", KINDS[kind][1]), {}).values())

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        return next((b for b in self._bodies(kind, namespace) if b["metadata"]["name"] == name), None)

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        wanted = dict(pair.split("=") for pair in labels.split(",") if "=" in pair)
        bodies = self._bodies(kind, namespace)
        return [b for b in bodies if wanted.items() <= (b["metadata"].get("labels") or {}).items()]

    async def served(self) -> frozenset[str]:
        return frozenset()

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        return self._cluster.logs.get((namespace, pod, previous), {}).get(container)


def broken() -> Cluster:
    """orders cannot start, because the policy of its database keeps it out."""
    cluster = deployed(APPS["shop"])
    spec = {"podSelector": {"matchLabels": {"app": "orders-db"}}, "policyTypes": ["Ingress"], "ingress": []}
    cluster.put("shop", "networkpolicies", {"metadata": {"name": "shut"}, "spec": spec})
    cluster.state("orders", crashing(1))
    cluster.log("orders", "fatal: dial tcp: orders-db:5432: i/o timeout", previous=True)
    cluster.settle()
    return cluster


async def looked(reader: Any) -> tuple[Any, Any]:
    evidence = await collect(reader, None, TARGET, (), now=lambda: NOW, calls=100, seconds=10)
    own = diagnose(evidence, 0.7)
    assert not explained(own.hypotheses)
    land = Landscape(await look_around(reader, "shop", now=NOW, calls=100, seconds=10))
    evidence, cited = with_quotes(evidence, beyond(land, TARGET))
    return evidence, diagnose(evidence, 0.7, cited)


async def test_a_fault_elsewhere_is_found_and_cited() -> None:
    evidence, diagnosis = await looked(Held(broken()))
    assert diagnosis.verdict == "network-policy.ingress.blocked"
    assert diagnosis.best.object == ObjectRef(kind="NetworkPolicy", namespace="shop", name="shut")
    cited = {quote.id for quote in diagnosis.best.quotes}
    assert cited
    assert cited <= {item.id for item in evidence.items}


async def test_what_may_not_be_read_is_not_guessed() -> None:
    _, diagnosis = await looked(Held(broken(), "NetworkPolicy"))
    assert diagnosis.verdict.startswith("unknown.")


async def test_a_fault_that_the_target_does_not_suffer_from_is_none_of_its() -> None:
    cluster = broken()
    del cluster.objects["shop", "networkpolicies"]["shut"]
    cluster.get("services", "web")["spec"]["selector"] = {"app": "nobody"}
    _, diagnosis = await looked(Held(cluster))
    assert all(finding.object.name != "web" for finding in diagnosis.hypotheses)
