"""`kubectl interlock amend`: the same request with other parameters, by whoever makes it, in the old one's place."""

import json
import subprocess
from typing import Any

import pytest
from tests.cluster.cli.conftest import Run, environment
from tests.support.executions import Execution, Place
from tests.support.scene import scaling
from tests.support.waiting import eventually

BOOK = scaling("test-amend")


@pytest.fixture(scope="module", autouse=True)
def _published(shop: Place) -> None:
    shop.installation.publish(BOOK)
    for person in ("alice", "bob", "dave"):
        shop.installation.bind(person, "interlock-auditor", None)


def asked(shop: Place, phase: str, **spec: Any) -> Execution:
    """A request for three replicas that alice made."""
    runbook = {"name": BOOK.metadata.name, "digest": BOOK.digest()}
    reason = {"summary": "too few", "incident": "inc-1", "citations": [{"id": "E1", "source": "a log"}]}
    return shop.execution(phase, **{"runbook": runbook, "parameters": {"replicas": "3"}, "reason": reason, **spec})


def test_who_may_ask_the_authorizer_is_told_of_a_missing_grant_before_deciding(shop: Place, kubectl: Run) -> None:
    for role, where in (("interlock-approver", shop.namespace), ("interlock-auditor", None)):
        shop.installation.bind("erika", role, where)
    shop.installation.bind("erika", "system:auth-delegator", None)
    old = asked(shop, "AwaitingApproval")
    for words in (("approve", old.name, "--yes"), ("amend", old.name, "--set", "replicas=5", "--cancel")):
        done = kubectl("erika", *words)
        assert done.returncode == 1
        assert f"{BOOK.metadata.name} is not granted in {shop.namespace}" in done.stderr
        assert "interlock runbook rbac test-amend" in done.stderr
    assert "erika" not in {decision["by"] for decision in old.live()["spec"]["decisions"]}
    assert "cancelled" not in old.live()["spec"]


def amendments(shop: Place, of: Execution) -> list[dict[str, Any]]:
    """The executions that amend this one."""
    items = shop.installation.admin.get(shop.path).body["items"]
    return [item for item in items if item["spec"].get("amends") == of.name]


def test_what_has_ended_is_asked_for_anew_as_oneself(shop: Place, kubectl: Run) -> None:
    old = asked(shop, "Refused")
    done = kubectl("dave", "amend", old.name, "--set", "replicas=5")
    assert done.returncode == 0, done.stderr
    (made,) = amendments(shop, old)
    before = old.live()["spec"]
    assert (made["spec"]["requestedBy"], made["spec"]["parameters"]) == ("dave", {"replicas": "5"})
    for same in ("runbook", "target", "reason"):
        assert made["spec"][same] == before[same]
    for said in ("has ended as Refused; somebody else approves it", f"execution watch {made['metadata']['name']}"):
        assert said in done.stdout


def test_another_reason_may_be_given(shop: Place, kubectl: Run) -> None:
    old = asked(shop, "Refused")
    done = kubectl("alice", "amend", old.name, "--set", "replicas=5", "--reason", "three was too few", "-o", "json")
    made = json.loads(done.stdout)["spec"]["reason"]
    assert (made["summary"], made["incident"]) == ("three was too few", "inc-1")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("replicas=10", "parameter replicas: 10 is outside 0 to 9"),
        ("size=1", "parameter size is unknown; known are replicas"),
        ("replicas=3", "the parameters would be the same"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_written(shop: Place, kubectl: Run, value: str, said: str) -> None:
    old = asked(shop, "AwaitingApproval")
    done = kubectl("alice", "amend", old.name, "--set", value, "--cancel")
    assert done.returncode == 2
    assert said in done.stderr
    assert amendments(shop, old) == []
    assert "cancelled" not in old.live()["spec"]


@pytest.mark.parametrize("phase", ["AwaitingApproval", "Running"])
def test_what_goes_on_is_cancelled_first(shop: Place, kubectl: Run, phase: str) -> None:
    old = asked(shop, phase)
    done = kubectl("alice", "amend", old.name, "--set", "replicas=5")
    assert done.returncode == 1
    assert f"is {phase}" in done.stderr
    assert f"kubectl interlock cancel {old.name} -n {shop.namespace}, or amend it with --cancel" in done.stderr
    assert amendments(shop, old) == []


def test_it_waits_until_what_was_cancelled_has_ended(shop: Place) -> None:
    old = asked(shop, "Running")
    command = [str(shop.installation.lab.kubectl), "interlock", "amend", old.name, "-n", shop.namespace]
    with subprocess.Popen(
        [*command, "--set", "replicas=5", "--cancel"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(shop.person("alice").kubeconfig),
    ) as process:
        eventually("it to be cancelled", lambda: "cancelled" in old.live()["spec"])
        assert amendments(shop, old) == []
        assert old.move("Undoing").ok
        assert old.move("Cancelled").ok
        out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert old.live()["spec"]["cancelled"] == {"by": "alice", "reason": "amended"}
    assert "which has ended as Cancelled" in out
    assert len(amendments(shop, old)) == 1


def test_who_may_not_ask_amends_nothing_and_cancels_nothing(shop: Place, kubectl: Run) -> None:
    old = asked(shop, "AwaitingApproval")
    done = kubectl("bob", "amend", old.name, "--set", "replicas=5", "--cancel")
    assert done.returncode == 1
    assert "the API server answers:" in done.stderr
    assert amendments(shop, old) == []
    assert "cancelled" not in old.live()["spec"]


def test_a_runbook_with_another_content_is_not_run_in_its_place(shop: Place, kubectl: Run) -> None:
    old = asked(shop, "Refused", runbook={"name": BOOK.metadata.name, "digest": "sha256:" + "0" * 64})
    done = kubectl("alice", "amend", old.name, "--set", "replicas=5")
    assert done.returncode == 1
    assert "is not published with the content that was asked for" in done.stderr
    assert amendments(shop, old) == []


def test_the_plan_of_a_runbook_that_may_be_read_shows_its_terms(shop: Place, kubectl: Run) -> None:
    waiting = asked(shop, "AwaitingApproval")
    assert "60m from the first step" in kubectl("bob", "plan", waiting.name).stdout
    shop.installation.bind("carl", "interlock-approver", shop.namespace)
    done = kubectl("carl", "plan", waiting.name)
    assert done.returncode == 0, done.stderr
    assert "you may not read the runbook" in done.stdout
