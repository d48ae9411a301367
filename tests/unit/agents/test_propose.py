"""Which runbook is asked for, with which parameters, and when a person is asked instead."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.agents.scenes import container, crashing, log, look, ready, template, waiting

from interlock.agents.diagnose import Diagnosis, diagnose
from interlock.agents.evidence import Evidence
from interlock.agents.propose import Choice, Nothing, catalogue, choose, execution_body
from interlock.crds.execution import RunbookExecutionSpec

CATALOGUE = Path(__file__).parents[3] / "runbooks" / "catalogue"
BODIES: list[dict[str, Any]] = [yaml.safe_load(p.read_text()) for p in sorted(CATALOGUE.glob("*/runbook.yaml"))]
RUNBOOKS = catalogue(BODIES)
GOOD = [ready("web-a"), ready("web-b")]
BROKEN_IMAGE = template(container(image="registry.example/shop/web:typo"))


def bad_image() -> Evidence:
    pod = waiting("web-c", "ImagePullBackOff", "x: not found", made_from=BROKEN_IMAGE)
    return look(pods=[*GOOD, pod], new=BROKEN_IMAGE)


def chosen(evidence: Evidence, **arguments: Any) -> tuple[Diagnosis, Choice | Nothing]:
    diagnosis = diagnose(evidence, 0.7)
    return diagnosis, choose(diagnosis, evidence, arguments.pop("runbooks", RUNBOOKS), **arguments)


def test_a_bad_revision_goes_back_to_the_one_that_works() -> None:
    _, choice = chosen(bad_image())
    assert isinstance(choice, Choice)
    assert (choice.family, choice.parameters) == ("rollback-deployment", {"toRevision": "1"})
    assert choice.digest == next(r for r in RUNBOOKS if r.metadata.name == choice.runbook).digest()


def test_where_no_revision_is_seen_to_work_the_runbook_looks_for_itself() -> None:
    pods = [waiting("web-c", "ImagePullBackOff", "x: not found", made_from=BROKEN_IMAGE)]
    _, choice = chosen(look(pods=pods, new=BROKEN_IMAGE))
    assert isinstance(choice, Choice)
    assert choice.parameters == {"toRevision": "0"}


def test_a_fault_that_the_revision_did_not_bring_is_not_rolled_back() -> None:
    old = template(container(image="registry.example/shop/web:typo"))
    new = template(container(image="registry.example/shop/web:typo", env=None))
    pods = [waiting("web-c", "ImagePullBackOff", "x: not found", made_from=new)]
    diagnosis, choice = chosen(look(pods=pods, old=old, new=new))
    assert diagnosis.verdict == "workload.image.not-found"
    assert isinstance(choice, Choice)
    assert choice.handover


def test_not_sure_is_a_question_for_a_person() -> None:
    _, choice = chosen(look(pods=[crashing("web-a", revision="5d8f7c9b4d")]))
    assert isinstance(choice, Choice)
    assert (choice.family, choice.handover) == ("escalate", True)
    assert choice.why.startswith("not sure")


def test_what_was_tried_is_not_asked_for_again() -> None:
    tried = frozenset({("rollback-deployment", (("toRevision", "1"),))})
    _, choice = chosen(bad_image(), tried=tried)
    assert isinstance(choice, Choice)
    assert choice.handover


def test_replicas_come_from_what_was_meant() -> None:
    _, choice = chosen(look(pods=[], replicas=0, extra=[("declared", {"replicas": 3})]))
    assert isinstance(choice, Choice)
    assert (choice.family, choice.parameters) == ("scale-deployment", {"replicas": "3"})


def test_a_number_beyond_the_runbooks_bounds_is_a_question_for_a_person() -> None:
    _, choice = chosen(look(pods=[], replicas=0, extra=[("declared", {"replicas": 300})]))
    assert isinstance(choice, Choice)
    assert choice.handover


def test_without_any_runbook_nothing_is_asked_for() -> None:
    _, choice = chosen(bad_image(), runbooks=())
    assert isinstance(choice, Nothing)
    assert "workload.image.not-found" in choice.why


def _with(body: dict[str, Any], **spec: Any) -> dict[str, Any]:
    changed = {**body, "spec": {**body["spec"], **spec}}
    changed["metadata"] = {"name": f"{changed['spec']['family']}-{changed['spec']['version']}"}
    return changed


ROLLBACK = next(b for b in BODIES if b["spec"]["family"] == "rollback-deployment")
UNUSABLE = {
    "retired": _with(ROLLBACK, state="Retired"),
    "not valid": {**ROLLBACK, "status": {"conditions": [{"type": "Valid", "status": "False"}]}},
    "of another schema": {**ROLLBACK, "spec": {**ROLLBACK["spec"], "surprise": 1}},
    "without a spec": {"metadata": {"name": "x-1.0.0"}},
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_runbook_is_not_in_the_catalogue(body: dict[str, Any]) -> None:
    assert catalogue([body]) == ()


def test_the_newest_version_is_asked_for() -> None:
    bodies = [_with(ROLLBACK, version=version) for version in ("1.9.0", "1.10.0", "1.2.0")]
    assert [r.spec.version for r in catalogue(bodies)] == ["1.10.0"]


def test_the_less_invasive_runbook_is_asked_for() -> None:
    gentle = _with(ROLLBACK, family="gentle-rollback", risk="Low")
    _, choice = chosen(bad_image(), runbooks=catalogue([*BODIES, gentle]))
    assert isinstance(choice, Choice)
    assert choice.family == "gentle-rollback"


def test_the_request_says_why_and_can_be_created_as_it_is() -> None:
    evidence = bad_image()
    diagnosis, choice = chosen(evidence)
    assert isinstance(choice, Choice)
    body = execution_body(
        choice, incident="inc-abcdef", attempt=1, diagnosis=diagnosis, evidence=evidence, requested_by="me"
    )
    spec = RunbookExecutionSpec.model_validate(body["spec"])
    assert body["metadata"]["name"] == "inc-abcdef-1"
    assert body["metadata"]["namespace"] == "shop"
    assert spec.reason.cause == "workload.image.not-found"
    assert {c.id for c in spec.reason.citations} <= {item.id for item in evidence.items}
    assert all(c.digest for c in spec.reason.citations)


def test_words_of_the_workload_are_redacted_and_harmless_in_the_request() -> None:
    new = template(container(image="registry.example/shop/web:2"))
    words = "ERROR \x1b[31m\u202epassword=hunter2hunter2 refused"
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=new)], new=new, logs=[log("web-c", words)])
    diagnosis, choice = chosen(evidence)
    assert isinstance(choice, Choice)
    body = execution_body(
        choice, incident="inc-abcdef", attempt=1, diagnosis=diagnosis, evidence=evidence, requested_by="me"
    )
    shown = str(body)
    assert "hunter2" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
