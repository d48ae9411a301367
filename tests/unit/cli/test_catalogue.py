"""A catalogue is one signed whole, however it is kept; what differs from its index in any part is refused."""

import json
from pathlib import Path

import pytest
import yaml
from tests.support.vetting import vetting
from tests.unit.cli.test_commands import run

from interlock.cli.attesting import write_lines
from interlock.cli.catalogue.comparing import There, differences, replaced
from interlock.cli.catalogue.content import opened
from interlock.cli.catalogue.files import INDEX
from interlock.cli.errors import CommandError
from interlock.crds.attestation import statement_of
from interlock.crds.runbook import Runbook
from interlock.crds.signing import SigningKey
from interlock.crds.trust import TrustedKey, TrustPolicy
from interlock.runbooks.loading import load_catalogue
from interlock.runbooks.rbac import grants

FORMS = ("folder", "configmap", "oci")
BOOKS = {item.runbook.spec.family: item.runbook for item in load_catalogue()}
RESTART = BOOKS["restart-deployment"]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A key, a policy that trusts it, and an attested restart-deployment and escalate as catalogues of each form."""
    run("key", "new", str(tmp_path / "key.pem"))
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(trusting(tmp_path).model_dump(by_alias=True)))
    write_lines(tmp_path / "vetting.jsonl", [statement_of(RESTART, vetting())])
    files = {"--vetting": "vetting.jsonl", "--key": "key.pem", "--out": "signed.jsonl"}
    options = [str(word) for option, name in files.items() for word in (option, tmp_path / name)]
    run("runbook", "sign", "restart-deployment", *options)
    for form in FORMS:
        make(tmp_path, form, "restart-deployment", "escalate")
    return tmp_path


def make(desk: Path, form: str, *runbooks: str, out: str = "", code: int = 0) -> str:
    files = ("--attestations", str(desk / "signed.jsonl"), "--key", str(desk / "key.pem"))
    named = ("--name", "ours", "--version", "1.0.0", "--form", form, "--out", str(desk / (out or form)))
    return run("catalogue", "make", *runbooks, *files, *named, code=code)


def trusting(desk: Path) -> TrustPolicy:
    key = SigningKey.load((desk / "key.pem").read_bytes())
    return TrustPolicy(keys=[TrustedKey(name="platform", key=key.key_id)])


def test_it_is_the_same_however_it_is_kept(desk: Path) -> None:
    found = [opened(desk / form, trusting(desk)) for form in FORMS]
    names = [RESTART.metadata.name, BOOKS["escalate"].metadata.name]
    for catalogue in found:
        assert sorted(runbook.metadata.name for runbook in catalogue.runbooks) == sorted(names)
        assert {runbook.digest() for runbook in catalogue.runbooks} == {RESTART.digest(), BOOKS["escalate"].digest()}
        assert [len(runbook.spec.attestations) for runbook in catalogue.runbooks] == [0, 1]
    assert "never overwritten" in make(desk, "folder", "escalate", code=1)
    assert "version" in run(
        *("catalogue", "make", "escalate", "--name", "ours", "--version", "one"),
        *("--key", str(desk / "key.pem"), "--out", str(desk / "other")),
        code=2,
    )


def test_what_is_not_as_it_was_signed_is_refused(desk: Path) -> None:
    file, index = desk / "folder" / f"{RESTART.metadata.name}.yaml", desk / "folder" / INDEX
    written, signed = file.read_text(), index.read_bytes()

    def refused(words: str, policy: TrustPolicy | None = None) -> None:
        with pytest.raises(CommandError, match=words):
            opened(desk / "folder", policy or trusting(desk))
        file.write_text(written)
        index.write_bytes(signed)

    file.write_text(written.replace("Low", "High").replace("Medium", "High"))
    refused("the signed index says")
    file.unlink()
    refused(f"differ in {RESTART.metadata.name}")
    index.write_bytes(signed.replace(b'"payload":"e', b'"payload":"f'))
    refused("did not sign")
    index.write_bytes(signed + b"\n")
    refused("canonical form")
    index.unlink()
    refused(f"no {INDEX}")
    refused("not among the trusted keys", TrustPolicy())
    key_id = trusting(desk).keys[0].key
    refused("is revoked", trusting(desk).model_copy(update={"revoked_keys": [key_id]}))
    (desk / "folder" / "more.yaml").write_text("a: b")
    refused("differ in more.yaml")


def test_a_blob_is_what_its_name_says(desk: Path) -> None:
    for blob in (desk / "oci" / "blobs" / "sha256").iterdir():
        content = blob.read_bytes()
        blob.write_bytes(content + b" ")
        if content != b"{}":
            with pytest.raises(CommandError, match="not what its name says"):
                opened(desk / "oci", trusting(desk))
        blob.write_bytes(content)
    layout = desk / "oci" / "index.json"
    described = json.loads(layout.read_text())
    described["manifests"][0]["digest"] = "sha256:../../../../etc/passwd"
    layout.write_text(json.dumps(described))
    with pytest.raises(CommandError, match="is no digest"):
        opened(desk / "oci", trusting(desk))


def test_for_git_it_is_rendered_with_attestations_and_what_it_is_granted(desk: Path) -> None:
    text = run("catalogue", "render", str(desk / "configmap"), "--trust", str(desk / "policy.yaml"), "-n", "shop")
    escalate, restart, *granted = list(yaml.safe_load_all(text))
    assert escalate["metadata"]["name"] == BOOKS["escalate"].metadata.name
    assert Runbook.from_object(restart).digest() == restart["spec"]["digest"] == RESTART.digest()
    assert len(restart["spec"]["attestations"]) == 1
    assert granted == grants(RESTART, ["shop"])


def test_an_upgrade_tells_what_changes_and_that_nothing_is_inherited() -> None:
    wider = later(RESTART, version="1.1.0", approval={"quorum": 2}, allowedPaths=["/spec/**"])
    on_cluster = [There(RESTART, successes=7), There(BOOKS["escalate"])]
    [change, same] = differences([wider, BOOKS["escalate"]], on_cluster)
    lines = change.lines()
    assert lines[0] == f"{RESTART.metadata.name} becomes {wider.metadata.name}"
    assert "  + may write /spec/**" in lines
    assert "  - approvals 1 become 2" in lines
    assert lines[-1] == "  ! 7 verified successes of the old digest count no longer: it must earn autonomy anew"
    assert change.grows
    assert same.same
    assert same.lines() == []
    assert replaced([change, same], on_cluster) == [RESTART]


def test_it_is_compared_with_the_newest_version_that_is_there() -> None:
    nine, ten = later(RESTART, version="1.9.0"), later(RESTART, version="1.10.0")
    newest = later(RESTART, version="2.0.0")
    [change] = differences([newest], [There(ten), There(nine)])
    assert change.old is not None
    assert change.old.runbook == ten
    [new] = differences([newest], [])
    assert new.lines()[0] == f"{newest.metadata.name} is new"


def later(runbook: Runbook, **changes: object) -> Runbook:
    spec = {**runbook.model_dump(by_alias=True, exclude_none=True)["spec"], **changes}
    return Runbook.model_validate({"metadata": {"name": f"{spec['family']}-{spec['version']}"}, "spec": spec})
