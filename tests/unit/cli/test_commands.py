"""The command line teaches, names what is wrong with the way out, and ends with the right code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.unit.cli.test_plan import journal
from typer.testing import CliRunner

from interlock.cli.kubectl import app as kubectl
from interlock.cli.main import app
from interlock.operator.archive import Archive, migrate, row_of
from interlock.runbooks.loading import catalogue_folder, load_catalogue

runner = CliRunner()


def run(*words: str, code: int = 0) -> str:
    result = runner.invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.stdout + result.stderr


GROUPS = [
    *("demo", "lab", "install", "uninstall", "doctor", "namespace", "runbook", "catalogue", "key"),
    *("execution", "incident", "audit", "alert", "operator", "agents"),
    *("diagnose", "snapshot", "topology", "eval"),
]


def apart(*words: str, code: int = 0) -> str:
    """As `run`, in a process of its own, as people run it."""
    command = [sys.executable, "-P", "-m", "interlock.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_help(group: str) -> None:
    # The operator's tables and the agents' are not for one process.
    assert "Usage:" in (apart if group in ("demo", "incident", "agents") else run)(group, "--help")
    assert group in run("--help")


@pytest.mark.parametrize(
    "command", ["plan", "approve", "deny", "confirm", "resume", "undo", "cancel", "amend", "journal"]
)
def test_every_decision_has_help(command: str) -> None:
    assert "NAME" in runner.invoke(kubectl, [command, "--help"]).output


def test_help_shows_examples() -> None:
    assert "    interlock runbook publish --catalogue --grant shop\n" in run("--help")


def test_nothing_heavy_is_imported_for_help() -> None:
    probe = "import sys, interlock.cli.main; print([m for m in ('kubernetes', 'sqlmodel', 'kopf') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_usage_errors_end_with_two() -> None:
    assert "No such command" in run("bla", code=2)
    assert "--context must name the cluster" in run("install", code=2)
    assert "name at least one runbook" in run("runbook", "digest", code=2)
    assert "--namespace or --cluster must be given" in run("runbook", "rbac", "--catalogue", code=2)
    assert "Interlock never acts" in run("namespace", "opt-in", "kube-public", code=2)


def test_a_wrong_kubeconfig_is_named_with_the_way_out(tmp_path: Path) -> None:
    text = run("execution", "list", "--kubeconfig", str(tmp_path / "none"), code=2)
    assert str(tmp_path / "none") in text
    assert "--context" in text
    assert "Traceback" not in text


def test_an_unreachable_cluster_is_no_traceback(tmp_path: Path) -> None:
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": False}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    text = run("execution", "list", "--kubeconfig", str(tmp_path / "config"), code=1)
    assert "no answer from https://127.0.0.1:1" in text
    assert "Traceback" not in text


def test_runbooks_are_listed_for_people_and_machines() -> None:
    assert "rollback-deployment-1.1.0" in run("runbook", "list")
    rows = json.loads(run("runbook", "list", "-o", "json"))
    assert {row["name"]: row["digest"] for row in rows} == {
        item.runbook.metadata.name: item.runbook.digest() for item in load_catalogue()
    }


def test_a_runbook_is_shown_with_its_page() -> None:
    text = run("runbook", "show", "rollback-deployment")
    for part in ("refuses, unless newest-revision-fails", "1. undo: rolloutUndo", "## What it will not do"):
        assert part in text


def test_an_unknown_runbook_is_answered_with_the_known_ones() -> None:
    assert "escalate-1.0.0" in run("runbook", "show", "nope", code=2)


def test_lint_fails_with_file_and_line(tmp_path: Path) -> None:
    text = (catalogue_folder() / "scale-deployment" / "runbook.yaml").read_text()
    (tmp_path / "runbook.yaml").write_text(text.replace("risk: Medium", "risk: Grave"))
    line = text[: text.index("risk: Medium")].count("\n") + 1
    assert f"runbook.yaml:{line}:" in run("runbook", "lint", str(tmp_path), code=1)
    (tmp_path / "runbook.yaml").write_text(text.replace("pods.filter", "pod.filter"))
    assert "unknown name 'pod'" in run("runbook", "lint", str(tmp_path), code=1)
    problems = json.loads(run("runbook", "lint", str(tmp_path), "-o", "json", code=1))
    assert {problem["field"] for problem in problems} >= {"spec.preconditions[2].expression"}
    assert "0 problems" in run("runbook", "lint", str(catalogue_folder()))


def test_rbac_prints_what_a_cluster_scoped_target_needs() -> None:
    manifests = list(yaml.safe_load_all(run("runbook", "rbac", "uncordon-node", "--cluster")))
    assert [m["metadata"]["name"] for m in manifests if m["kind"] == "ServiceAccount"] == ["uncordon-node.cluster"]
    assert "ClusterRole" in {m["kind"] for m in manifests}


def test_rbac_grants_in_each_place_what_acts_there() -> None:
    manifests = yaml.safe_load_all(
        run("runbook", "rbac", "--catalogue", "-n", "shop", "-n", "kube-system", "--cluster")
    )
    accounts = {m["metadata"]["name"] for m in manifests if m["kind"] == "ServiceAccount"}
    assert {"uncordon-node.cluster", "scale-deployment.shop", "restart-coredns.kube-system"} <= accounts
    assert not {"uncordon-node.shop", "scale-deployment.cluster", "scale-deployment.kube-system"} & accounts
    assert "none of these runbooks acts on" in run("runbook", "rbac", "uncordon-node", "-n", "shop", code=2)


def test_rbac_prints_what_would_be_granted() -> None:
    manifests = list(yaml.safe_load_all(run("runbook", "rbac", "scale-deployment", "-n", "shop")))
    assert {m["kind"] for m in manifests} == {"ServiceAccount", "Role", "RoleBinding"}
    role = next(m for m in manifests if m["metadata"]["name"] == "interlock-runner.scale-deployment")
    assert role["rules"] == [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}]


def test_manifests_can_be_printed() -> None:
    kinds = {m["kind"] for m in yaml.safe_load_all(run("install", "--print"))}
    assert {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "Guardrail"} <= kinds
    names = [m["metadata"]["name"] for m in yaml.safe_load_all(run("namespace", "opt-in", "shop"))]
    assert "shop" in names


def test_an_alert_is_what_alertmanager_sends() -> None:
    body = json.loads(run("alert", "send", "KubePodNotReady", "-l", "namespace=shop", "-l", "pod=web-1", "--print"))
    assert (body["version"], body["status"], body["truncatedAlerts"]) == ("4", "firing", 0)
    assert body["alerts"][0]["labels"] == {"alertname": "KubePodNotReady", "namespace": "shop", "pod": "web-1"}
    over = json.loads(run("alert", "send", "X", "--resolved", "--print"))["alerts"][0]
    assert over["status"] == "resolved"
    assert over["endsAt"] >= over["startsAt"]


def test_alert_errors_name_the_option(tmp_path: Path) -> None:
    assert "--label: 'namespace'" in run("alert", "send", "X", "-l", "namespace", code=2)
    assert "--url: 'ftp://x'" in run("alert", "send", "X", "--url", "ftp://x", code=2)
    assert "--token-file" in run("alert", "send", "X", "--token-file", str(tmp_path / "none"), code=2)
    assert "no answer from" in run("alert", "send", "X", "--url", "http://127.0.0.1:1/", code=1)


def test_incidents_need_a_store(tmp_path: Path) -> None:
    assert "--database must be given" in apart("incident", "list", code=2)
    assert "there is no database" in apart("incident", "list", "--database", str(tmp_path / "none.db"), code=1)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.db"
    migrate.upgrade(f"sqlite:///{path}")
    store = Archive(f"sqlite:///{path}")
    body = journal("Requested", "Planned", "Approved", "Ended")
    body["status"] |= {"phase": "Succeeded", "completedAt": "2026-03-01T12:01:00Z"}
    store.put(row_of(body))
    store.close()
    return path


def test_the_archive_is_listed_and_shown(archive: Path) -> None:
    assert "shop/web-1" in run("audit", "list", "--archive", str(archive))
    assert json.loads(run("audit", "list", "--archive", f"sqlite:///{archive}", "-o", "json"))[0]["approvedBy"] == "bob"
    assert "chain verified: 4 entries" in run("audit", "show", "e-1", "--archive", str(archive))


def test_a_missing_archive_is_not_made(tmp_path: Path) -> None:
    assert "does not exist" in run("audit", "verify", "--archive", str(tmp_path / "none.db"), code=2)
    assert list(tmp_path.iterdir()) == []
    assert "--archive must be given" in run("audit", "list", code=2)


def test_what_the_catalogue_covers_is_counted_and_listed() -> None:
    assert "workload.cpu.saturated" in run("catalogue", "coverage", "--answer", "open")
    rows = json.loads(run("catalogue", "coverage", "-o", "json"))
    assert {"raise-quota"} == {
        f for row in rows if row["cause"] == "namespace.quota.pods-exceeded" for f in row["runbooks"]
    }
