"""What a snapshot may look like, what is said of one that is wrong, and what the command answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cases.builder import Cluster, waiting

from interlock.agents.analyzers.kinds import ConfigMap
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence.snapshot import Snapshot, SnapshotError
from interlock.agents.examine import examine

ADDRESS = "http://payments:8080"


def shop() -> Cluster:
    cluster = Cluster()
    cluster.deploy("payments", 8080)
    cluster.deploy("orders", 8080, env={"PAYMENTS_URL": ADDRESS}, replicas=2)
    return cluster


def written(cluster: Cluster, folder: Path) -> Path:
    cluster.settle()
    cluster.write(folder)
    return folder


def broken() -> Cluster:
    cluster = shop()
    cluster.rollout("payments")
    cluster.container("payments")["image"] = "registry.example/shop/payments:typo"
    cluster.state("payments", waiting("ImagePullBackOff", "manifest unknown: not found"))
    return cluster


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "interlock.cli", "diagnose", *arguments]
    return subprocess.run(line, check=False, capture_output=True, text=True, timeout=300)


def test_what_is_well_is_said_to_be_well(tmp_path: Path) -> None:
    assert examine(Landscape(Snapshot(written(shop(), tmp_path))), 0.5).verdict == "none.healthy"


def test_what_was_not_collected_is_not_said_to_be_well(tmp_path: Path) -> None:
    folder = written(shop(), tmp_path)
    (folder / "shop/pods.json").unlink()
    assert examine(Landscape(Snapshot(folder)), 0.5).best is None


def test_an_empty_list_is_known_and_a_missing_one_is_not(tmp_path: Path) -> None:
    folder = written(shop(), tmp_path)
    assert Landscape(Snapshot(folder)).known(ConfigMap, "shop")
    (folder / "shop/configmaps.json").unlink()
    assert not Landscape(Snapshot(folder)).known(ConfigMap, "shop")


def test_logs_are_told_apart_by_container_and_run(tmp_path: Path) -> None:
    cluster = shop()
    cluster.log("orders", "now")
    cluster.log("orders", "aside", container="proxy")
    cluster.log("orders", "before", previous=True)
    folder = written(cluster, tmp_path)
    logs = Snapshot(folder).logs("shop", cluster.pod_name("orders"))
    assert [(log.container, log.previous, log.text) for log in logs] == [
        ("orders", True, "before"),
        ("orders", False, "now"),
        ("proxy", False, "aside"),
    ]


def test_documents_alone_are_not_enough_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text('{"collectedAt": "2026-03-01T12:00:00Z", "namespace": null}')
    for name, content in {
        "connectivity": [{"service": "x", "port": 80, "succeeded": False}],
        "service-dependencies": [{"service": "x", "calls": ["y"]}],
        "log-patterns": [{"service": "x", "total_error_ratio": 0.9, "patterns": [{"count": 9, "sample": "timeout"}]}],
        "alerts": {"alerts": [{"status": "firing", "labels": {"alertname": "HighLatency", "service": "x"}}]},
        "changes": [{"at": "2026-03-01T11:59:00Z", "object": "Deployment x", "summary": "image"}],
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert examine(Landscape(Snapshot(tmp_path)), 0.5).best is None


@pytest.mark.parametrize("name", ["..", "../shop", "/etc"])
def test_no_name_leads_out_of_the_snapshot(tmp_path: Path, name: str) -> None:
    snapshot = Snapshot(written(shop(), tmp_path / "case"))
    assert snapshot.logs(name, name) == ()
    assert snapshot.objects("pods", name) is None


WRONG = {
    "not JSON": ("shop/pods.json", "{", "pods.json: is not JSON"),
    "no list": ("shop/pods.json", '{"kind": "Pod"}', "pods.json: has no items"),
    "no time": ("snapshot.json", '{"namespace": "shop"}', "snapshot.json: collectedAt"),
    "no namespace": ("snapshot.json", '{"collectedAt": "2026-01-01T00:00:00Z", "namespace": "../x"}', "namespace"),
}


@pytest.mark.parametrize(("file", "content", "said"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, file: str, content: str, said: str) -> None:
    folder = written(shop(), tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(SnapshotError, match=said) as refused:
        examine(Landscape(Snapshot(folder)), 0.5)
    assert refused.value.way_out


def test_manifests_that_grow_when_they_are_read_are_refused(tmp_path: Path) -> None:
    folder = written(shop(), tmp_path)
    (folder / "manifests").mkdir()
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (folder / "manifests/bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(SnapshotError, match="aliases"):
        Snapshot(folder).documents("manifests")


def test_one_snapshot_as_json(tmp_path: Path) -> None:
    folder = written(broken(), tmp_path)
    (folder / "notes.bin").write_text("?")
    done = command(str(folder), "--output", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    first = answer["hypotheses"][0]
    assert set(answer) == {"hypotheses", "proposal"}
    assert set(first) == {"cause", "object", "confidence", "citations"}
    assert first["cause"] == "workload.image.not-found"
    assert first["object"] == {"kind": "Deployment", "namespace": "shop", "name": "payments"}
    assert first["citations"]
    assert answer["proposal"]["runbook"].startswith("rollback-deployment-")
    assert answer["proposal"]["target"]["name"] == "payments"
    assert "notes.bin" in done.stderr


def test_a_folder_of_snapshots_is_a_line_each(tmp_path: Path) -> None:
    written(broken(), tmp_path / "b-broken")
    written(shop(), tmp_path / "a-well")
    done = command(str(tmp_path), "--output", "jsonl", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["case"] for line in lines] == ["a-well", "b-broken"]
    assert lines[0]["hypotheses"][0]["cause"] == "none.healthy"
    assert lines[0]["proposal"] is None
    assert lines[1]["hypotheses"][0]["cause"] == "workload.image.not-found"


def test_one_unreadable_snapshot_does_not_keep_the_others_from_being_judged(tmp_path: Path) -> None:
    written(broken(), tmp_path / "b")
    (written(shop(), tmp_path / "a") / "shop/pods.json").write_text("{")
    done = command(str(tmp_path), "--output", "jsonl")
    assert done.returncode == 1
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["hypotheses"] == []
    assert "pods.json" in first["error"]
    assert second["hypotheses"]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_what_is_no_snapshot_is_refused_with_a_way_out(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    done = command(str(tmp_path / folder))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "snapshot" in done.stderr
