"""What the API server saw of the runners is explained by what the journals said before, or it is named."""

import json
from typing import Any

import pytest
from tests.unit.operator.making import body, runbook

from interlock.cli.audit.apilog import Join, requests
from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Event, extend, genesis
from interlock.crds.names import OPERATOR_USER, RUNNERS_GROUP

UID = "0f0c2a6e-0000-4000-8000-000000000001"
RUNNER = "system:serviceaccount:interlock-runners:scale-web.shop"
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
INTENT = {"writes": True, "object": WEB, "uid": "1b3c", "leaves": []}


def execution(*events: Event) -> RunbookExecution:
    made = body(runbook())
    asked = RunbookExecution.from_object(made)
    journal = extend(genesis(UID, asked.spec.request_digest()), [], events, "2026-01-01T00:01:00.000Z")
    entries = [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal]
    made["status"] = {"phase": "Running", "fence": {"epoch": 1, "holder": "x"}, "journal": entries}
    return RunbookExecution.from_object(made)


STEP = Event(event="StepStarted", step="scale", data={**INTENT, "credential": "jti-1"})
UNDO = Event(event="UndoStarted", step="scale", data=INTENT)
BOUND_ELSEWHERE = {"spec": {"boundObjectRef": {"name": "rbx-other-1"}}}
DONE = Event(event="StepSucceeded", step="scale")


def event(
    verb: str, resource: str, name: str, *, user: str, at: str = "00:02:00.000000", **more: Any
) -> dict[str, Any]:
    resource, _, subresource = resource.partition("/")
    groups = [RUNNERS_GROUP] if user == RUNNER else []
    credential = more.pop("credential", "")
    namespace = more.pop("namespace", "shop" if user == RUNNER else "interlock-runners")
    return {
        "auditID": "a-1",
        "stage": "ResponseComplete",
        "requestURI": f"/x{more.pop('query', '')}",
        "verb": verb,
        "user": {
            "username": user,
            "groups": groups,
            "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={credential}"]} if credential else {},
        },
        "objectRef": {"resource": resource, "subresource": subresource, "namespace": namespace, "name": name},
        "responseStatus": {"code": more.pop("code", 200)},
        "requestReceivedTimestamp": "2026-01-01T00:02:00.000000Z",
        **more,
    }


def patched(**more: Any) -> dict[str, Any]:
    return event("patch", "deployments", "web", **{"user": RUNNER, "credential": "jti-1", **more})


def anchored(number: int = 1, **more: Any) -> dict[str, Any]:
    return event("create", "secrets", f"rbx-{UID}-{number}", **{"user": OPERATOR_USER, "code": 201, **more})


def minted(jti: str, number: int = 1, **more: Any) -> dict[str, Any]:
    bound = {"spec": {"boundObjectRef": {"kind": "Secret", "name": f"rbx-{UID}-{number}"}}}
    issued = {"authentication.kubernetes.io/issued-credential-id": f"JTI={jti}"}
    fields = {"user": OPERATOR_USER, "code": 201, "requestObject": bound, "annotations": issued, **more}
    return event("create", "serviceaccounts/token", "scale-web.shop", **fields)


def joined(known: RunbookExecution, *events: dict[str, Any]) -> Join:
    join = Join()
    join.know(known)
    for found in requests(json.dumps(line) + "\n" for line in events):
        join.take(found)
    return join


def flaws(known: RunbookExecution, *events: dict[str, Any]) -> list[str]:
    return [flaw.what for flaw in joined(known, *events).flaws]


def test_a_write_is_matched_with_the_step_that_explains_it() -> None:
    join = joined(execution(STEP, DONE), anchored(), minted("jti-1"), patched())
    assert join.flaws == []
    (write,) = join.writes
    assert (write.uid, write.step, write.undo) == (UID, "scale", False)
    assert join.tokens == 1


def test_an_undo_with_a_renewed_token_is_explained_by_what_the_token_is_bound_to() -> None:
    known = execution(STEP, DONE, UNDO)
    events = (anchored(), minted("jti-1"), patched(), anchored(2), minted("jti-2", 2), patched(credential="jti-2"))
    join = joined(known, *events)
    assert join.flaws == []
    assert sorted(write.undo for write in join.writes) == [False, True]


@pytest.mark.parametrize("sent", [[{"op": "test", "path": "/metadata/uid", "value": "1b3c"}], {"spec": {}}, None])
def test_whatever_was_sent_a_write_is_matched(sent: object) -> None:
    join = joined(execution(STEP, DONE), anchored(), minted("jti-1"), patched(requestObject=sent))
    assert join.flaws == []
    assert [write.step for write in join.writes] == ["scale"]


def test_a_deletion_that_was_only_tried_is_no_write() -> None:
    tried = event("delete", "pods", "web-1", user=RUNNER, credential="jti-1", requestObject={"dryRun": ["All"]})
    join = joined(execution(STEP, DONE), anchored(), minted("jti-1"), tried)
    assert (join.flaws, join.writes) == ([], [])


def test_a_token_for_planning_only_is_explained_by_its_secret() -> None:
    assert flaws(execution(), anchored(), minted("jti-1")) == []


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([minted("jti-9")], "the operator made no Secret"),
        ([anchored(user="mallory"), minted("jti-9")], "the operator made no Secret"),
        ([anchored(), minted("jti-8"), minted("jti-9")], "the operator made no Secret"),
        ([anchored(code=409), minted("jti-9")], "the operator made no Secret"),
        ([anchored(), minted("jti-9", user="mallory")], "only the operator mints"),
        ([anchored(), minted("jti-1", user="mallory")], "only the operator mints"),
        ([anchored(), minted("jti-9", requestObject=None)], "does not say which Secret"),
        (
            [minted("jti-9", requestObject={"spec": {"boundObjectRef": {"name": "rbx-other-1"}}})],
            "there is no execution",
        ),
    ],
)
def test_a_token_that_nothing_explains_is_named(events: list[dict[str, Any]], said: str) -> None:
    (named,) = flaws(execution(STEP), *events)
    assert named.startswith("token minted without an intent: for scale-web.shop by ")
    assert said in named


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([patched(credential="jti-9")], "no execution explains the write"),
        ([patched(credential="")], "no execution explains the write"),
        ([patched(objectRef={"resource": "deployments", "namespace": "shop", "name": "db"})], "no intent of a step"),
        ([patched(objectRef={"resource": "services", "namespace": "shop", "name": "web"})], "no intent of a step"),
        ([patched(), patched()], "was carried out before"),
        (
            [patched(user="root", impersonatedUser={"username": RUNNER, "groups": [RUNNERS_GROUP]}, credential="")],
            f"the write of {RUNNER} impersonated by root",
        ),
    ],
)
def test_a_write_that_no_intent_explains_is_named(events: list[dict[str, Any]], said: str) -> None:
    (named,) = flaws(execution(STEP, DONE), *events)
    assert said in named


def test_what_changed_nothing_needs_no_explanation() -> None:
    review = {"resource": "selfsubjectreviews", "apiGroup": "authentication.k8s.io"}
    events = (
        patched(query="?fieldManager=interlock&dryRun=All", credential="jti-9"),
        patched(code=409, credential="jti-9"),
        patched(credential="jti-9") | {"verb": "get"},
        patched(credential="jti-9") | {"verb": "create", "objectRef": review},
        patched(credential="jti-9") | {"stage": "RequestReceived"},
    )
    assert flaws(execution(STEP), *events) == []


def test_a_second_attempt_is_explained_by_its_own_intent() -> None:
    again = Event(event="StepStarted", step="scale", data={**INTENT, "credential": "jti-1"})
    join = joined(execution(STEP, again, DONE), patched(code=409), patched())
    assert (join.flaws, len(join.writes)) == ([], 1)


def test_a_line_that_is_no_json_is_a_flaw_but_for_the_last_half() -> None:
    found = list(requests(["{}\n", "nonsense\n", '{"half":']))
    assert [str(flaw) for flaw in found] == [
        "line 1 of the API server's audit log cannot be read",
        "line 2 of the API server's audit log cannot be read",
    ]
