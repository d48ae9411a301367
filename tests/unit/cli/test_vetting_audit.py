"""Runners' requests are read from the API server's audit log as it grows, or from their own client's record."""

import json
from pathlib import Path
from typing import Any

import pytest

from interlock.cli.vetting.audit import Request, Witness, audited_request, own_request
from interlock.runbooks.vetting.permissions import Use

ACCOUNT = "scale.vet-1"


def event(verb: str = "patch", name: str = "web", decision: str = "allow", **changes: Any) -> str:
    user = {"username": f"system:serviceaccount:interlock-runners:{ACCOUNT}"}
    about = {"resource": "deployments", "apiGroup": "apps", "namespace": "vet-1", "name": name}
    body = {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": user,
        "objectRef": about,
        "requestURI": "/apis/apps/v1/namespaces/vet-1/deployments/web",
        "responseStatus": {"code": 403 if decision == "forbid" else 200},
        "annotations": {"authorization.k8s.io/decision": decision},
    }
    return json.dumps(body | changes) + "\n"


PATCH = Request(ACCOUNT, Use("apps", "deployments", "patch", "web", True), "vet-1", 200, False)


def test_the_log_is_read_as_it_grows_and_across_its_rotation(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(event() + event()[:40])
    witness = Witness(log, audited_request)
    assert witness.requests(ACCOUNT, "vet-1") == [PATCH]
    with log.open("a") as file:
        file.write(event()[40:])
    assert len(witness.all()) == 2
    log.rename(tmp_path / "audit-1.log")
    log.write_text(event(name="after"))
    assert [request.use.name for request in witness.all()] == ["web", "web", "after"]
    witness.close()


def test_only_what_is_about_the_trial(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    elsewhere = {"resource": "deployments", "apiGroup": "apps", "namespace": "vet-2", "name": "web"}
    named = {"resource": "nodes", "name": "vet-1-node"}
    log.write_text(event() + event(objectRef=elsewhere) + event(objectRef=named))
    witness = Witness(log, audited_request)
    assert [request.use.resource for request in witness.requests(ACCOUNT, "vet-1")] == ["deployments", "nodes"]
    assert witness.requests("other.vet-1", "vet-1") == []
    assert [request.use.name for request in witness.requests(ACCOUNT, "", after=2)] == ["vet-1-node"]
    witness.close()


def test_what_is_no_runners_request_is_passed_over() -> None:
    assert audited_request(event(user={"username": "bob"})) is None
    assert audited_request(event(objectRef=None)) is None
    assert audited_request(event(stage="ResponseStarted")) is None


def test_a_refusal_of_rbac_is_told_from_one_of_admission() -> None:
    forbidden = audited_request(event(decision="forbid"))
    assert forbidden is not None
    assert not forbidden.use.allowed
    refused = audited_request(event(responseStatus={"code": 403}))
    assert refused is not None
    assert refused.use.allowed
    assert not refused.wrote


def own(method: str, url: str, code: int = 200) -> Request | None:
    return own_request(json.dumps({"account": ACCOUNT, "method": method, "url": url, "code": code}))


def test_the_clients_own_record_says_the_same() -> None:
    assert own("PATCH", "/apis/apps/v1/namespaces/vet-1/deployments/web?fieldManager=interlock") == PATCH
    dry = own("PATCH", "/apis/apps/v1/namespaces/vet-1/deployments/web?dryRun=All")
    assert dry is not None
    assert dry.dry_run
    assert not dry.wrote


@pytest.mark.parametrize(("code", "wrote"), [(0, True), (200, True), (409, False)])
def test_what_was_sent_may_have_been_done_whoever_was_killed_since(code: int, *, wrote: bool) -> None:
    sent = own("PATCH", "/apis/apps/v1/namespaces/vet-1/deployments/web", code)
    assert sent is not None
    assert sent.wrote is wrote


def test_verbs_and_resources_of_the_own_record() -> None:
    asked = {
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn"): Use("", "pods", "list", "", True),
        ("POST", "/api/v1/namespaces/vet-1/pods/p/eviction"): Use("", "pods/eviction", "create", "p", True),
        ("GET", "/api/v1/namespaces/vet-1/pods/p/log"): Use("", "pods/log", "get", "p", True),
        ("POST", "/apis/batch/v1/namespaces/vet-1/jobs"): Use("batch", "jobs", "create", "", True),
        ("DELETE", "/api/v1/namespaces/vet-1/pods/p"): Use("", "pods", "delete", "p", True),
        ("PATCH", "/api/v1/nodes/vet-1-n"): Use("", "nodes", "patch", "vet-1-n", True),
    }
    for (method, url), use in asked.items():
        found = own(method, url)
        assert found is not None, url
        assert found.use == use
    refused = own("DELETE", "/api/v1/namespaces/vet-1/pods/p", 403)
    assert refused is not None
    assert not refused.use.allowed
    assert own("GET", "/api/v1") is None
    assert own_request("") is None
