"""`interlock` on a cluster: publish, grant, ask, and say what is wrong."""

import json
from typing import Any

import pytest
from tests.cluster.cli.conftest import Run
from tests.support.executions import Place
from tests.support.installation import RBAC
from tests.support.waiting import eventually

from interlock.runbooks.loading import load_catalogue


@pytest.fixture(scope="module")
def published(shop: Place, interlock: Run) -> Place:
    """The catalogue on the cluster, granted in the shop."""
    done = interlock("admin", "runbook", "publish", "--catalogue", "--grant", shop.namespace)
    assert done.returncode == 0, done.stderr
    shop.installation.bind("alice", "interlock-auditor", None)
    return shop


def test_published_runbooks_keep_their_digest(published: Place, interlock: Run) -> None:
    rows = json.loads(interlock("alice", "runbook", "list", "--published", "-o", "json").stdout)
    digests = {row["name"]: row["digest"] for row in rows}
    for item in load_catalogue():
        assert digests[item.runbook.metadata.name] == item.runbook.digest()
    again = interlock("admin", "runbook", "publish", "--catalogue")
    assert again.returncode == 0, again.stderr


def test_a_runbook_is_asked_for_as_oneself(published: Place, interlock: Run) -> None:
    words = ("execution", "request", "scale-deployment-1.0.0", "-n", published.namespace, "--reason", "too few")
    done = interlock("alice", *words, "--target", "Deployment/web", "-p", "replicas=3", "-o", "json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["spec"]["requestedBy"] == "alice"
    assert made["spec"]["parameters"] == {"replicas": "3"}
    assert made["spec"]["target"]["namespace"] == published.namespace
    listed = json.loads(interlock("alice", "execution", "list", "-n", published.namespace, "-o", "json").stdout)
    assert made["metadata"]["name"] in {row["name"] for row in listed}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scale-deployment-1.0.0", "--target", "Deployment/web", "-p", "replicas=99"), "99 is outside 1 to 20"),
        (("scale-deployment-1.0.0", "--target", "Deployment/web", "-p", "size=9"), "known are replicas"),
        (("scale-deployment-1.0.0", "--target", "Node/n1"), "Kinds: Deployment."),
        (("scale-deployment-1.0.0", "--target", "web"), "is not KIND/NAME"),
    ],
)
def test_a_wrong_request_is_refused_before_it_is_made(
    published: Place, interlock: Run, words: tuple[str, ...], said: str
) -> None:
    done = interlock("alice", "execution", "request", *words, "-n", published.namespace, "--reason", "too few")
    assert done.returncode == 2
    assert said in done.stderr


def test_an_unknown_runbook_cannot_be_asked_for(published: Place, interlock: Run) -> None:
    words = ("execution", "request", "dance-1.0.0", "--target", "Deployment/web", "--reason", "x")
    done = interlock("alice", *words, "-n", published.namespace)
    assert done.returncode == 1
    assert "'dance-1.0.0' is not published" in done.stderr


def findings(interlock: Run) -> dict[str, dict[str, Any]]:
    done = interlock("admin", "doctor", "-o", "json")
    assert done.stdout, done.stderr
    return {finding["subject"]: finding for finding in json.loads(done.stdout)}


def test_the_doctor_finds_a_good_installation_good(published: Place, interlock: Run) -> None:
    found = findings(interlock)
    for subject in (
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ClusterRole",
        "agents can only ask",
        "operator changes no workload",
        "operator may work",
        "kubernetes",
        "audit heads",
        f"agents see and ask in {published.namespace}",
        f"operator sees {published.namespace}",
        f"rollback-deployment-1.1.0 in {published.namespace}",
    ):
        assert found[subject]["ok"], found[subject]


def test_the_doctor_finds_a_missing_grant_and_its_way_out_works(published: Place, interlock: Run) -> None:
    admin, namespace = published.installation.admin, published.namespace
    subject = f"restart-deployment-1.0.0 in {namespace}"
    path = f"{RBAC}/namespaces/{namespace}/rolebindings/interlock-runner.restart-deployment"
    assert admin.delete(path).ok

    def missed() -> dict[str, Any] | None:
        finding = findings(interlock)[subject]
        return None if finding["ok"] else finding

    finding = eventually("the authorizer to notice", missed)
    assert "patch deployments" in finding["says"]
    assert finding["fix"] == f"interlock runbook publish restart-deployment-1.0.0 --grant {namespace}"
    assert interlock("admin", *finding["fix"].split()[1:]).returncode == 0
    eventually("the grant to work", lambda: findings(interlock)[subject]["ok"])
    quiet = interlock("admin", "doctor", "--quiet")
    assert subject not in quiet.stdout


def test_the_doctor_needs_no_more_than_an_answer(shop: Place, interlock: Run) -> None:
    done = interlock("bob", "doctor")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
