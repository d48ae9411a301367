from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.crds.samples import RUNBOOK, handover, runbook, runbook_body

from interlock.crds.runbook import PolicyRule, Runbook, refused_power

STEP = RUNBOOK["spec"]["steps"][0]
CHECKS = RUNBOOK["spec"]["verification"]
ATTESTATION = {"keyId": "k", "vettedAt": "2026-01-02T03:04:05Z", "envelope": "e30="}


def rule(**fields: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"], **fields}


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        *(
            (rule(apiGroups=[group]), f"API group {group}")
            for group in (
                "rbac.authorization.k8s.io",
                "admissionregistration.k8s.io",
                "apiextensions.k8s.io",
                "apiregistration.k8s.io",
                "certificates.k8s.io",
                "authentication.k8s.io",
                "interlock.dev",
            )
        ),
        *(
            (rule(apiGroups=[""], resources=["pods", resource]), f"resource {resource}")
            for resource in (
                "secrets",
                "serviceaccounts",
                "serviceaccounts/token",
                "pods/exec",
                "pods/attach",
                "pods/portforward",
                "pods/proxy",
                "services/proxy",
                "nodes/proxy",
                "pods/ephemeralcontainers",
            )
        ),
        *(
            (rule(verbs=["get", verb]), f"verb {verb}")
            for verb in ("impersonate", "escalate", "bind", "approve", "execute", "deletecollection")
        ),
        *(
            (rule(apiGroups=[""], resources=["pods"], verbs=[verb]), "writing of bare pods")
            for verb in ("create", "update", "patch")
        ),
        (rule(verbs=["*"]), "pattern"),
        (rule(resources=["*"]), "pattern"),
        (rule(resources=["deployments/*"]), "pattern"),
        (rule(apiGroups=["*"]), "pattern"),
    ],
)
def test_powers_that_no_runbook_is_granted(refused: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        runbook(permissions=[rule(), refused])


@pytest.mark.parametrize(
    "granted",
    [
        rule(verbs=["get", "list", "patch"]),
        rule(apiGroups=[""], resources=["pods"], verbs=["get", "list", "delete"]),
        rule(apiGroups=[""], resources=["pods/eviction"], verbs=["create"]),
        rule(apiGroups=["autoscaling"], resources=["horizontalpodautoscalers"], verbs=["patch"]),
    ],
)
def test_powers_that_a_runbook_may_be_granted(granted: dict[str, list[str]]) -> None:
    assert runbook(permissions=[granted]).spec.permissions[0].verbs == granted["verbs"]


@pytest.mark.parametrize("field", ["parameters", "preconditions", "steps"])
def test_names_are_unique(field: str) -> None:
    item = {
        "parameters": RUNBOOK["spec"]["parameters"][0],
        "preconditions": {"name": "p", "expression": "true", "message": "m"},
        "steps": STEP,
    }[field]
    with pytest.raises(ValidationError, match=f"{field}: names must be unique"):
        runbook(**{field: [item, item]})


def test_a_handover_only_hands_over() -> None:
    assert handover().spec.steps == []
    for extra in (
        {"steps": [STEP]},
        {"verification": CHECKS},
        {"permissions": [rule()]},
    ):
        with pytest.raises(ValidationError, match="a Handover has no steps, permissions or verification"):
            handover(**extra)


@pytest.mark.parametrize("missing", ["steps", "verification"])
def test_a_remediation_acts_and_verifies(missing: str) -> None:
    body = runbook_body()
    del body["spec"][missing]
    with pytest.raises(ValidationError, match="a Remediation needs at least one step and a verification"):
        Runbook.model_validate(body)


def test_the_name_says_family_and_version() -> None:
    with pytest.raises(ValidationError, match=r"must be <family>-<version>: 'scale-web-1\.2\.4'"):
        runbook(version="1.2.4")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        runbook(serviceAccount="admin")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({**STEP, "action": "shell"}, "action 'shell' is unknown; known are annotate, assert"),
        ({**STEP, "with": {"replicas": "1", "namespace": "x"}}, "argument 'namespace' is unknown"),
        ({**STEP, "with": {}}, "argument 'replicas' must be given"),
    ],
)
def test_a_step_that_cannot_be_right(step: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        runbook(steps=[step])


@pytest.mark.parametrize("title", ["line\nbreak", "right\u202eto left", "zero\u200bwidth", "bell\x07"])
def test_what_an_approver_reads_holds_no_unseen_characters(title: str) -> None:
    with pytest.raises(ValidationError, match="title"):
        runbook(title=title)


def test_the_digest_ignores_what_happens_to_a_runbook_later() -> None:
    later = runbook(state="Retired", attestations=[ATTESTATION], digest="sha256:" + "0" * 64)
    assert later.digest() == runbook().digest()


def test_the_digest_fills_defaults() -> None:
    spelled_out = runbook(
        type="Remediation",
        scope="Namespaced",
        undo="OnFailure",
        description="",
        preconditions=[],
        approval={"quorum": 1, "expiresAfterSeconds": 3600},
        verification={**CHECKS, "withinSeconds": 300, "holdForSeconds": 0},
        steps=[{**STEP, "timeoutSeconds": 120}],
    )
    assert spelled_out.digest() == runbook().digest()


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Scale the Web"},
        {"risk": "High"},
        {"undo": "Never"},
        {"allowedPaths": ["/spec/**"]},
        {"steps": [{**STEP, "when": "true"}]},
        {"approval": {"quorum": 2}},
        {"addresses": {"causes": ["workload.replicas"]}},
    ],
)
def test_the_digest_sees_every_change(change: dict[str, Any]) -> None:
    assert runbook(**change).digest() != runbook().digest()


def test_what_the_api_server_returns_is_the_same_runbook() -> None:
    body = runbook_body()
    body["apiVersion"], body["kind"] = "interlock.dev/v1alpha1", "Runbook"
    body["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 1, "labels": {"a": "b"}}
    body["status"] = {"conditions": []}
    assert Runbook.from_object(body) == runbook()


@pytest.mark.parametrize(
    ("resource", "verb", "may"),
    [
        ("pods", "delete", True),
        ("pods", "create", False),
        ("pods", "patch", False),
        ("pods/eviction", "create", True),
        ("pods/exec", "create", False),
        ("pods/log", "get", True),
        ("pods/ephemeralcontainers", "patch", False),
        ("nodes", "patch", True),
        ("nodes/proxy", "get", False),
        ("jobs", "create", True),
        ("jobs", "deletecollection", False),
    ],
)
def test_which_powers_a_runbook_may_be_granted(resource: str, verb: str, may: bool) -> None:
    rule = PolicyRule(api_groups=["batch" if resource == "jobs" else ""], resources=[resource], verbs=[verb])
    assert (refused_power(rule) is None) == may
