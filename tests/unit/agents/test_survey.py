"""What is taken out of objects before anything is kept of them, and that files say what was seen."""

import json
from datetime import UTC, datetime
from pathlib import Path

from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.evidence.source import RunLog
from interlock.agents.evidence.survey import Surveyed, last_applied, redacted
from interlock.cli.snapshot import write

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def test_of_a_secret_only_the_names_of_keys_are_left() -> None:
    annotations = {APPLIED: '{"stringData": {"password": "hunter2"}}', "team": "shop"}
    metadata = {"name": "login", "annotations": annotations, "managedFields": [{"manager": "kubectl"}]}
    kept = redacted("secrets", {"metadata": metadata, "data": {"password": "aHVudGVyMg=="}, "immutable": True})
    assert kept["data"] == {"password": ""}
    assert "hunter2" not in json.dumps(kept)
    assert "aHVudGVyMg" not in json.dumps(kept)
    assert "managedFields" not in kept["metadata"]


def test_secret_values_in_settings_are_hidden() -> None:
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "DB_URL", "value": "postgres://app:hunter2@db:5432/x"}]
    kept = redacted("pods", {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "env": env}]}})
    assert "hunter2" not in json.dumps(kept)
    assert [variable["name"] for variable in kept["spec"]["containers"][0]["env"]] == ["DB_PASSWORD", "DB_URL"]


def test_what_was_applied_is_known_but_never_of_a_secret() -> None:
    text = json.dumps({"kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    body = {"metadata": {"name": "web", "annotations": {APPLIED: text}}}
    meant = last_applied("services", body)
    assert meant is not None
    assert meant["spec"] == {"ports": [{"port": 80}]}
    assert last_applied("secrets", body) is None
    assert last_applied("services", {"metadata": {"annotations": {APPLIED: "{"}}}) is None


def test_what_was_surveyed_is_read_back_from_its_files(tmp_path: Path) -> None:
    found = Surveyed(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), "shop")
    found.keep("pods", "shop", [{"metadata": {"name": "web-1"}, "status": {"phase": "Running"}}])
    found.keep("nodes", None, [])
    found.texts["shop", "web-1"] = (
        RunLog("shop", "web-1", "app", True, "boom", ""),
        RunLog("shop", "web-1", "app", False, "up", ""),
    )
    found.folders["manifests"] = {"last-applied": [{"kind": "Service", "metadata": {"name": "web"}}]}
    write(found, tmp_path / "out")
    read = Snapshot(tmp_path / "out")
    assert (read.collected_at, read.namespace) == (found.collected_at, "shop")
    assert read.objects("pods", "shop") == found.objects("pods", "shop")
    assert read.objects("nodes", None) == []
    assert read.objects("services", "shop") is None
    assert [(log.previous, log.text) for log in read.logs("shop", "web-1")] == [(True, "boom"), (False, "up")]
    assert read.documents("manifests") == found.folders["manifests"]
    assert read.unknown() == ()
