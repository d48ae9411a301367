"""Throttling that only metrics show is answered by a higher limit, and by none where something else is wrong, too."""

from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, crashing

from interlock.cli.diagnose import answered

APP = APPS["shop"]
QUERY = "rate(container_cpu_cfs_throttled_periods_total[5m]) / rate(container_cpu_cfs_periods_total[5m])"


def throttled(share: str = "0.72") -> Cluster:
    cluster = deployed(APP)
    labels = {"namespace": cluster.namespace, "pod": cluster.pod_name(APP.leaf), "container": APP.leaf}
    result = [{"metric": labels, "values": [[n * 60, share] for n in range(12)]}]
    answer = {"status": "success", "query": QUERY, "data": {"resultType": "matrix", "result": result}}
    cluster.files["metrics/throttled.json"] = answer
    return cluster


def proposal(cluster: Cluster, folder: Path) -> Any:
    cluster.settle()
    cluster.write(folder)
    return answered(folder)[0]["proposal"]


def test_a_limit_that_is_known_is_doubled(tmp_path: Path) -> None:
    asked = proposal(throttled(), tmp_path)
    assert asked["runbook"].startswith("raise-cpu-limit-")
    assert asked["target"]["name"] == APP.leaf
    assert asked["parameters"] == {"container": APP.leaf, "cpu": "1000m"}


@pytest.mark.parametrize("share", ["0.1", "NaN"])
def test_a_little_throttling_is_nothing(tmp_path: Path, share: str) -> None:
    assert proposal(throttled(share), tmp_path) is None


def test_without_a_limit_there_is_nothing_to_raise(tmp_path: Path) -> None:
    cluster = throttled()
    cluster.container(APP.leaf)["resources"] = {}
    assert proposal(cluster, tmp_path)["runbook"].startswith("escalate-")


def test_what_crashes_beside_is_no_matter_of_a_limit(tmp_path: Path) -> None:
    cluster = throttled()
    cluster.state(APP.leaf, crashing(1))
    cluster.log(APP.leaf, "panic: index out of range [3] with length 3", previous=True)
    assert not proposal(cluster, tmp_path)["runbook"].startswith("raise-cpu-limit-")
