"""An effect that is not what plan, runbook and revision allow is found, and located by step, intent and path."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.unit.cli.test_apilog import RUNNER, UID, anchored, event, minted
from tests.unit.operator.making import TARGET_UID, body, runbook
from tests.unit.operator.making import plan as planned

from interlock.cli.audit.apilog import Join, requests
from interlock.cli.audit.effects import Comparison
from interlock.crds.execution import Change, PlannedObject, PlannedStep, RunbookExecution
from interlock.crds.journal import Event, extend, genesis

RUNBOOK = runbook(
    ["scale", "roll-back"], allowedPaths=["/spec/replicas", "/spec/template/spec/**", "/metadata/labels/*"]
)
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
IMAGE = "/spec/template/spec/containers/[name=web]/image"
REVISION = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "rs-1"}
LEAF = {"path": "/spec/replicas", "before": 2, "after": 3}
ROLLED = {"path": IMAGE, "before": "web:2", "after": "web:1"}


def intent(step: str, leaves: Sequence[Mapping[str, Any]], *, undo: bool = False, **more: Any) -> Event:
    data = {"writes": True, "effect": "patch", "object": WEB, "uid": TARGET_UID, "leaves": list(leaves), **more}
    return Event(event="UndoStarted" if undo else "StepStarted", step=step, data=data)


def execution(*events: Event, deferred: Sequence[str] | None = None) -> RunbookExecution:
    web = PlannedObject(api_version="apps/v1", kind="Deployment", name="web", uid=TARGET_UID)
    shown = [] if deferred else [Change(path="/spec/replicas", before="2", after="3")]
    steps = [
        PlannedStep(name="scale", action="scale", object=web, changes=shown, deferred=deferred and list(deferred)),
        PlannedStep(name="roll-back", action="rolloutUndo", object=web, changes=[Change(path=IMAGE)]),
    ]
    made = body(RUNBOOK)
    asked = RunbookExecution.from_object(made)
    journal = extend(genesis(UID, asked.spec.request_digest()), [], events, "2026-01-01T00:01:00.000Z")
    offered = planned(1, quorum=1, expires_at="2026-01-01T01:00:00Z").model_copy(update={"steps": steps})
    made["status"] = {
        "phase": "Running",
        "fence": {"epoch": 1, "holder": "x"},
        "plan": offered.model_dump(mode="json", by_alias=True, exclude_none=True),
        "journal": [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal],
    }
    return RunbookExecution.from_object(made)


def flaws(*events: Event, kept: Mapping[str, Any] | None = None, deferred: Sequence[str] | None = None) -> list[str]:
    compared = Comparison({RUNBOOK.digest(): RUNBOOK}, lambda namespace, kind, name: kept)
    found = list(compared.flaws(execution(*events, deferred=deferred)))
    assert (compared.effects, compared.without_runbook) == (len(events), 0)
    return found


def revision(image: str = "web:1", uid: str = "rs-1") -> dict[str, Any]:
    container = {"name": "web", "image": image}
    return {"metadata": {"name": "web-1", "uid": uid}, "spec": {"template": {"spec": {"containers": [container]}}}}


def test_what_plan_runbook_and_revision_allow_is_no_flaw() -> None:
    steps = (intent("scale", [LEAF]), intent("roll-back", [ROLLED], revision=REVISION))
    undo = intent("scale", [{"path": "/spec/replicas"}], undo=True)
    assert flaws(*steps, undo, kept=revision()) == []


@pytest.mark.parametrize(("image", "fits"), [("web:1", True), ("web:0", False)])
def test_a_rollback_is_compared_with_a_controller_revision(image: str, fits: bool) -> None:
    container = {"name": "web", "image": image}
    data = {"spec": {"template": {"spec": {"containers": [container]}, "$patch": "replace"}}}
    kept = {"metadata": {"name": "db-1", "uid": "rs-1"}, "revision": 1, "data": data}
    named = {**REVISION, "kind": "ControllerRevision"}
    assert (flaws(intent("roll-back", [ROLLED], revision=named), kept=kept) == []) is fits


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (intent("scale", [{"path": "/spec/paused", "after": True}]), "/spec/paused, which the plan does not show"),
        (intent("scale", [{"path": "/spec/paused"}]), "/spec/paused, outside of the runbook's allowed paths"),
        (intent("other", [LEAF]), "the plan has no such step"),
        (intent("scale", [LEAF], uid="9"), f"UID 9, the plan names {TARGET_UID}"),
        (intent("scale", [LEAF], undo=True), "/spec/replicas, which its step had not written"),
        (intent("roll-back", [ROLLED]), "names no revision"),
        (intent("roll-back", [LEAF], revision=REVISION), "it is a rollback and writes /spec/replicas"),
    ],
)
def test_an_effect_beyond_what_was_allowed_is_located(found: Event, said: str) -> None:
    what = flaws(found)
    assert any(text.endswith(said) for text in what), what
    undo = "undo of " if found.event == "UndoStarted" else ""
    assert all(text.startswith(f"{undo}step {found.step}, intent of 2026-01-01T00:01:00.000Z: ") for text in what)


def test_a_deferred_step_stays_inside_the_paths_that_its_plan_allows() -> None:
    label = {"path": "/metadata/labels/tier", "after": "web"}
    assert flaws(intent("scale", [label]), deferred=["/metadata/labels/*"]) == []
    (said,) = flaws(intent("scale", [label]), deferred=["/metadata/annotations/*"])
    assert said.endswith("/metadata/labels/tier, outside of the paths that the plan allows")


def test_a_rollback_is_compared_with_its_revision_as_long_as_that_is_there() -> None:
    rolled = intent("roll-back", [ROLLED], revision=REVISION)
    (said,) = flaws(rolled, kept=revision("web:9"))
    assert said.endswith(f"{IMAGE} is not what revision web-1 holds")
    assert flaws(rolled, kept=revision("web:9", uid="another")) == []
    assert flaws(rolled, kept=None) == []


def test_what_cannot_be_compared_is_counted() -> None:
    compared = Comparison()
    assert list(compared.flaws(execution(intent("scale", [LEAF])))) == []
    assert (compared.effects, compared.without_runbook, compared.revisions) == (1, 1, 0)


MARK = {"metadata": {"resourceVersion": "7", "annotations": {"interlock.dev/last-step": "x/scale/1"}}}
TEST = {"op": "test", "path": "/metadata/uid", "value": TARGET_UID}


def written(step: Event, sent: object, verb: str = "patch", *others: dict[str, Any]) -> list[str]:
    join = Join()
    known = Event(event=step.event, step=step.step, data={**step.data, "credential": "jti-1"})
    join.know(execution(known))
    own = event(verb, "deployments", "web", user=RUNNER, credential="jti-1", requestObject=sent)
    for found in requests(json.dumps(line) + "\n" for line in (anchored(), minted("jti-1"), *others, own)):
        join.take(found)
    join.end()
    return [flaw.what for flaw in join.flaws]


@pytest.mark.parametrize(
    "sent",
    [
        {**MARK, "spec": {"replicas": 3}},
        [TEST, {"op": "replace", "path": "/spec/replicas", "value": 3}],
        None,
    ],
)
def test_a_request_that_sends_what_was_said_is_no_flaw(sent: object) -> None:
    assert written(intent("scale", [LEAF]), sent) == []


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({**MARK, "spec": {"replicas": 3, "paused": True}}, "it writes /spec/paused, which its step's intent does not"),
        ({**MARK, "spec": {"replicas": 30}}, "it writes another value to /spec/replicas than its step's intent says"),
        ([TEST, {"op": "remove", "path": "/spec/paused"}], "it writes /spec/paused, which"),
        ([{"op": "replace", "path": "/spec/replicas", "value": 30}], "it writes another value to /spec/replicas"),
    ],
)
def test_a_request_that_sends_more_than_was_said_is_located(sent: object, said: str) -> None:
    (what,) = written(intent("scale", [LEAF]), sent)
    assert said in what
    assert "patch deployments shop/web at 2026-01-01T00:02:00.000000Z (audit id a-1)" in what


def test_another_verb_than_the_intent_says_is_named() -> None:
    (what,) = written(intent("scale", [LEAF]), None, "delete")
    assert what.endswith("its step's intent is to patch")


def test_elements_of_lists_and_quantities_are_told_however_they_are_written() -> None:
    limits = "/spec/template/spec/containers/[name=web]/resources/limits/cpu"
    step = intent("scale", [{"path": limits, "before": "1", "after": "1500m"}])
    place = "/spec/template/spec/containers/0/resources/limits/cpu"
    assert written(step, [{"op": "replace", "path": place, "value": "1.5"}]) == []
    assert written(step, {**MARK, "spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}) == []
    (what,) = written(step, [{"op": "replace", "path": place, "value": "15"}])
    assert "it writes another value to" in what


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([("create", "00:01:00"), ("delete", "00:01:30")], "had been deleted before"),
        ([("create", "00:03:00")], "was made after"),
        ([("create", "00:01:00"), ("delete", "00:04:00")], ""),
        ([("delete", "00:04:00"), ("create", "00:05:00")], ""),
        ([], ""),
    ],
)
def test_a_rollback_to_a_revision_that_did_not_exist_shows_in_the_log(events: list[tuple[str, str]], said: str) -> None:
    controller = "system:serviceaccount:kube-system:deployment-controller"
    made = [
        event(verb, "replicasets", "web-1", user=controller, namespace="shop")
        | {"requestReceivedTimestamp": f"2026-01-01T{at}.000000Z"}
        for verb, at in events
    ]
    found = written(intent("roll-back", [ROLLED], revision=REVISION), None, "patch", *made)
    assert len(found) == bool(said)
    assert all(what.startswith("a rollback to a revision that did not exist: ") and said in what for what in found)
