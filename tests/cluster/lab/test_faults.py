"""Each fault sets off the alerts that it names, and its mending ends them and leaves the shop as it was."""

import json
import urllib.request

import pytest
from tests.support.waiting import eventually

from interlock.lab import Lab
from interlock.lab.faults import FAULTS, Fault, inject, repair
from interlock.lab.kubectl import administrator
from interlock.lab.shop import DEPLOYMENTS

SHOP_FAULTS = [fault for fault in FAULTS.values() if not fault.lab_only]


def firing(lab: Lab, namespace: str) -> set[str]:
    url = f"{lab.alertmanager_url}/api/v2/alerts?filter=namespace%3D%22{namespace}%22"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return {alert["labels"]["alertname"] for alert in json.load(answer)}


@pytest.mark.parametrize("fault", SHOP_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_seen_and_can_be_mended(monitored_lab: Lab, shop: str, fault: Fault) -> None:
    inject(monitored_lab, fault, shop)
    eventually(f"{fault.alerts} fire", lambda: firing(monitored_lab, shop) >= set(fault.alerts))
    repair(monitored_lab, fault, shop)
    targets = [f"deployment/{name}" for name in DEPLOYMENTS]
    for target in targets:
        administrator(monitored_lab).run("-n", shop, "rollout", "status", target, "--timeout=60s")
    eventually("no alert fires", lambda: not firing(monitored_lab, shop))
