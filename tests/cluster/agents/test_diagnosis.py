"""Every fault of the lab, read through the agents' own rights, gets its right name; a healthy service gets none."""

import asyncio
import json
from typing import Any

import pytest
from tests.cluster.agents.conftest import Deploy, look

from interlock.agents.cluster import Cluster
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef
from interlock.lab import Lab
from interlock.lab.faults import FAULTS, inject

# Fault, service that shows it, cause, kind of the object at fault, whether going back would help.
EXPECTED = (
    ("crash-after-change", "checkout", "workload.env.missing", "Deployment", "yes"),
    ("crash-by-bug", "catalogue", "workload.crash.after-change", "Deployment", "yes"),
    ("image-not-found", "frontend", "workload.image.not-found", "Deployment", "yes"),
    ("probe-failing", "catalogue", "workload.probe.readiness-path-wrong", "Deployment", "yes"),
    ("liveness-wrong", "frontend", "workload.probe.liveness-port-wrong", "Deployment", "yes"),
    ("config-missing", "catalogue", "workload.config.key-missing", "Deployment", "yes"),
    ("secret-missing", "payments", "workload.secret.not-found", "Deployment", "yes"),
    ("memory-limit-too-low", "payments", "workload.memory.limit-too-low", "Deployment", "yes"),
    ("scaled-to-zero", "checkout", "workload.replicas.zero", "Deployment", "no"),
    ("unschedulable", "catalogue", "scheduling.node-selector.mismatch", "Deployment", "yes"),
)


async def until_sure(eyes: Cluster, target: ObjectRef) -> tuple[Evidence, Diagnosis]:
    """Looks until a verdict other than "recovered" stands; fails with the last look after a minute."""
    evidence, diagnosis = await look(eyes, target)
    try:
        async with asyncio.timeout(60):
            while diagnosis.best is None or diagnosis.verdict.startswith("none."):
                await asyncio.sleep(0.3)
                evidence, diagnosis = await look(eyes, target)
    except TimeoutError:
        shown = [item.model_dump(mode="json") for item in evidence.items if item.kind in ("pods", "events", "log")]
        pytest.fail(f"never sure: {diagnosis.model_dump_json(indent=1)}\n{json.dumps(shown, indent=1)[:6000]}")
    return evidence, diagnosis


@pytest.mark.parametrize("case", EXPECTED, ids=[case[0] for case in EXPECTED])
async def test_a_fault_gets_its_name(
    lab: Lab, deploy: Deploy, eyes: Cluster, case: tuple[str, str, str, str, str]
) -> None:
    fault, service, cause, kind, introduced = case
    target = deploy(service)
    inject(lab, FAULTS[fault], target.namespace or "")
    evidence, diagnosis = await until_sure(eyes, target)
    best = diagnosis.best
    assert best is not None
    assert (best.cause, best.object.kind, best.introduced) == (cause, kind, introduced), diagnosis
    cited = {quote.id for quote in best.quotes}
    assert cited
    assert cited <= {item.id for item in evidence.items}


async def test_a_quota_is_at_fault_and_not_the_workload(lab: Lab, deploy: Deploy, eyes: Cluster) -> None:
    target = deploy("catalogue")
    fault = FAULTS["quota-exceeded"]
    create = (("create", "quota", "team", "--hard=pods=3"), fault.breaks[1])
    inject(lab, fault.__class__(**{**vars(fault), "breaks": create}), target.namespace or "")
    _, diagnosis = await until_sure(eyes, target)
    best = diagnosis.best
    assert best is not None
    assert best.cause == "namespace.quota.pods-exceeded"
    assert best.object == ObjectRef(kind="ResourceQuota", namespace=target.namespace, name="team")


async def test_a_healthy_service_is_healthy(deploy: Deploy, eyes: Cluster) -> None:
    target = deploy("frontend")
    evidence, diagnosis = await look(eyes, target)
    while diagnosis.verdict != "none.recovered":  # available is said a moment before the last pod is ready
        evidence, diagnosis = await look(eyes, target)
    assert {gap.kind for gap in evidence.missing} == {"metric"}


async def test_a_missing_right_is_a_gap_and_not_an_empty_list(lab: Lab, eyes: Cluster, namespace: str) -> None:
    target = ObjectRef(kind="Namespace", namespace=None, name=namespace)
    evidence, diagnosis = await look(eyes, target)
    assert diagnosis.verdict == "unknown.insufficient-evidence"
    assert evidence.first("target") is not None


async def test_of_a_node_is_seen_how_it_lives_and_what_runs_on_it(lab: Lab, deploy: Deploy, eyes: Cluster) -> None:
    target = deploy("catalogue")
    pods = await eyes.list("Pod", target.namespace)
    name = next(pod["spec"]["nodeName"] for pod in pods)
    evidence, _ = await look(eyes, ObjectRef(kind="Node", namespace=None, name=name))
    content: dict[str, Any] = {item.kind: item.content for item in evidence.items}
    assert content["target"]["status"]["conditions"]
    assert content["node-lease"]["spec"]["renewTime"]
    mine = {pod["metadata"]["name"] for pod in pods if pod["spec"]["nodeName"] == name}
    placed = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in content["node-pods"]}
    assert {(target.namespace, pod) for pod in mine} <= placed
    # The events of nodes are in `default`, which has not opted in: that they were not seen is said.
    assert evidence.lacks("node-events")
