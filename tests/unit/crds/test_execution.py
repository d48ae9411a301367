from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.crds.samples import EXECUTION, execution_spec

from interlock.crds.execution import (
    FIRST_PHASES,
    STARTED,
    TERMINAL,
    TRANSITIONS,
    RunbookExecution,
    Target,
    new_execution,
)
from interlock.crds.names import AUDIT_FINALIZER

DECISION = {"by": "bob", "subject": "sha256:" + "b" * 64, "verdict": "Approve"}


def as_returned(body: dict[str, Any]) -> dict[str, Any]:
    server = {"uid": "u-1", "resourceVersion": "7", "creationTimestamp": "2026-01-02T03:04:05Z"}
    return {**body, "metadata": {**body["metadata"], **server}}


def test_a_new_execution_comes_back_as_it_was_asked_for() -> None:
    body = new_execution(name="scale-1", namespace="shop", spec=execution_spec(), labels={"a": "b"})
    execution = RunbookExecution.from_object(as_returned(body))
    assert execution.spec == execution_spec()
    assert execution.key == "shop/scale-1"
    assert execution.finalizers == (AUDIT_FINALIZER,)
    assert (execution.status, execution.journal, execution.deleted) == (None, (), False)
    assert body["metadata"]["labels"] == {"a": "b"}


def test_what_is_decided_later_does_not_change_what_was_asked() -> None:
    decided = execution_spec(decisions=[DECISION], cancelled={"by": "carol"})
    assert decided.request_digest() == execution_spec().request_digest()


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"replicas": "5"}},
        {"parameters": {}},
        {"requestedBy": "mallory"},
        {"dryRun": True},
        {"target": {**EXECUTION["target"], "name": "other"}},
        {"target": {**EXECUTION["target"], "namespace": "other"}},
        {"runbook": {**EXECUTION["runbook"], "digest": "sha256:" + "c" * 64}},
        {"reason": {"summary": "Too few!"}},
    ],
)
def test_every_change_of_what_is_asked_shows(change: dict[str, Any]) -> None:
    assert execution_spec(**change).request_digest() != execution_spec().request_digest()


def test_a_number_that_the_api_server_writes_differently_is_the_same_request() -> None:
    rewritten = execution_spec(reason={**EXECUTION["reason"], "confidence": 1})
    assert rewritten.request_digest() == execution_spec().request_digest()


@pytest.mark.parametrize(
    "change",
    [
        {"requestedBy": "ali\u202ece"},
        {"parameters": {"replicas": "4\x00"}},
        {"parameters": {f"p{n}": "" for n in range(17)}},
        {"reason": {"summary": "x", "cause": "Gremlins!"}},
        {"reason": {"summary": "x", "confidence": 1.1}},
        {"target": {**EXECUTION["target"], "name": "../etc"}},
        {"target": {**EXECUTION["target"], "apiVersion": "apps/v1?x"}},
        {"runbook": {"name": "scale-web-1.2.3"}},
        {"serviceAccount": "admin"},
        {"decisions": [{**DECISION, "verdict": "Maybe"}]},
    ],
)
def test_what_nobody_may_ask_for(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        execution_spec(**change)


def test_a_target_reads_like_a_sentence() -> None:
    assert str(execution_spec().target) == "Deployment shop/web"
    assert str(Target.model_validate({"apiVersion": "v1", "kind": "Node", "name": "n-1"})) == "Node n-1"


def test_the_family_is_the_name_without_the_version() -> None:
    assert execution_spec().runbook.family == "scale-web"


def test_every_phase_has_a_place_and_an_end() -> None:
    assert not TERMINAL & set(TRANSITIONS)
    assert set(TRANSITIONS) >= STARTED
    assert {phase for after in TRANSITIONS.values() for phase in after} <= TERMINAL | set(TRANSITIONS)
    assert TERMINAL | set(TRANSITIONS) >= FIRST_PHASES


@given(st.sampled_from(sorted(TRANSITIONS)))
def test_every_phase_can_end(phase: str) -> None:
    reached, frontier = {phase}, [phase]
    while frontier:
        new = TRANSITIONS.get(frontier.pop(), frozenset()) - reached
        reached |= new
        frontier.extend(new)
    assert reached & TERMINAL


@given(st.sampled_from(sorted(STARTED)))
def test_what_has_started_never_waits_for_approval_again(phase: str) -> None:
    assert not TRANSITIONS[phase] & {"Pending", "Planning", "AwaitingApproval", "Approved", "NotNeeded", "Denied"}


def test_a_cause_that_this_version_does_not_know_is_understood() -> None:
    later = execution_spec(reason={"summary": "x", "cause": "workload.imagination.lacking"})
    assert later.reason.cause == "workload.imagination.lacking"
