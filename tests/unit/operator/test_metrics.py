"""What is measured: documented as served, and without the name of any object."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from interlock.agents.webhook import PATH
from interlock.crds.manifests import chart
from interlock.crds.names import OWN_ALERT_LABEL
from interlock.operator import metrics

ROOT = Path(__file__).parents[3]
KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


def served() -> dict[str, str]:
    """Each metric as a row of the reference."""
    rows: dict[str, str] = {}
    for metric in vars(metrics).values():
        for kind, word in KINDS.items():
            if isinstance(metric, kind):
                name = metric._name + ("_total" if kind is Counter else "")
                labels = ", ".join(f"`{label}`" for label in metric._labelnames)
                rows[name] = f"| `{name}` | {word} | {labels}{' ' * bool(labels)}| {metric._documentation} |"
    return rows


def test_the_reference_names_each_metric_as_it_is_served() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = re.search(r"<!-- metrics -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert table is not None
    rows = [line for line in table[1].splitlines() if line.startswith("| `")]
    assert rows == [row for _, row in sorted(served().items())]


def test_each_metric_is_on_the_page() -> None:
    page = metrics.served().decode()
    for name in served():
        assert f"# TYPE {name} " in page


def named(text: str) -> set[str]:
    """The metrics that an expression asks for."""
    return {re.sub("_bucket$", "", name) for name in re.findall(r"interlock_operator_\w+", text)}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((chart("install") / "monitoring" / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_suggested_alerts_ask_for_metrics_and_labels_that_exist() -> None:
    asked = {name for rule in rules() for name in named(rule["expr"])}
    assert asked
    assert asked <= set(served())
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules())
    assert [rule["alert"] for rule in rules() if rule["expr"] == "vector(1)"] == ["InterlockDeadMansSwitch"]


def test_no_alert_of_ours_opens_an_incident() -> None:
    assert all(rule["labels"][OWN_ALERT_LABEL] == "true" for rule in rules())


def test_each_alert_has_a_runbook_in_the_operations_guide() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert re.findall(r"^### (Interlock\w+)$", text, re.MULTILINE) == [rule["alert"] for rule in rules()]


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    panels = json.loads((chart("install") / "monitoring" / "dashboard.json").read_text())["panels"]
    asked = {name for panel in panels for target in panel["targets"] for name in named(target["expr"])}
    assert len(asked) > 10
    assert asked <= set(served())


def test_alertmanager_delivers_our_own_alerts_to_people_only() -> None:
    routing = yaml.safe_load((chart("install") / "monitoring" / "alertmanager.yaml").read_text())
    routes = routing["route"]["routes"]
    ours = next(n for n, route in enumerate(routes) if route.get("matchers") == [f'{OWN_ALERT_LABEL}="true"'])
    agents = next(n for n, route in enumerate(routes) if route["receiver"] == "interlock")
    assert ours < agents
    assert not routes[ours].get("continue")
    receiver = next(r for r in routing["receivers"] if r["name"] == "interlock")
    assert receiver["webhook_configs"][0]["url"].endswith(PATH)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/api/v1", ("get", "discovery")),
        ("GET", "/apis/made.up.by-somebody/v1", ("get", "discovery")),
        ("GET", "/api/v1/namespaces/shop", ("get", "namespaces")),
        ("GET", "/api/v1/namespaces/shop/pods", ("list", "pods")),
        ("GET", "/api/v1/namespaces/shop/pods/web-1", ("get", "pods")),
        ("GET", "/apis/interlock.dev/v1alpha1/runbookexecutions", ("list", "runbookexecutions")),
        ("PATCH", "/apis/interlock.dev/v1alpha1/namespaces/shop/x/fix/status", ("patch", "x/status")),
        ("POST", "/api/v1/namespaces/r/serviceaccounts/a.b/token", ("create", "serviceaccounts/token")),
        ("DELETE", "/api/v1/namespaces/r/secrets/rbx-1", ("delete", "secrets")),
        ("PUT", "/apis/apps/v1/namespaces/shop/deployments/web/scale", ("update", "deployments/scale")),
        ("PATCH", "/api/v1/nodes/n1", ("patch", "nodes")),
    ],
)
def test_a_request_is_counted_by_verb_and_resource_without_any_name(
    method: str, path: str, kind: tuple[str, str]
) -> None:
    assert metrics.request_kind(method, path) == kind


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.500Z", 1.5),
        ("2026-01-01T00:00:09.000Z", "2026-01-01T00:00:01.000Z", 0.0),
    ],
)
def test_a_clock_that_was_set_back_measures_nothing_negative(start: str, end: str, seconds: float) -> None:
    assert metrics.seconds_between(start, end) == seconds
