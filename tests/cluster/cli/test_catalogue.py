"""A catalogue on a cluster: installed with what it is granted, upgraded by who agrees to what it may do more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.executions import Place, allowed
from tests.support.installation import API, RBAC
from tests.support.vetting import vetting
from typer.testing import CliRunner

from interlock.cli.attesting import write_lines
from interlock.cli.main import app
from interlock.crds.attestation import statement_of
from interlock.crds.names import RUNNERS_NAMESPACE
from interlock.crds.runbook import Runbook
from interlock.crds.signing import SigningKey

FAMILY = "try-catalogue"
GET: dict[str, Any] = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
Say = Callable[..., str]


def book(version: str, *permissions: dict[str, Any]) -> Runbook:
    spec = {
        "family": FAMILY,
        "version": version,
        "title": "Try",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": list(permissions),
        "steps": [{"name": "restart", "action": "rolloutRestart"}],
        "verification": {"checks": [{"name": "ready", "expression": "target.status.readyReplicas > 0"}]},
    }
    return Runbook.model_validate({"metadata": {"name": f"{FAMILY}-{version}"}, "spec": spec})


OLD, NEW = book("1.0.0", GET), book("1.1.0", GET, {**GET, "resources": ["replicasets"], "verbs": ["list"]})


def say(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.stdout + result.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Both versions as catalogues, signed with a key that the policy there trusts."""
    say("key", "new", str(tmp_path / "key.pem"))
    key = SigningKey.load((tmp_path / "key.pem").read_bytes())
    policy = {"keys": [{"name": "platform", "key": key.key_id}], "kubernetesMinors": 10}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    for runbook in (OLD, NEW):
        folder = tmp_path / runbook.spec.version
        folder.mkdir()
        body = runbook.model_dump(mode="json", by_alias=True, exclude_none=True)
        (folder / "runbook.yaml").write_text(yaml.safe_dump(body))
        write_lines(folder / "vetting.jsonl", [statement_of(runbook, vetting())])
        files = ("--vetting", str(folder / "vetting.jsonl"), "--out", str(folder / "signed"))
        say("runbook", "sign", str(folder / "runbook.yaml"), "--key", str(tmp_path / "key.pem"), *files)
        named = ("--name", "ours", "--version", runbook.spec.version, "--key", str(tmp_path / "key.pem"))
        made = ("--attestations", str(folder / "signed"), "--out", str(folder / "catalogue"))
        say("catalogue", "make", str(folder / "runbook.yaml"), *named, *made)
    return tmp_path


def test_it_is_installed_and_upgraded(shop: Place, desk: Path) -> None:
    admin = shop.installation.admin
    on = ("--kubeconfig", str(shop.installation.lab.kubeconfig), "--trust", str(desk / "policy.yaml"))
    old, new = (str(desk / runbook.spec.version / "catalogue") for runbook in (OLD, NEW))

    def state(runbook: Runbook) -> str:
        return str(admin.get(f"{API}/runbooks/{runbook.metadata.name}").body["spec"]["state"])

    def rules() -> int:
        path = f"{RBAC}/namespaces/{shop.namespace}/roles/interlock-runner.{FAMILY}"
        return len(admin.get(path).body["rules"])

    assert f"{OLD.metadata.name} is new" in say("catalogue", "diff", old, *on)
    assert "1 attestations added" in say("catalogue", "install", old, *on, "-n", shop.namespace)
    assert "0 attestations added" in say("catalogue", "install", old, *on, "-n", shop.namespace)
    account = f"/api/v1/namespaces/{RUNNERS_NAMESPACE}/serviceaccounts/{FAMILY}.{shop.namespace}"
    assert admin.get(account).ok
    assert "exactly so" in say("catalogue", "diff", old, *on)

    assert "other versions are there already" in say("catalogue", "install", new, *on, code=1)
    refused = say("catalogue", "upgrade", new, *on, "-n", shop.namespace, code=1)
    assert "+ may use list replicasets.apps" in refused
    assert f"{OLD.metadata.name} would be retired" in refused
    assert admin.get(f"{API}/runbooks/{NEW.metadata.name}").status == 404

    accept = ("catalogue", "upgrade", new, *on, "-n", shop.namespace, "--accept")
    waiting = shop.execution("Pending", runbook={"name": OLD.metadata.name, "digest": OLD.digest()})
    assert f"{waiting.name} is under way" in say(*accept, code=1)
    assert state(OLD) == "Active"
    allowed(waiting.move("Cancelled"))
    say(*accept)
    assert (state(OLD), state(NEW), rules()) == ("Retired", "Active", 2)


def test_what_the_operator_would_refuse_is_not_published(shop: Place, desk: Path) -> None:
    on = ("--kubeconfig", str(shop.installation.lab.kubeconfig), "--trust", str(desk / "strict.yaml"))
    strict = yaml.safe_load((desk / "policy.yaml").read_text()) | {"substrate": {"Low": "kubelet"}}
    (desk / "strict.yaml").write_text(yaml.safe_dump(strict))
    said = say("catalogue", "install", str(desk / NEW.spec.version / "catalogue"), *on, code=1)
    assert f"{NEW.metadata.name}: SubstrateTooWeak" in said
