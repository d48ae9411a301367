"""Who may decide, when, about what; and who may stop it."""

import pytest
from tests.support.executions import PLAN, Execution, Place, allowed, digest, plan, refused
from tests.support.identity import JSON_PATCH


class TestApproving:
    def test_an_approver_approves_the_offered_plan(self, shop: Place) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval"))
        allowed(execution.decide("bob", "Approve", comment="looks right"))

    def test_by_a_merge_patch_when_it_is_the_first(self, shop: Place) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval"))
        decision = {"by": "bob", "verdict": "Approve", "subject": PLAN}
        allowed(shop.person("bob").patch(execution.path, {"spec": {"decisions": [decision]}}))

    @pytest.mark.parametrize(
        ("who", "change", "words"),
        [
            ("alice", {}, "who asked does not decide"),
            ("dave", {}, "you need the verb approve on runbooks.interlock.dev restart-deployment-1.0.0"),
            ("bob", {"by": "carol"}, "by must be your own user name: bob"),
            ("bob", {"subject": digest("f")}, "subject must be what stands now"),
            ("bob", {"comment": "fine\u2066"}, "spec.decisions[0].comment"),
            ("bob", {"verdict": "Confirm"}, "this cannot be decided in phase AwaitingApproval"),
            ("bob", {"verdict": "Perhaps"}, "Unsupported value"),
        ],
    )
    def test_is_refused(self, shop: Place, who: str, change: dict[str, str], words: str) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval"))
        decision = {"by": who, "verdict": "Approve", "subject": PLAN, **change}
        refused(execution.append(shop.person(who), decision), words)

    def test_only_once_by_each_person(self, shop: Place) -> None:
        execution = shop.execution("AwaitingApproval")
        refused(execution.decide("bob", "Approve", comment="again"), "Duplicate value")
        refused(execution.decide("bob", "Deny"), "Duplicate value")

    def test_not_twice_in_one_request(self, shop: Place) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval"))
        decisions = ({"by": who, "verdict": "Approve", "subject": PLAN} for who in ("bob", "carol"))
        refused(execution.append(shop.person("bob"), *decisions), "one decision per request")

    @pytest.mark.parametrize("phase", ["", "Pending", "Planning", "Approved", "Running", "Succeeded"])
    def test_only_while_it_is_awaited(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase)
        refused(execution.decide("carol", "Approve", PLAN), f"this cannot be decided in phase {phase or 'none'}")

    def test_again_by_the_same_person_when_another_plan_is_offered(self, shop: Place) -> None:
        execution = shop.execution("AwaitingApproval")
        allowed(execution.move("Planning"))
        allowed(execution.move("AwaitingApproval", plan=plan(digest("c"))))
        refused(execution.move("Approved"), "approvals, by others than the requester, of exactly status.plan.digest")
        refused(execution.decide("bob", "Approve", PLAN), "Duplicate value")
        refused(execution.decide("carol", "Approve", PLAN), "subject must be what stands now")
        allowed(execution.decide("bob", "Approve"))
        allowed(execution.move("Approved"))

    @pytest.mark.parametrize(
        ("account", "words"),
        [
            ("interlock-system:interlock-operator", "the operator neither asks nor decides"),
            ("interlock-agents:any", "agents may only create runbookexecutions"),
            ("interlock-runners:any", "no runbook writes runbookexecutions"),
        ],
    )
    def test_by_a_machine_is_refused_whatever_its_rights(self, shop: Place, account: str, words: str) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval"))
        name = f"system:serviceaccount:{account}"
        groups = (f"system:serviceaccounts:{account.partition(':')[0]}", "system:masters")
        almighty = shop.installation.admin.impersonating(name, *groups)
        refused(execution.append(almighty, {"by": name, "verdict": "Approve", "subject": PLAN}), words)


class TestBreakingTheGlass:
    WHY = "nobody else is awake"

    @staticmethod
    def offered(shop: Place, by: str = "dave", risk: str = "Low", quorum: int = 1) -> Execution:
        execution = shop.execution(by=by)
        allowed(execution.move("AwaitingApproval", plan=plan(risk=risk, quorum=quorum)))
        return execution

    def test_who_asked_approves_what_is_of_low_risk(self, shop: Place) -> None:
        execution = self.offered(shop)
        refused(execution.decide("dave", "Approve"), "who asked does not decide")
        refused(execution.move("Running"), "approvals, by others than the requester")
        allowed(execution.decide("dave", "BreakGlass", comment=self.WHY))
        allowed(execution.move("Running"))

    @pytest.mark.parametrize("risk", ["Medium", "High"])
    def test_and_nothing_else(self, shop: Place, risk: str) -> None:
        execution = self.offered(shop, risk=risk)
        words = "BreakGlass is for plans of low risk only"
        refused(execution.decide("dave", "BreakGlass", comment=self.WHY), words)

    def test_it_takes_a_right_of_its_own(self, shop: Place) -> None:
        execution = self.offered(shop, by="alice")
        words = "you need the verb breakglass on runbooks.interlock.dev restart-deployment-1.0.0"
        refused(execution.decide("alice", "BreakGlass", comment=self.WHY), words)

    @pytest.mark.parametrize("who", ["bob", "dave"])
    def test_it_is_for_ones_own_request(self, shop: Place, who: str) -> None:
        words = "BreakGlass is for who asked"
        refused(self.offered(shop, by="alice").decide(who, "BreakGlass", comment=self.WHY), words)

    @pytest.mark.parametrize("comment", ["", " ", "..."])
    def test_it_says_why(self, shop: Place, comment: str) -> None:
        refused(self.offered(shop).decide("dave", "BreakGlass", comment=comment), "BreakGlass says why")

    def test_it_counts_as_one_approval(self, shop: Place) -> None:
        execution = self.offered(shop, quorum=2)
        allowed(execution.decide("dave", "BreakGlass", comment=self.WHY))
        refused(execution.move("Running"), "approvals, by others than the requester")
        allowed(execution.decide("bob", "Approve"))
        allowed(execution.move("Running"))

    def test_not_after_the_plan_has_changed(self, shop: Place) -> None:
        execution = self.offered(shop)
        allowed(execution.move("Planning"))
        allowed(execution.move("AwaitingApproval", plan=plan(digest("c"), risk="Low")))
        refused(execution.decide("dave", "BreakGlass", PLAN, comment=self.WHY), "subject must be what stands now")

    @pytest.mark.parametrize("phase", ["Pending", "Running", "AwaitingPerson"])
    def test_only_while_approval_is_awaited(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase, by="dave")
        assert not execution.decide("dave", "BreakGlass", PLAN, comment=self.WHY).ok


class TestDenying:
    @pytest.mark.parametrize("phase", ["AwaitingApproval", "Approved"])
    def test_is_possible_until_it_starts(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase)
        allowed(execution.decide("carol", "Deny", comment="not during the sale"))
        refused(execution.move("Running"), "a denied plan does not start")
        allowed(execution.move("Denied"))

    def test_of_another_plan_is_refused(self, shop: Place) -> None:
        refused(shop.execution("Approved").decide("carol", "Deny", digest("f")), "subject must be what stands now")

    def test_of_what_runs_is_refused(self, shop: Place) -> None:
        execution = shop.execution("Running")
        refused(execution.decide("carol", "Deny"), "a started one is cancelled rather than denied")


class TestAnsweringForAPerson:
    @pytest.mark.parametrize("verdict", ["Confirm", "Resume", "Undo"])
    def test_about_the_journals_head(self, shop: Place, verdict: str) -> None:
        execution = shop.execution("AwaitingPerson")
        refused(execution.decide("carol", verdict, PLAN), "subject must be what stands now")
        refused(execution.decide("alice", verdict), "who asked does not decide")
        refused(execution.decide("dave", verdict), "you need the verb approve")
        allowed(execution.decide("carol", verdict))

    def test_an_answer_does_not_outlive_what_it_was_about(self, shop: Place) -> None:
        execution = shop.execution("AwaitingPerson")
        before = execution.head()
        allowed(execution.move("AwaitingPerson"))
        refused(execution.decide("carol", "Confirm", before), "subject must be what stands now")

    @pytest.mark.parametrize("phase", ["AwaitingApproval", "Running", "Succeeded"])
    def test_nobody_is_asked_elsewhere(self, shop: Place, phase: str) -> None:
        refused(shop.execution(phase).decide("carol", "Confirm"), "this cannot be decided in phase")


class TestHistoryOfDecisions:
    @pytest.mark.parametrize("who", ["bob", "admin"])
    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "remove", "path": "/spec/decisions/0"},
            {"op": "replace", "path": "/spec/decisions", "value": []},
            {"op": "replace", "path": "/spec/decisions/0/verdict", "value": "Deny"},
            {"op": "replace", "path": "/spec/decisions/0/comment", "value": "on reflection"},
            {"op": "replace", "path": "/spec/decisions/0/by", "value": "carol"},
        ],
    )
    def test_is_append_only(self, shop: Place, who: str, operation: dict[str, str]) -> None:
        execution = shop.execution("AwaitingApproval")
        person = shop.installation.admin if who == "admin" else shop.person(who)
        refused(person.patch(execution.path, [operation], JSON_PATCH), "decisions are append-only")


class TestCancelling:
    @pytest.mark.parametrize("who", ["alice", "bob"])
    def test_by_who_asked_or_may_approve(self, shop: Place, who: str) -> None:
        execution = shop.execution("AwaitingApproval")
        allowed(shop.person(who).patch(execution.path, {"spec": {"cancelled": {"by": who}}}))

    @pytest.mark.parametrize(
        ("who", "by", "words"),
        [
            ("dave", "dave", "only who asked may cancel"),
            ("alice", "bob", "cancelled.by must be your own user name: alice"),
        ],
    )
    def test_is_refused(self, shop: Place, who: str, by: str, words: str) -> None:
        execution = shop.execution("AwaitingApproval")
        refused(shop.person(who).patch(execution.path, {"spec": {"cancelled": {"by": by}}}), words)

    def test_is_set_once(self, shop: Place) -> None:
        execution, alice = shop.execution("Running"), shop.person("alice")
        allowed(alice.patch(execution.path, {"spec": {"cancelled": {"by": "alice", "reason": "wrong one"}}}))
        for change in (None, {"by": "alice", "reason": "another"}):
            refused(alice.patch(execution.path, {"spec": {"cancelled": change}}), "cancelled is set once")

    @pytest.mark.parametrize("phase", ["AwaitingApproval", "Approved"])
    def test_keeps_it_from_starting(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase)
        allowed(shop.person("alice").patch(execution.path, {"spec": {"cancelled": {"by": "alice"}}}))
        refused(execution.move("Running"), "what has not started does not start")
        allowed(execution.move("Cancelled"))

    def test_lets_what_runs_be_undone(self, shop: Place) -> None:
        execution = shop.execution("Running")
        allowed(shop.person("alice").patch(execution.path, {"spec": {"cancelled": {"by": "alice"}}}))
        allowed(execution.move("Undoing"))
        allowed(execution.move("Cancelled"))


class TestWhatWasAsked:
    @pytest.mark.parametrize(
        "change",
        [
            {"runbook": {"name": "restart-deployment-9.9.9"}},
            {"target": {"name": "db"}},
            {"parameters": {"more": "1"}},
            {"reason": {"summary": "something else"}},
            {"requestedBy": "bob"},
            {"dryRun": True},
            {"amends": "web-1"},
        ],
    )
    def test_is_immutable(self, shop: Place, change: dict[str, object]) -> None:
        execution = shop.execution("AwaitingApproval")
        for who in (shop.person("alice"), shop.installation.admin):
            refused(who.patch(execution.path, {"spec": change}), "spec is immutable")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"finalizers": []}, "finalizers are the operator's"),
            ({"finalizers": ["interlock.dev/audit", "example.com/stay"]}, "finalizers are the operator's"),
            ({"labels": {"interlock.dev/x": "y"}}, "are the operator's"),
            ({"annotations": {"interlock.dev/x": "y"}}, "are the operator's"),
            (
                {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}]},
                "ownerReferences are the operator's",
            ),
        ],
    )
    def test_its_record_keeping_is_the_operators(self, shop: Place, change: dict[str, object], words: str) -> None:
        execution = shop.execution("AwaitingApproval")
        for who in (shop.person("alice"), shop.installation.admin):
            refused(who.patch(execution.path, {"metadata": change}), words)

    def test_labels_of_ones_own_are_free(self, shop: Place) -> None:
        execution = shop.execution("AwaitingApproval")
        allowed(shop.person("alice").patch(execution.path, {"metadata": {"labels": {"team": "shop"}}}))

    def test_a_deletion_waits_for_the_archive(self, shop: Place) -> None:
        execution = shop.execution("Succeeded")
        allowed(shop.installation.admin.request("DELETE", f"{execution.path}?gracePeriodSeconds=0"))
        assert execution.live()["metadata"]["deletionTimestamp"]
        refused(shop.installation.admin.patch(execution.path, {"metadata": {"finalizers": []}}), "finalizers are")
        allowed(shop.installation.operator.patch(execution.path, {"metadata": {"finalizers": []}}))
        assert shop.installation.admin.get(execution.path).status == 404
