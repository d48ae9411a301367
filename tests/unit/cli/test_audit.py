"""`interlock audit` says whether the record is whole, hands it out, and keeps it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.test_commands import run
from tests.unit.cli.test_plan import journal

from interlock.crds.audithead import AuditHeadSpec
from interlock.operator.archive import Archive, migrate, row_of
from interlock.operator.archive.heads import sign_head
from interlock.operator.archive.signing import Signer

NOW = "2026-03-01T12:02:00.000Z"


def ended(uid: str) -> dict[str, Any]:
    body = journal("Requested", "Planned", "Approved", "Ended", uid=uid)
    body["status"] |= {"phase": "Succeeded", "completedAt": "2026-03-01T12:01:00Z"}
    return body


@pytest.fixture
def key(tmp_path: Path) -> Path:
    Signer.load(tmp_path / "signing.key", make=True)
    return tmp_path / "signing.key"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.db"
    migrate.upgrade(f"sqlite:///{path}")
    store = Archive(f"sqlite:///{path}")
    store.put(*(row_of(ended(f"e-{number}")) for number in range(1, 4)))
    store.close()
    return path


@pytest.fixture
def signed(archive: Path, key: Path) -> AuditHeadSpec:
    store = Archive(f"sqlite:///{archive}")
    head = sign_head(store, Signer.load(key), NOW)
    store.close()
    assert head is not None
    return head


def tamper(archive: Path, statement: str) -> None:
    with closing(sqlite3.connect(archive)) as database:
        database.execute(statement)
        database.commit()


def test_a_whole_record_is_verified_and_says_what_it_was_not_compared_with(archive: Path) -> None:
    text = run("audit", "verify", "--archive", str(archive))
    assert "3 executions, seq 1 to 3, head sha256:" in text
    assert "a rewrite of all would not show" in text
    assert text.strip().endswith("verified")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("content = replace(content, 'Approved', 'Planned')", "its journal is BROKEN at entry 2"),
        ("content = json_remove(content, '$.status.journal[3]')", "column head says"),
        ("content = json_set(content, '$.spec.requestedBy', 'mallory')", "its journal is BROKEN at entry 0"),
        ("content = json_remove(content, '$.status.journal')", "its journal is missing"),
        ("content = content || ' '", "its content is not what was archived"),
        ("phase = 'Failed'", "column phase says 'Failed', its content 'Succeeded'"),
        ("archived_at = '2020'", "its hash does not cover what stands beside it"),
        ("content = 'x'", "its content is no execution"),
    ],
)
def test_a_changed_record_is_found_and_located(archive: Path, change: str, said: str) -> None:
    tamper(archive, f"update executions set {change} where seq = 2")
    text = run("audit", "verify", "--archive", str(archive), code=1)
    assert said in text
    assert "WRONG seq 2 (e-2): " in text
    assert "verified" not in text.replace("chain verified", "")
    flaws = json.loads(run("audit", "verify", "--archive", str(archive), "-o", "json", code=1))["flaws"]
    assert {flaw["seq"] for flaw in flaws} == {2}


def test_heads_that_were_kept_are_compared(archive: Path, signed: AuditHeadSpec, tmp_path: Path) -> None:
    printed = json.dumps({"interlock": "audit-head", **signed.model_dump(mode="json", by_alias=True)})
    log = tmp_path / "operator.log"
    log.write_text(f"starting\n2026-03-01 {printed}\nstopping\n")
    forms = [signed.head, f"3:{signed.head}", printed, str(log)]
    for form in forms:
        text = run("audit", "verify", "--archive", str(archive), "--head", form)
        assert "would not show" not in text
    tamper(archive, "delete from executions where seq = 3")
    tamper(archive, "delete from signed_heads")
    run("audit", "verify", "--archive", str(archive))
    assert "no execution of the chain has the hash" in run(
        "audit", "verify", "--archive", str(archive), "--head", forms[0], code=1
    )
    for form in forms[1:]:
        text = run("audit", "verify", "--archive", str(archive), "--head", form, code=1)
        assert "WRONG seq 3: cut: seq 3 to 3 are missing" in text


def test_what_is_no_head_is_said(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("nothing\n")
    for wrong in ("sha256:1", str(tmp_path / "log"), "{}"):
        assert "--head" in run("audit", "verify", "--archive", str(archive), "--head", wrong, code=2)


def test_only_trusted_keys_count(archive: Path, signed: AuditHeadSpec) -> None:
    words = ("audit", "verify", "--archive", str(archive), "--key")
    run(*words, signed.key_id)
    assert "which is not trusted" in run(*words, f"ed25519:{'A' * 43}=", code=1)


def test_a_record_is_handed_out_line_by_line(archive: Path) -> None:
    lines = [json.loads(line) for line in run("audit", "export", "--archive", str(archive)).splitlines()]
    assert [line["record"]["seq"] for line in lines] == [1, 2, 3]
    line = lines[0]
    assert (line["asked"]["by"], line["asked"]["cause"]) == ("agents", "workload.crash.after-change")
    assert line["asked"]["citations"][0]["source"] == "log of web-3"
    assert [(d["by"], d["verdict"], d["ofThisPlan"]) for d in line["decisions"]] == [("bob", "Approve", True)]
    assert line["account"] == "system:serviceaccount:interlock-runners:rollback-deployment.shop"
    assert line["result"]["phase"] == "Succeeded"
    assert run("audit", "export", "--archive", str(archive), "--since", "2999") == ""


def test_a_backup_is_restored_into_a_new_archive(archive: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "backup.jsonl", tmp_path / "new" / "archive.db"
    assert "keep signing.key as well" in run("audit", "backup", str(file), "--archive", str(archive))
    assert "Name a new file" in run("audit", "backup", str(file), "--archive", str(archive), code=2)
    assert "3 executions restored" in run("audit", "restore", str(file), "--archive", str(new))
    assert "is not empty" in run("audit", "restore", str(file), "--archive", str(new), code=1)
    assert "verified" in run("audit", "verify", "--archive", str(new))


def test_the_owner_prunes_with_the_key(archive: Path, key: Path, signed: AuditHeadSpec) -> None:
    words = ("audit", "prune", "--archive", str(archive), "--key", str(key), "--yes", "--before")
    assert "is no day" in run(*words, "soon", code=2)
    assert "in the future" in run(*words, "2999-01-01", code=2)
    assert "0 executions removed" in run(*words, "2020-01-01")
    missing = ("audit", "prune", "--archive", str(archive), "--key", str(key) + "x", "--yes", "--before", "2020-01-01")
    assert "is no readable key" in run(*missing, code=1)
    assert "verified" in run("audit", "verify", "--archive", str(archive), "--head", f"3:{signed.head}")


def test_the_schema_goes_back_and_forth(archive: Path) -> None:
    assert "schema is 0001" in run("audit", "migrate", "--archive", str(archive), "--down", "0001")
    assert "interlock audit migrate" in run("audit", "verify", "--archive", str(archive), code=1)
    assert "schema is 0002" in run("audit", "migrate", "--archive", str(archive))
    assert "verified" in run("audit", "verify", "--archive", str(archive))
    assert "no revision 7" in run("audit", "migrate", "--archive", str(archive), "--down", "7", code=1)


def test_passwords_are_not_shown() -> None:
    text = run("audit", "verify", "--archive", "postgresql://u:hunter2@127.0.0.1:1/x", code=1)
    assert "cannot be used" in text
    assert "hunter2" not in text


def test_an_operator_does_not_start_on_an_archive_of_a_later_version(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper(archive, "update alembic_version set version_num = '9999'")
    cluster = {"server": "https://127.0.0.1:1"}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("INTERLOCK_OPERATOR_KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("INTERLOCK_OPERATOR_ARCHIVE_URL", f"sqlite:///{archive}")
    monkeypatch.setenv("INTERLOCK_OPERATOR_DATA_DIR", str(tmp_path / "data"))
    text = run("operator", "run", code=1)
    assert "schema 9999 is of a later version" in text
    assert "Traceback" not in text
