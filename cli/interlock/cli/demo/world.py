"""What the demo looks at while it waits: alerts, incidents and executions, each as those who own it tell it."""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from interlock.agents.incidents import IncidentDetail, list_incidents, show_incident
from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.demo.stage import Stage
from interlock.cli.errors import CommandError
from interlock.cli.executions import Seen, seen
from interlock.lab import Lab
from interlock.lab.shop import NAMESPACE

LOOK_SECONDS = 0.25
T = TypeVar("T")


@dataclass(frozen=True)
class FiringAlert:
    """An alert as Alertmanager holds it."""

    name: str
    namespace: str
    what: str
    summary: str
    since: datetime

    @property
    def age(self) -> float:
        """Seconds for which it has been firing."""
        return (datetime.now(UTC) - self.since).total_seconds()


def firing(stage: Stage) -> list[FiringAlert]:
    """The alerts that fire for the shop now, the oldest first."""
    return [alert for alert in firing_everywhere(stage.lab) if alert.namespace == NAMESPACE]


def firing_everywhere(lab: Lab) -> list[FiringAlert]:
    """The alerts that fire on the lab now, the oldest first."""
    url = f"{lab.alertmanager_url}/api/v2/alerts?active=true"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the lab's own Alertmanager
        alerts = [_alert(item) for item in json.load(answer)]
    return sorted(alerts, key=lambda alert: alert.since)


def _alert(item: dict[str, Any]) -> FiringAlert:
    labels = item["labels"]
    namespace = labels.get("namespace", "")
    what = next((f"{key} {labels[key]}" for key in ("pod", "deployment", "job_name") if key in labels), namespace)
    since = datetime.fromisoformat(item["startsAt"])
    return FiringAlert(labels["alertname"], namespace, what, item["annotations"].get("summary", ""), since)


def incident(stage: Stage, identifier: str = "") -> IncidentDetail | None:
    """The incident of that identifier, or else the newest; None while there is none."""
    if not identifier:
        found = list_incidents(stage.database_url)
        if not found:
            return None
        identifier = found[0].id
    return show_incident(stage.database_url, identifier)


def proposal(cluster: Cluster) -> Seen | None:
    """The newest execution in the shop, None while there is none."""
    found = [seen(body) for body in cluster.items(executions_path(NAMESPACE))]
    return max(found, key=lambda item: item.execution.created_at, default=None)


def await_(stage: Stage, what: str, look: Callable[[], T | None], seconds: float = 60) -> T:
    """The first thing seen that is true.

    Raises:
        CommandError: it did not come, or a part of Interlock ended.
    """
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        stage.demand_alive()
        if time.monotonic() > deadline:
            raise CommandError(
                f"waited {seconds:.0f} s in vain for {what}", f"The logs: {stage.lab.directory / 'logs'}"
            )
        time.sleep(LOOK_SECONDS)
