"""What real kubelets say of real faults gets its right name: many things at once, each in a namespace of its own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from tests.cluster.agents.test_diagnosis import EXPECTED, until_sure
from tests.support.installation import Installation
from tests.support.waiting import eventually

from interlock.agents.cluster import Cluster
from interlock.agents.diagnose import Diagnosis
from interlock.agents.model import ObjectRef
from interlock.lab import Lab
from interlock.lab.api import Api
from interlock.lab.faults import FAULTS, inject, repair
from interlock.lab.kubectl import Kubectl, administrator

# Those in which a kubelet has a say, and containers: crashes, kills for memory, probes, pulls, settings.
BROKEN = [case for case in EXPECTED if case[0] not in {"scaled-to-zero", "unschedulable", "secret-missing"}]

BROKEN_BY_ENDS = ("crash-after-change", "crash-by-bug", "memory-limit-too-low")


@pytest.fixture
async def eyes(installation: Installation) -> AsyncIterator[Cluster]:
    """The API server as the agents see it."""
    async with await Cluster.connect(installation.agents_kubeconfig, 10) as cluster:
        yield cluster


def deploy(kubectl: Kubectl, name: str, namespace: str) -> ObjectRef:
    """One service of the shop in a namespace of its own."""
    kubectl.run("create", "namespace", namespace)
    with as_file(files("interlock.lab.shop")) as folder:
        manifests = [f"--filename={folder / part}.yaml" for part in (name, "settings")]
        kubectl.run("apply", "--namespace", namespace, *manifests)
    return ObjectRef(kind="Deployment", namespace=namespace, name=name)


async def test_faults_that_kubelets_show_get_their_names(lab: Lab, installation: Installation, eyes: Cluster) -> None:
    kubectl, targets = administrator(lab), list[ObjectRef]()
    try:
        for fault, service, *_ in BROKEN:
            targets.append(deploy(kubectl, service, f"real-{fault}"))
            installation.opt_in(f"real-{fault}")
        for target in targets:
            place = ("--namespace", target.namespace or "", f"deployment/{target.name}")
            kubectl.run("wait", *place, "--for=condition=Available", "--timeout=120s")
        for fault, *_ in BROKEN:
            inject(lab, FAULTS[fault], f"real-{fault}")
        for fault in BROKEN_BY_ENDS:
            eventually(f"{fault} ends a container", partial(_ended, lab, f"real-{fault}"))
        seen = await asyncio.gather(*(until_sure(eyes, target) for target in targets))
    finally:
        kubectl.run("delete", "namespace", "--wait=false", *(target.namespace or "" for target in targets))
    found = {case[0]: _told(diagnosis) for case, (_, diagnosis) in zip(BROKEN, seen, strict=True)}
    assert found == {fault: (cause, kind, introduced) for fault, _, cause, kind, introduced in BROKEN}


def test_a_node_whose_kubelet_stops_is_named(lab: Lab, tmp_path: Path) -> None:
    kubectl = administrator(lab)
    inject(lab, FAULTS["node-down"])
    try:
        kubectl.run("wait", "node/node-1", "--for=condition=Ready=Unknown", "--timeout=60s")
        _interlock(lab, "snapshot", "default", "--out", str(tmp_path / "snapshot"))
        said = json.loads(_interlock(lab, "diagnose", str(tmp_path / "snapshot"), "--output", "json"))
        best = said["hypotheses"][0]
        assert (best["cause"], best["object"]["kind"], best["object"]["name"]) == (
            "node.kubelet.down",
            "Node",
            "node-1",
        )
    finally:
        repair(lab, FAULTS["node-down"])
    kubectl.run("wait", "node/node-1", "--for=condition=Ready", "--timeout=60s")


def _interlock(lab: Lab, *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "interlock.cli", *arguments]
    environment = {**os.environ, "KUBECONFIG": str(lab.kubeconfig)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def _ended(lab: Lab, namespace: str) -> bool:
    pods = Api(lab.kubeconfig).request("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
    return any("terminated" in status["lastState"] for status in statuses)


def _told(diagnosis: Diagnosis) -> tuple[str, str, str]:
    best = diagnosis.best
    return (best.cause, best.object.kind, best.introduced) if best else (diagnosis.verdict, "", "")
