"""What is measured: documented as served, and without the name of any object."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from interlock.operator import metrics
from interlock.operator.api import request_kind

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


def test_suggested_alerts_ask_for_metrics_and_labels_that_exist() -> None:
    document = yaml.safe_load((ROOT / "charts" / "alerts" / "interlock-operator.yaml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"interlock_operator_\w+", rule["expr"])}
    assert asked
    assert asked <= set(served())
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)
    assert [rule["alert"] for rule in rules if rule["expr"] == "vector(1)"] == ["InterlockDeadMansSwitch"]


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
    assert request_kind(method, path) == kind


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.500Z", 1.5),
        ("2026-01-01T00:00:09.000Z", "2026-01-01T00:00:01.000Z", 0.0),
    ],
)
def test_a_clock_that_was_set_back_measures_nothing_negative(start: str, end: str, seconds: float) -> None:
    assert metrics.seconds_between(start, end) == seconds
