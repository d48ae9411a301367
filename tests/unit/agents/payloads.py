"""Payloads as Alertmanager sends them; the shapes were captured from a real one."""

import json
from typing import Any

Json = dict[str, Any]


def sent(
    name: str = "KubePodCrashLooping",
    *,
    status: str = "firing",
    starts: str = "2026-03-01T11:59:48.659Z",
    severity: str = "warning",
    **labels: str,
) -> Json:
    """One alert; about Deployment shop/checkout unless labels say otherwise."""
    about = labels or {"namespace": "shop", "pod": "checkout-5bf7f84b6c-47k7g", "deployment": "checkout"}
    return {
        "status": status,
        "labels": {"alertname": name, "cluster": "lab", "severity": severity, **about},
        "annotations": {"summary": "A container keeps crashing.", "description": "It ends again and again."},
        "startsAt": starts,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-01T12:09:58.659Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
        "fingerprint": "b829ca08bdd71b60",
    }


def payload(*alerts: Json, truncated: int = 0, **fields: Any) -> bytes:
    """One delivery. The group's status is firing if any of its alerts is, as Alertmanager says it."""
    group = {
        "receiver": "interlock",
        "status": "firing" if any(a["status"] == "firing" for a in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"namespace": "shop"},
        "commonLabels": {"cluster": "lab"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": '{}:{namespace="shop"}',
        "truncatedAlerts": truncated,
        **fields,
    }
    return json.dumps(group).encode()
