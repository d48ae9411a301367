"""Everything that keeps an execution from starting."""

from tests.support.identity import Identity
from tests.support.installation import API, RBAC
from tests.support.scene import Scene, scaling
from tests.support.waiting import eventually
from typer.testing import CliRunner

from interlock.cli.main import app
from interlock.crds.runbook import Runbook
from interlock.runbooks.rbac import grants

BEFORE = {"name": "one-replica", "expression": "target.spec.replicas == 1", "message": "there is not one replica"}


def test_denied(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"})
    scene.offered()
    assert scene.decide("Deny").ok
    assert "bob" in scene.ends("Denied").message
    assert scene.workload()["spec"]["replicas"] == 1


def test_expired(scene: Scene) -> None:
    scene.ask(scaling(approval={"expiresAfterSeconds": 5}), {"replicas": "3"})
    scene.offered()
    scene.ends("Expired")
    assert scene.workload()["spec"]["replicas"] == 1


def test_drift_voids_the_approval_and_the_new_plan_can_be_approved(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "5"})
    first = scene.offered()
    scene.change({"spec": {"replicas": 2}})

    def drifted() -> bool:
        status = scene.execution().status
        return status is not None and any(c.type == "Drifted" and c.status == "True" for c in status.conditions)

    eventually("the drift to be shown", drifted)
    assert scene.decide().ok

    def offered_again() -> bool:
        status = scene.execution().status
        return status is not None and status.phase == "AwaitingApproval" and status.replans == 1

    eventually("a new plan", offered_again)
    second = scene.offered()
    assert second.digest != first.digest
    assert second.steps[0].changes[0].before == "2"
    assert scene.workload()["spec"]["replicas"] == 2
    scene.approve()
    scene.ends("Succeeded")
    assert scene.workload()["spec"]["replicas"] == 5


def test_a_precondition_that_does_not_hold_ends_it(scene: Scene) -> None:
    scene.change({"spec": {"replicas": 2}})
    scene.ask(scaling(preconditions=[BEFORE]), {"replicas": "3"})
    status = scene.ends("NotNeeded")
    assert status.reason == "PreconditionNotMet"
    assert "there is not one replica" in status.message


def test_it_is_no_longer_needed_while_it_waits(scene: Scene) -> None:
    scene.ask(scaling(preconditions=[BEFORE]), {"replicas": "3"})
    scene.offered()
    scene.change({"spec": {"replicas": 2}})
    scene.ends("NotNeeded")


def test_cancelled_while_it_waits(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"})
    scene.offered()
    cancelled = {"spec": {"cancelled": {"by": scene.requester.name, "reason": "mistaken"}}}
    assert scene.requester.patch(scene.path("fix"), cancelled).ok
    assert "mistaken" in scene.ends("Cancelled").message


def test_another_content_than_the_pinned_one_is_refused(scene: Scene) -> None:
    book = scaling()
    scene.ask(book, {"replicas": "3"}, digest="sha256:" + "0" * 64)
    assert scene.ends("Refused").reason == "DigestDiffers"


def test_a_parameter_out_of_bounds_is_refused(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "10"})
    status = scene.ends("Refused")
    assert status.reason == "ParameterRefused"
    assert "10 is outside 0 to 9" in status.message


def test_an_unknown_target_is_refused(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"}, target="nothing")
    assert scene.ends("Refused").reason == "TargetNotFound"


def test_a_missing_grant_is_explained_before_anyone_is_asked(scene: Scene) -> None:
    book = scaling()
    scene.installation.publish(book)
    scene.installation.opt_in(scene.namespace)
    way_out = f"`interlock runbook rbac test-scale --namespace {scene.namespace}`"
    for name, grant in (("nothing", False), ("half", True)):
        if grant:
            scene.installation.opt_in(scene.namespace, [book])
            binding = f"{RBAC}/namespaces/{scene.namespace}/rolebindings/interlock-runner.test-scale"
            assert scene.admin.delete(binding).ok
            eventually("the right to go", lambda: "may not get deployments" in asked(scene, book))
        assert scene.request(book, {"replicas": "3"}, name=name).ok
        status = scene.ends("Refused", name=name)
        assert status.reason == "NotGranted"
        lacking = f"test-scale.{scene.namespace} may not get deployments" if grant else "may not create serviceaccounts"
        assert lacking in status.message
        assert way_out in status.message
        assert status.plan is None
        assert lacking in asked(scene, book)
        assert way_out in asked(scene, book)


def test_a_role_that_is_too_narrow_shows_before_anything_is_asked_for(scene: Scene) -> None:
    book = scaling("test-narrow")
    granted = grants(book, [scene.namespace])
    granted[1]["rules"][0]["verbs"] = ["get"]
    scene.installation.opt_in(scene.namespace)
    scene.installation.apply(granted)
    scene.installation.publish(book)

    def permitted() -> str:
        status = scene.admin.get(f"{API}/runbooks/{book.metadata.name}").body.get("status") or {}
        return next((c["message"] for c in status.get("conditions", ()) if c["reason"] == "RoleTooNarrow"), "")

    said = eventually("the runbook to say so", permitted)
    assert f"test-narrow.{scene.namespace} may not patch deployments" in said
    assert f"`interlock runbook rbac test-narrow --namespace {scene.namespace}`" in said


def asked(scene: Scene, book: Runbook) -> str:
    """What the command line says to who may ask the authorizer, and asks for nothing."""
    words = (
        "execution",
        "request",
        book.metadata.name,
        "--target",
        "Deployment/web",
        "--reason",
        "x",
        "-p",
        "replicas=3",
    )
    place = ("-n", scene.namespace, "--kubeconfig", str(scene.installation.lab.kubeconfig))
    result = CliRunner().invoke(app, [*words, *place])
    assert result.exit_code == 1
    return " ".join(f"{result.output} {result.exception} {getattr(result.exception, 'way_out', '')}".split())


def test_a_path_outside_the_allowed_ones_is_refused(scene: Scene) -> None:
    scene.ask(scaling(allowedPaths=["/spec/template/**"]), {"replicas": "3"})
    status = scene.ends("Refused")
    assert "/spec/replicas, outside the runbook's allowed paths" in status.message


def test_a_guardrail_lets_only_observe(scene: Scene) -> None:
    guard(scene.admin, scene.namespace, mode="Observe")
    scene.ask(scaling(), {"replicas": "3"})
    status = scene.ends("Observed")
    assert status.plan is not None
    assert scene.workload()["spec"]["replicas"] == 1


def test_a_stop_holds_what_is_approved_until_it_is_lifted(scene: Scene) -> None:
    name = guard(scene.admin, scene.namespace, stop=False)
    scene.ask(scaling(), {"replicas": "3"})
    scene.offered()
    assert scene.admin.patch(f"{API}/guardrails/{name}", {"spec": {"stop": True}}).ok
    assert scene.decide().ok

    def held() -> bool:
        status = scene.execution().status
        return status is not None and any(c.type == "Held" and c.reason == "Stopped" for c in status.conditions)

    eventually("it to be held", held)
    assert scene.workload()["spec"]["replicas"] == 1
    assert scene.admin.patch(f"{API}/guardrails/{name}", {"spec": {"stop": False}}).ok
    scene.ends("Succeeded")


def test_a_guardrail_demands_more_approvals(scene: Scene) -> None:
    guard(scene.admin, scene.namespace, approvals=2)
    scene.ask(scaling(), {"replicas": "3"})
    assert scene.offered().quorum == 2
    scene.approve()
    carol = scene.installation.person("carol")
    scene.installation.bind("carol", "interlock-approver", scene.namespace)
    assert scene.workload()["spec"]["replicas"] == 1
    assert scene.decide(by=carol).ok
    scene.ends("Succeeded")


def guard(admin: Identity, namespace: str, **limits: object) -> str:
    """A guardrail for one namespace."""
    name = f"guard-{namespace}"
    spec = {"selector": {"namespaces": [namespace]}, **limits}
    body = {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": name}, "spec": spec}
    answer = admin.post(f"{API}/guardrails", body)
    assert answer.ok, answer
    return name


def test_what_the_cluster_says_cannot_forge_what_people_read(scene: Scene) -> None:
    """An annotation ends up in an error message: without escapes and marks, and without keeping the execution open."""
    scene.change({"metadata": {"annotations": {"note": "\u202e\x1b[2Jpassword: hunter2"}}})
    named = {"name": "a-number", "expression": "int(target.metadata.annotations['note']) == 1", "message": "no number"}
    scene.ask(scaling(preconditions=[named]), {"replicas": "3"})
    status = scene.ends("NotNeeded")
    assert "no number" in status.message
    whole = str(scene.admin.get(scene.path("fix")).body["status"])
    assert not [hostile for hostile in ("\u202e", "\\u202e", "\x1b", "hunter2") if hostile in whole]
