"""Signed heads are made by the operator, changed by nobody, and kept; what is archived may go, and nothing else."""

import hashlib
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.executions import Place, allowed, refused
from tests.support.identity import Identity, Json
from tests.support.installation import API
from tests.support.waiting import eventually

from interlock.crds.audithead import AuditHeadSpec
from interlock.crds.execution import TERMINAL
from interlock.crds.manifests import resources
from interlock.crds.names import AUDIT_FINALIZER, RUNNERS_GROUP, RUNNERS_NAMESPACE

HEADS = f"{API}/auditheads"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/interlock-system/leases"


def head(**changes: Any) -> Json:
    """A head of its own; who verifies signatures is not the API server."""
    spec = AuditHeadSpec.model_validate(
        {
            "seq": secrets.randbelow(10**12 - 1) + 1,
            "head": "sha256:" + hashlib.sha256(secrets.token_bytes(8)).hexdigest(),
            "keyId": f"ed25519:{'A' * 43}=",
            "signature": f"{'A' * 86}==",
            "signedAt": "2026-01-01T00:00:00.000Z",
        }
    )
    manifest = spec.manifest()
    return {**manifest, "spec": {**manifest["spec"], **changes}}


@pytest.fixture(scope="module")
def owner(shop: Place) -> Identity:
    """The platform's owner, by the shipped role."""
    shop.installation.bind("oscar", "interlock-owner", None)
    return shop.person("oscar")


def other(shop: Place, who: str) -> Identity:
    """Everybody who is not the operator; those without the right by RBAC are given all rights as well."""
    installation = shop.installation
    match who:
        case "agents":
            return installation.agents
        case "runner":
            name = f"system:serviceaccount:{RUNNERS_NAMESPACE}:probe.cluster"
            return installation.admin.impersonating(name, RUNNERS_GROUP, "system:masters")
        case "admin":
            return installation.admin
        case "approver":
            return installation.person("bob")
        case "developer":
            return installation.person("dev", ("developers",))
    raise ValueError(who)


class TestHeads:
    def test_the_operator_makes_them_and_they_are_shown(self, shop: Place, owner: Identity) -> None:
        made = head()
        allowed(shop.installation.operator.post(HEADS, made))
        assert owner.get(f"{HEADS}/{made['metadata']['name']}").body["spec"] == made["spec"]

    @pytest.mark.parametrize("who", ["agents", "runner", "admin", "approver", "developer"])
    def test_nobody_else_does(self, shop: Place, who: str) -> None:
        answer = other(shop, who).post(HEADS, head())
        assert answer.status == 403, answer

    def test_nor_does_an_owner(self, owner: Identity) -> None:
        assert owner.post(HEADS, head()).status == 403

    @pytest.mark.parametrize("who", ["agents", "runner", "admin", "approver", "developer", "operator", "owner"])
    def test_nobody_changes_or_deletes_one(self, shop: Place, owner: Identity, who: str) -> None:
        made = head()
        path = f"{HEADS}/{made['metadata']['name']}"
        allowed(shop.installation.operator.post(HEADS, made))
        identity = {"operator": shop.installation.operator, "owner": owner}.get(who) or other(shop, who)
        before = shop.installation.admin.get(path).body
        labelled = shop.installation.admin.patch(path, {"metadata": {"labels": {"a": "b"}}})
        refused(labelled, "nobody changes a signed head")
        for answer in (
            identity.patch(path, {"spec": {"signedAt": "2026-02-02T00:00:00.000Z"}}),
            identity.patch(path, {"metadata": {"labels": {"a": "b"}}}),
            identity.delete(path),
            identity.delete(HEADS),
        ):
            assert answer.status in {403, 422}, answer
        assert shop.installation.admin.get(path).body == before

    @pytest.mark.parametrize("who", ["admin", "almighty operator"])
    def test_the_definition_refuses_a_change_without_the_policy(self, shop: Place, who: str) -> None:
        made = head()
        allowed(shop.installation.operator.post(HEADS, made))
        name = "" if who == "admin" else "system:serviceaccount:interlock-system:interlock-operator"
        admin = shop.installation.admin
        identity = admin.impersonating(name, "system:masters") if name else admin
        changed = {"spec": {"signature": f"{'B' * 86}=="}}
        refused(identity.patch(f"{HEADS}/{made['metadata']['name']}", changed), "a signed head is immutable")

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"seq": 0}, "spec.seq"),
            ({"head": "sha256:0"}, "spec.head"),
            ({"signature": "none"}, "spec.signature"),
            ({"keyId": "rsa:AAAA"}, "spec.keyId"),
            ({"seq": 7}, "metadata.name is audit-"),
            ({"head": f"sha256:{'0' * 64}"}, "metadata.name is audit-"),
        ],
    )
    def test_only_well_formed_ones_are_made(self, shop: Place, changes: Json, words: str) -> None:
        refused(shop.installation.operator.post(HEADS, head(**changes)), words)

    def test_only_without_an_owner_that_takes_it_along(self, shop: Place) -> None:
        made = head()
        reference = {"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "0b3c"}
        made["metadata"]["ownerReferences"] = [reference]
        refused(shop.installation.operator.post(HEADS, made), "neither an owner that could take it along")

    def test_the_owner_deletes_them_once_they_are_old_by_the_operators_clock(
        self, shop: Place, owner: Identity
    ) -> None:
        """One test, as the clock is one Lease that all tests of the lab share."""
        admin, operator = shop.installation.admin, shop.installation.operator
        place = {"name": "interlock-operator", "namespace": "interlock-system"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": place}
        made = head()
        path = f"{HEADS}/{made['metadata']['name']}"
        allowed(operator.post(HEADS, made))
        refused(owner.delete(path), "no params found")
        now = datetime.now(UTC)
        try:
            allowed(admin.apply({**lease, "spec": {"renewTime": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"}}))
            eventually("the clock to be read", lambda: "no params" not in owner.delete(path).message)
            refused(owner.delete(path), "a signed head is kept for 30 days")
            late = now.replace(year=now.year + 1)
            allowed(admin.apply({**lease, "spec": {"renewTime": f"{late:%Y-%m-%dT%H:%M:%S.%fZ}"}}))
            assert operator.delete(path).status == 403
            assert shop.person("bob").delete(path).status == 403
            eventually("the owner to be allowed", lambda: owner.delete(path).ok)
        finally:
            admin.delete(f"{LEASES}/interlock-operator")


class TestArchivedExecutions:
    @pytest.mark.parametrize("phase", sorted(TERMINAL))
    def test_go_when_they_are_archived(self, shop: Place, phase: str) -> None:
        execution, operator = shop.execution(phase), shop.installation.operator
        refused(operator.delete(execution.path), "has not ended or is not archived")
        allowed(operator.patch(execution.path, {"metadata": {"finalizers": None}}))
        allowed(operator.delete(execution.path))
        assert shop.installation.admin.get(execution.path).status == 404

    @pytest.mark.parametrize("phase", ["", "Pending", "AwaitingApproval", "Running"])
    def test_others_do_not_even_without_the_finalizer(self, shop: Place, phase: str) -> None:
        execution, operator = shop.execution(phase), shop.installation.operator
        allowed(operator.patch(execution.path, {"metadata": {"finalizers": None}}))
        refused(operator.delete(execution.path), "has not ended or is not archived")
        assert AUDIT_FINALIZER not in execution.live()["metadata"].get("finalizers", [])

    def test_not_all_at_once(self, shop: Place) -> None:
        assert shop.installation.operator.delete(shop.path).status == 403

    @pytest.mark.parametrize("who", ["alice", "bob", "agents"])
    def test_by_nobody_else(self, shop: Place, who: str) -> None:
        execution = shop.execution("Succeeded")
        identity = shop.installation.agents if who == "agents" else shop.person(who)
        assert identity.delete(execution.path).status == 403

    def test_the_policy_knows_every_final_phase(self) -> None:
        policy = next(path for path in resources("install") if path.name == "25-policy-operator.yaml")
        assert said(policy) == TERMINAL


def said(policy: Path) -> set[str]:
    """The phases that the policy calls final."""
    listed = policy.read_text().partition("orValue('') in ['Cancelled'")[2].partition("]")[0]
    return {"Cancelled", *re.findall(r"'(\w+)'", listed)}
