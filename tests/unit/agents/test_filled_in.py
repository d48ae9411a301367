"""What the API server fills in is nobody's change; of two faults that may each show as the other, the surer stands."""

from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, crashing

from interlock.agents.analyzers import Finding
from interlock.agents.diagnose import conclude
from interlock.agents.model import ObjectRef
from interlock.cli.diagnose import answered

APP = APPS["shop"]
SAID: dict[str, Any] = {"httpGet": {"path": "/readyz", "port": 8080}}
FILLED_IN = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
WEB = ObjectRef(kind="Deployment", namespace="shop", name="web")


def crashing_with(live: dict[str, Any]) -> Cluster:
    """A program that ends by itself; its manifest says of the probe only where it looks."""
    cluster = deployed(APP)
    cluster.container(APP.leaf)["readinessProbe"] = SAID
    cluster.manifests()
    cluster.container(APP.leaf)["readinessProbe"] = {**SAID, **live}
    cluster.state(APP.leaf, crashing(3))
    cluster.log(APP.leaf, "panic: index out of range [3] with length 3", previous=True)
    return cluster


def causes(cluster: Cluster, folder: Path) -> list[str]:
    cluster.settle()
    cluster.write(folder)
    return [one["cause"] for one in answered(folder)[0]["hypotheses"]]


def test_a_probes_defaults_are_no_change(tmp_path: Path) -> None:
    assert not any(cause.startswith("workload.probe") for cause in causes(crashing_with(FILLED_IN), tmp_path))


def test_another_value_is_one(tmp_path: Path) -> None:
    changed = crashing_with({**FILLED_IN, "timeoutSeconds": 7})
    assert "workload.probe.readiness-timing-wrong" in causes(changed, tmp_path)


def finding(cause: str, sure: float) -> Finding:
    return Finding(cause=cause, object=WEB, confidence=sure, summary="it is so", quotes=())


@pytest.mark.parametrize(
    ("crash", "probe", "stands"),
    [(0.93, 0.85, "workload.crash.after-change"), (0.75, 0.93, "workload.probe.readiness-timing-wrong")],
)
def test_of_two_that_explain_each_other_the_surer_stands(crash: float, probe: float, stands: str) -> None:
    both = [finding("workload.crash.after-change", crash), finding("workload.probe.readiness-timing-wrong", probe)]
    judged = conclude(both, 0.6)
    assert judged.verdict == stands
    assert judged.hypotheses[1].against
