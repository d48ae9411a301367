"""A look keeps what it may keep: bounded, redacted, numbered the same way each time, honest about what it missed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.unit.agents.test_work import Script

from interlock.agents.cluster import Json
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence.bounds import within
from interlock.agents.evidence.collect import collect
from interlock.agents.evidence.metrics import Metrics, queries
from interlock.agents.evidence.model import Evidence
from interlock.agents.evidence.revisions import changes
from interlock.agents.model import ObjectRef

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TARGET = ObjectRef(kind="Deployment", namespace="shop", name="checkout")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


async def look(script: Any, **arguments: Any) -> Evidence:
    defaults = {"now": lambda: NOW, "calls": 100, "seconds": 10}
    return await collect(script, arguments.pop("metrics", None), TARGET, (), **{**defaults, **arguments})


class Partly(Script):
    """An API server that refuses or fails for one kind."""

    def __init__(self, kind: str, failure: Exception) -> None:
        super().__init__()
        self._kind, self._failure = kind, failure

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        if kind == self._kind:
            raise self._failure
        return await super().list(kind, namespace, labels=labels, fields=fields)


async def test_the_same_cluster_gives_the_same_evidence() -> None:
    assert await look(Script()) == await look(Script())


@pytest.mark.parametrize("failure", [AccessDeniedError("no"), ClusterUnavailableError("time-out")])
@pytest.mark.parametrize(
    ("of", "kind"), [("Pod", "pods"), ("ReplicaSet", "replica-sets"), ("Event", "events"), ("ResourceQuota", "quotas")]
)
async def test_what_cannot_be_read_is_missing_and_not_empty(of: str, kind: Any, failure: Exception) -> None:
    evidence = await look(Partly(of, failure))
    assert evidence.lacks(kind)
    assert evidence.first(kind) is None
    complete = await look(Script())
    assert complete.first(kind) is not None


async def test_a_target_that_is_out_of_reach_is_no_look() -> None:
    script = Script()
    script.down = True
    with pytest.raises(ClusterUnavailableError):
        await look(script)


async def test_a_look_that_has_made_its_calls_says_what_it_left_out() -> None:
    evidence = await look(Script(), calls=3)
    assert evidence.first("target") is not None
    assert any("all the calls" in gap.reason for gap in evidence.missing)


async def test_a_prometheus_that_does_not_answer_is_missing_evidence() -> None:
    evidence = await look(Script(), metrics=Metrics("http://127.0.0.1:9", 1))
    assert evidence.lacks("metric")
    assert evidence.first("metric") is None


def test_names_in_queries_cannot_leave_their_quotes() -> None:
    hostile = ObjectRef(kind="Deployment", namespace='a"} or vector(1) #', name=".*")
    for query in queries(hostile):
        assert '"a\\"} or vector(1) #"' in query
        assert 'deployment=".*"' in query or 'pod=~"\\\\.\\\\*-.*"' in query


@given(JSON, st.integers(16, 400))
def test_an_item_never_exceeds_its_bound(content: JsonValue, largest: int) -> None:
    kept, truncated = within(content, largest)
    assert len(json.dumps(kept)) <= max(largest, 4)
    assert truncated or kept == content


@given(JSON)
def test_equal_templates_do_not_differ(template: JsonValue) -> None:
    assert changes(template, template) == []


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3)), st.sampled_from("abcdef"), st.integers(4, 9))
def test_one_field_that_differs_is_the_only_change(before: dict[str, JsonValue], field: str, value: int) -> None:
    found = changes({"spec": before}, {"spec": {**before, field: value}})
    assert found == [{"path": f"/spec/{field}", "before": before.get(field), "after": value}]


def _variable(name: str, value: str) -> JsonValue:
    return {"spec": {"containers": [{"name": "app", "env": [{"name": name, "value": value}]}]}}


def test_a_changed_password_shows_as_changed_and_not_as_what_it_is() -> None:
    found = changes(_variable("DB_PASSWORD", "old-one"), _variable("DB_PASSWORD", "new-one"))
    assert [change["path"] for change in found] == ["/spec/containers/app/env/DB_PASSWORD/value"]
    assert "old-one" not in str(found)
    assert "new-one" not in str(found)


def test_an_inserted_variable_is_one_change() -> None:
    before = {"env": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]}
    after = {"env": [{"name": "A", "value": "1"}, *before["env"]]}
    assert [change["path"] for change in changes(before, after)] == ["/env/A"]  # type: ignore[arg-type]
