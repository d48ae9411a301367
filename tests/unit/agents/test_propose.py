"""Which runbook is asked for, with which parameters, and when a person is asked instead."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.agents.scenes import container, crashing, log, look, ready, template, waiting

from interlock.agents.diagnose import Diagnosis, diagnose
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef
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


def test_what_is_found_but_not_surely_enough_changes_nothing() -> None:
    evidence = bad_image()
    diagnosis = diagnose(evidence, 0.5)
    doubted = diagnosis.hypotheses[0].model_copy(update={"confidence": 0.65})
    choice = choose(diagnosis.model_copy(update={"hypotheses": (doubted,)}), evidence, RUNBOOKS)
    assert isinstance(choice, Choice)
    assert choice.handover
    assert "not sure enough" in choice.why


def test_a_cure_never_takes_its_parameters_from_another_object() -> None:
    evidence = bad_image()
    diagnosis = diagnose(evidence, 0.7)
    elsewhere = evidence.target.model_copy(update={"name": "other"})
    other = diagnosis.hypotheses[0].model_copy(update={"object": elsewhere})
    choice = choose(diagnosis.model_copy(update={"hypotheses": (other,)}), evidence, RUNBOOKS)
    assert isinstance(choice, Choice)
    assert (choice.target, choice.parameters) == (elsewhere, {"toRevision": "0"})


def test_what_speaks_against_a_runbook_is_told_to_the_person() -> None:
    evidence = bad_image()
    choice = choose(diagnose(evidence, 0.7), evidence, RUNBOOKS, objection=lambda *_: "A freeze of its own.")
    assert isinstance(choice, Choice)
    assert choice.handover
    assert "A freeze of its own." in choice.why


def test_what_was_tried_is_not_asked_for_again() -> None:
    tried = frozenset({("rollback-deployment", (("toRevision", "1"),))})
    _, choice = chosen(bad_image(), tried=tried)
    assert isinstance(choice, Choice)
    assert choice.handover


def test_replicas_come_from_what_was_meant() -> None:
    _, choice = chosen(look(pods=[], replicas=0, extra=[("declared", {"replicas": 3})]))
    assert isinstance(choice, Choice)
    assert (choice.family, choice.parameters) == ("restore-replicas", {"replicas": "3"})


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


def handed_over(length: int) -> list[str]:
    """The lines of the reason of a hand-over whose findings say so many more words each."""
    evidence = bad_image()
    found = diagnose(evidence, 0.7)
    told = found.hypotheses[0].model_copy(update={"summary": f"It is broken.\nlook next: nothing {'x' * length}"})
    other = told.model_copy(
        update={"cause": "workload.rollout.stuck", "against": ("the image explains it" + "y" * length,)}
    )
    diagnosis = found.model_copy(update={"hypotheses": (told, other, other)})
    choice = choose(diagnosis, evidence, [r for r in RUNBOOKS if r.spec.type == "Handover"])
    assert isinstance(choice, Choice)
    body = execution_body(
        choice, incident="inc-abcdef", attempt=1, diagnosis=diagnosis, evidence=evidence, requested_by="me"
    )
    return RunbookExecutionSpec.model_validate(body["spec"]).reason.summary.split("\n")


def test_a_hand_over_tells_what_is_known_what_was_ruled_out_and_where_to_look() -> None:
    lines = handed_over(0)
    assert [line.partition(":")[0] for line in lines] == ["known", "why a person", "look next", *["ruled out"] * 2]
    assert "the image explains it" in lines[-1]


def test_a_hand_over_with_too_much_to_say_leaves_out_what_tells_least() -> None:
    lines = handed_over(900)
    assert [line.partition(":")[0] for line in lines] == ["known", "why a person", "look next", "ruled out"]


def test_several_objects_that_are_not_told_apart_are_not_acted_upon() -> None:
    evidence = bad_image()
    diagnosis = diagnose(evidence, 0.7)
    several = diagnosis.hypotheses[0].model_copy(
        update={"cause": "scheduling.node.cordoned", "object": ObjectRef(kind="Node", namespace=None, name="*")}
    )
    choice = choose(diagnosis.model_copy(update={"hypotheses": (several,)}), evidence, RUNBOOKS)
    assert isinstance(choice, Choice)
    assert choice.handover


def test_whether_the_revision_brought_it_may_be_known_from_another_finding() -> None:
    new = template(container(image="registry.example/shop/web:2"))
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=new)], new=new, logs=[log("web-c", "panic: oh")])
    diagnosis = diagnose(evidence, 0.7)
    told = diagnosis.hypotheses[0].model_copy(
        update={"cause": "workload.image.architecture-mismatch", "introduced": "unknown"}
    )
    beside = diagnosis.model_copy(update={"hypotheses": (told, *diagnosis.hypotheses)})
    alone = diagnosis.model_copy(update={"hypotheses": (told,)})
    choices = [choose(one, evidence, RUNBOOKS) for one in (beside, alone)]
    assert [isinstance(one, Choice) and one.handover for one in choices] == [False, True]
