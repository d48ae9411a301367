"""A published runbook does not change, says who it is, and asks for no power that no runbook may hold."""

import secrets
from typing import Any

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import JSON_PATCH, Answer, Json
from tests.support.installation import API

PERMISSION: Json = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
CHECK: Json = {"name": "ready", "expression": "true"}
ATTESTATION: Json = {"keyId": "k", "vettedAt": "2026-01-01T00:00:00Z", "envelope": "YQ=="}


def runbook(**changes: Any) -> Json:
    """A runbook with a family of its own."""
    family = f"try-{secrets.token_hex(4)}"
    spec = {
        "family": family,
        "version": "1.0.0",
        "title": "Try",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": [PERMISSION],
        "steps": [{"name": "scale", "action": "scale", "with": {"replicas": "1"}}],
        "verification": {"checks": [CHECK]},
        **changes,
    }
    name = f"{spec['family']}-{spec['version']}"
    return {"apiVersion": "interlock.dev/v1alpha1", "kind": "Runbook", "metadata": {"name": name}, "spec": spec}


def publish(shop: Place, body: Json, *, dry_run: bool = True) -> Answer:
    return shop.installation.admin.post(f"{API}/runbooks{'?dryRun=All' if dry_run else ''}", body)


HANDOVER: Json = {"type": "Handover", "steps": [], "permissions": [], "verification": None}


@pytest.mark.parametrize("changes", [{}, HANDOVER, {"permissions": [PERMISSION | {"resources": ["pods/eviction"]}]}])
def test_a_runbook_is_published(shop: Place, changes: Json) -> None:
    allowed(publish(shop, runbook(**changes)))


REFUSED: dict[str, tuple[Json, str]] = {
    "a hand-over with steps": (HANDOVER | {"steps": [{"name": "s", "action": "wait"}]}, "a Handover has no steps"),
    "a hand-over with permissions": (HANDOVER | {"permissions": [PERMISSION]}, "a Handover has no steps"),
    "a remediation without steps": ({"steps": []}, "a Remediation has steps and a verification"),
    "a remediation without verification": ({"verification": None}, "a Remediation has steps and a verification"),
    "two steps of one name": ({"steps": [{"name": "s", "action": "wait"}] * 2}, "Duplicate value"),
    "two checks of one name": ({"verification": {"checks": [CHECK, CHECK]}}, "Duplicate value"),
    "a hidden argument name": (
        {"steps": [{"name": "s", "action": "wait", "with": {"un\u200btil": "true"}}]},
        "names are letters and digits",
    ),
    "a hidden character in its title": ({"title": "Re\u202estart"}, "spec.title"),
    "an unknown risk": ({"risk": "None"}, "Unsupported value"),
    "a version that is none": ({"version": "1.0"}, "spec.version"),
    "no approval": ({"approval": {"quorum": 0}}, "spec.approval.quorum"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_runbook_is_refused(shop: Place, case: str) -> None:
    changes, words = REFUSED[case]
    refused(publish(shop, runbook(**changes)), words)


def test_its_name_says_family_and_version(shop: Place) -> None:
    body = runbook()
    body["metadata"]["name"] = "something-1.0.0"
    refused(publish(shop, body), "metadata.name is <family>-<version>")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"apiGroups": ["rbac.authorization.k8s.io"]}, "no runbook may be granted the API groups"),
        ({"apiGroups": ["apps", "interlock.dev"]}, "no runbook may be granted the API groups"),
        ({"apiGroups": ["certificates.k8s.io"]}, "no runbook may be granted the API groups"),
        ({"apiGroups": ["*"]}, "apiGroups"),
        ({"resources": ["*"]}, "resources"),
        ({"verbs": ["*"]}, "verbs"),
        ({"apiGroups": [""], "resources": ["secrets"]}, "no runbook may be granted bindings, podtemplates, secrets"),
        (
            {"apiGroups": [""], "resources": ["serviceaccounts/token"]},
            "no runbook may be granted bindings, podtemplates, secrets",
        ),
        ({"apiGroups": [""], "resources": ["pods/exec"]}, "no runbook may be granted bindings, podtemplates, secrets"),
        (
            {"apiGroups": [""], "resources": ["nodes/proxy"]},
            "no runbook may be granted bindings, podtemplates, secrets",
        ),
        (
            {"apiGroups": [""], "resources": ["pods/ephemeralcontainers"]},
            "no runbook may be granted bindings, podtemplates, secrets",
        ),
        ({"apiGroups": [""], "resources": ["pods/binding"]}, "nor the subresources attach, binding"),
        (
            {"apiGroups": [""], "resources": ["podtemplates"]},
            "no runbook may be granted bindings, podtemplates, secrets",
        ),
        ({"verbs": ["impersonate"]}, "no runbook may be granted the verbs"),
        ({"verbs": ["escalate"]}, "no runbook may be granted the verbs"),
        ({"verbs": ["bind"]}, "no runbook may be granted the verbs"),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}, "no runbook may write bare pods"),
    ],
)
def test_no_runbook_is_granted(shop: Place, change: Json, words: str) -> None:
    refused(publish(shop, runbook(permissions=[PERMISSION | change])), words)


class TestOncePublished:
    @pytest.fixture
    def path(self, shop: Place) -> str:
        body = runbook()
        allowed(publish(shop, body, dry_run=False))
        return f"{API}/runbooks/{body['metadata']['name']}"

    @pytest.mark.parametrize(
        "change",
        [
            {"title": "Another"},
            {"permissions": [PERMISSION | {"verbs": ["delete"]}]},
            {"steps": [{"name": "other", "action": "scale", "with": {"replicas": "9"}}]},
            {"approval": {"quorum": 2}},
            {"verification": {"checks": [CHECK | {"expression": "1 == 1"}]}},
            {"parameters": [{"name": "p", "description": "d", "type": "boolean"}]},
            {"digest": f"sha256:{'c' * 64}"},
            {"undo": "Never"},
        ],
    )
    def test_it_does_not_change(self, shop: Place, path: str, change: Json) -> None:
        refused(shop.installation.admin.patch(path, {"spec": change}), "a published runbook is immutable")

    def test_publishing_it_again_is_harmless(self, shop: Place) -> None:
        body = runbook()
        allowed(shop.installation.admin.apply(body))
        allowed(shop.installation.admin.apply(body))

    def test_it_is_retired_for_good_and_only_then_deleted(self, shop: Place, path: str) -> None:
        admin = shop.installation.admin
        refused(admin.delete(path), "retire the runbook first")
        allowed(admin.patch(path, {"spec": {"state": "Retired"}}))
        refused(admin.patch(path, {"spec": {"state": "Active"}}), "a retired runbook stays retired")
        allowed(admin.delete(path))

    def test_attestations_are_added_and_stay(self, shop: Place, path: str) -> None:
        admin = shop.installation.admin
        add = [{"op": "add", "path": "/spec/attestations/-", "value": ATTESTATION}]
        allowed(admin.patch(path, add, JSON_PATCH))
        allowed(admin.patch(path, [add[0] | {"value": ATTESTATION | {"keyId": "second"}}], JSON_PATCH))
        for operation in (
            {"op": "remove", "path": "/spec/attestations/0"},
            {"op": "replace", "path": "/spec/attestations/0/envelope", "value": "Yg=="},
        ):
            refused(admin.patch(path, [operation], JSON_PATCH), "attestations are append-only")

    def test_its_status_is_the_operators(self, shop: Place, path: str) -> None:
        status = {"status": {"conditions": [{"type": "Vetted", "status": "True", "reason": "Signed"}]}}
        refused(shop.installation.admin.patch(f"{path}/status", status), "status is the operator's")
        allowed(shop.installation.operator.patch(f"{path}/status", status))
