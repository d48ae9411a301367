"""What the platform's owner says about alerts, before anybody asks the cluster."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent
from tests.unit.agents.storm import NodeFailure

from interlock.agents.incidents import list_incidents
from interlock.agents.intake import Heard, judge, take_in
from interlock.agents.model import Alert, ObjectRef
from interlock.agents.payload import Payload
from interlock.agents.rules import Maintenance, Relabel, RulesError, RulesFile, parse
from interlock.agents.store import Judged, Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # a Sunday


def alert(**fields: Any) -> Alert:
    return Payload.read(payload(sent(**fields))).alerts[0].alert()


def heard(text: str, **fields: Any) -> Heard | Judged:
    return judge("id", alert(**fields), parse(text), NOW)


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        ({"source_labels": ["a", "b"], "regex": "x;(y+)", "target_label": "c", "replacement": "<$1>"}, {"c": "<yy>"}),
        ({"source_labels": ["a"], "regex": "y", "target_label": "c"}, {}),
        ({"source_labels": ["a"], "regex": "(?P<w>.*)", "target_label": "c", "replacement": "${w}-1"}, {"c": "x-1"}),
        ({"regex": ".*", "target_label": "a", "replacement": ""}, {"a": None}),
        ({"regex": "a", "action": "labeldrop"}, {"a": None}),
        ({"regex": "b", "action": "labelkeep"}, {"a": None}),
        ({"source_labels": ["a"], "regex": "x", "action": "keep"}, {}),
    ],
)
def test_relabelling_means_what_it_means_in_prometheus(step: dict[str, Any], labels: dict[str, str | None]) -> None:
    before = {"a": "x", "b": "yy"}
    expected = {k: v for k, v in {**before, **labels}.items() if v is not None}
    assert Relabel.model_validate(step).applied(before) == expected


def test_relabelling_can_drop() -> None:
    text = "relabel: [{source_labels: [alertname], regex: Noise.*, action: drop}]"
    assert isinstance(heard(text, name="NoiseOnly"), Judged)
    assert isinstance(heard(text, name="Other"), Heard)


def test_a_severity_is_what_relabelling_makes_of_it() -> None:
    text = "relabel: [{source_labels: [severity], regex: P4, target_label: severity, replacement: info}]"
    assert isinstance(heard(text, severity="P4"), Judged)
    assert isinstance(heard(text, severity="P1"), Heard)


def test_a_rule_says_which_object_an_alert_is_about() -> None:
    text = "objects: [{match: {alertname: Rabbit.*}, kind: StatefulSet, namespace: mq, name: $queue-rabbit}]"
    found = heard(text, name="RabbitDown", queue="orders")
    assert isinstance(found, Heard)
    assert found.named == (ObjectRef(kind="StatefulSet", namespace="mq", name="orders-rabbit"),)
    assert isinstance(heard(text, name="RabbitDown", queue="../x"), Judged)


@pytest.mark.parametrize(("to", "state"), [("record", "recorded"), ("escalate", "escalated"), ("investigate", "open")])
async def test_a_route_says_what_becomes_of_an_alert(store: Store, database_url: str, to: str, state: str) -> None:
    rules = parse(f"routes: [{{match: {{team: billing}}, to: {to}}}]")
    cluster = NodeFailure(workloads=1)
    labels = {"namespace": "shop", "deployment": "broken", "team": "billing"}
    store.receive(Payload.read(payload(sent(**labels))))
    await take_in(store, cluster, (), rules=rules, now=NOW)
    assert [one.state for one in list_incidents(database_url)] == [state]


def test_the_first_route_that_matches_counts() -> None:
    text = "routes: [{match: {team: a}, to: investigate}, {match: {}, to: ignore}]"
    assert isinstance(heard(text, team="a", namespace="shop", pod="p"), Heard)
    assert isinstance(heard(text, team="b", namespace="shop", pod="p"), Judged)


def test_a_silence_holds_an_alert_until_its_end() -> None:
    text = "silences: [{match: {alertname: Kube.*}, until: 2026-03-01T13:00:00Z, reason: known}]"
    found = heard(text)
    assert isinstance(found, Judged)
    assert (found.until, found.note) == (NOW + timedelta(hours=1), "silenced: known")
    assert isinstance(judge("id", alert(), parse(text), NOW + timedelta(hours=1)), Heard)


async def test_what_still_fires_after_its_silence_becomes_an_incident(
    store: Store, database_url: str, clock: Clock
) -> None:
    rules = parse("silences: [{match: {}, until: 2026-03-01T12:30:00Z}]")
    cluster = NodeFailure(workloads=1)
    store.receive(Payload.read(payload(cluster.alert_of_its_own())))
    for _ in range(2):
        await take_in(store, cluster, (), rules=rules, now=clock())
        assert list_incidents(database_url) == []
    clock.advance(1801)
    await take_in(store, cluster, (), rules=rules, now=clock())
    assert [one.state for one in list_incidents(database_url)] == ["open"]


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-03-01T01:30:00+00:00", None),
        ("2026-03-01T02:00:00+00:00", "2026-03-01T04:00:00+00:00"),
        ("2026-03-01T03:59:59+00:00", "2026-03-01T04:00:00+00:00"),
        ("2026-03-01T04:00:00+00:00", None),
        ("2026-03-02T03:00:00+00:00", None),
    ],
)
def test_a_maintenance_window_comes_again(at: str, ends: str | None) -> None:
    window = Maintenance.model_validate(
        {"schedule": "0 3 * * SUN", "durationSeconds": 7200, "timeZone": "Europe/Berlin"}
    )
    found = window.ends(datetime.fromisoformat(at))
    assert found == (datetime.fromisoformat(ends) if ends else None)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[]", "dictionary"),
        ("relabel: [{regex: '('}]", "relabel.0.regex"),
        ("objects: [{match: {}, kind: Secret, name: x}]", "objects.0"),
        ("routes: [{match: {}, to: delete}]", "routes.0.to"),
        ("silences: [{match: {}, until: 2026-03-01T13:00:00}]", "silences.0.until"),
        ("maintenance: [{schedule: '61 * * * *', durationSeconds: 60}]", "maintenance.0"),
        ("maintenance: [{schedule: '1 * * * *', durationSeconds: 60, timeZone: Mars}]", "maintenance.0"),
        ("sources: {g: {status: {at: x}, name: /n, startsAt: /s}}", "sources.g.status.at"),
        ("surprise: 1", "surprise"),
        ("{", "expected"),
    ],
)
def test_a_wrong_file_names_the_field(text: str, field: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(RulesError, match=field):
        RulesFile(file)


def test_the_rules_of_the_operations_page_can_be_followed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    example = page.partition("```yaml\nrelabel:")[2].partition("```")[0]
    rules = parse(f"relabel:{example}")
    assert rules.route(alert(team="billing")) == "escalate"
    assert set(rules.sources) == {"grafana"}


def test_a_changed_file_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("routes: [{match: {}, to: record}]")
    rules = RulesFile(file)
    for text, route in (("routes: [{match: {}, to: ignore}]", "ignore"), ("{", "ignore"), ("", "investigate")):
        replacement = tmp_path / "new"
        replacement.write_text(text)
        replacement.replace(file)
        assert rules.current().route(alert()) == route
    file.unlink()
    assert rules.current().route(alert()) == "investigate"
