"""The configuration of Prometheus and Alertmanager in a lab: everything in seconds, every alert to one webhook."""

import urllib.error
import urllib.request
from importlib.resources import files
from typing import Any

import yaml

from interlock.lab.certificates import write_private
from interlock.lab.errors import LabError
from interlock.lab.layout import Layout
from interlock.lab.ports import Ports

TOKEN_FILE = "webhook-token"  # noqa: S105  (a file's name)


def write_monitoring(layout: Layout, ports: Ports) -> None:
    """Writes both configurations and the alert rules; Alertmanager notifies nobody until a webhook is set."""
    prometheus = {
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
            "external_labels": {"cluster": "lab"},
        },
        "rule_files": ["rules.yaml"],
        "alerting": {"alertmanagers": [_target(ports.alertmanager)]},
        "scrape_configs": [
            # honor_labels keeps namespace and pod of the object, which would become exported_namespace otherwise.
            {"job_name": "kube-state-metrics", "honor_labels": True, **_target(ports.state_metrics)}
        ],
    }
    layout.config("prometheus.yml").write_text(yaml.safe_dump(prometheus, sort_keys=False))
    layout.config("rules.yaml").write_text(files("interlock.lab").joinpath("rules.yaml").read_text())
    write_webhook(layout, None, "")


def write_webhook(layout: Layout, url: str | None, token: str) -> None:
    """Writes who Alertmanager notifies. The token is read again at each notification, without a reload."""
    write_private(layout.config(TOKEN_FILE), token.encode())
    layout.config("alertmanager.yml").write_text(yaml.safe_dump(_alertmanager(url), sort_keys=False))


def reload_alertmanager(url: str) -> None:
    """Makes a running Alertmanager read its configuration again; raises LabError when it does not."""
    request = urllib.request.Request(f"{url}/-/reload", method="POST")  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise LabError(f"Alertmanager refused its configuration: {refusal.read().decode()}") from refusal
    except urllib.error.URLError as failure:
        raise LabError(f"Alertmanager does not answer at {url}: {failure.reason}") from failure


def _alertmanager(url: str | None) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": "interlock"}
    if url is not None:
        receiver["webhook_configs"] = [
            {
                "url": url,
                "send_resolved": True,
                "timeout": "5s",
                "http_config": {"authorization": {"type": "Bearer", "credentials_file": TOKEN_FILE}},
            }
        ]
    route = {
        "receiver": "interlock",
        "group_by": ["cluster", "namespace"],
        "group_wait": "1s",
        "group_interval": "2s",
        "repeat_interval": "1h",
    }
    return {"route": route, "receivers": [receiver]}


def _target(port: int) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
