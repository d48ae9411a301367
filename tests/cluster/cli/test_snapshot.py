"""`interlock snapshot` on a real API server: what its caller may see and no more, and never a secret value."""

import base64
import json
from pathlib import Path

from tests.cluster.cli.conftest import Run
from tests.support.executions import Place

VALUE = "correct-horse-battery"


def test_a_snapshot_holds_what_its_taker_may_see_and_no_secret(shop: Place, interlock: Run, tmp_path: Path) -> None:
    admin, inside = shop.installation.admin, f"/api/v1/namespaces/{shop.namespace}"
    encoded = base64.b64encode(VALUE.encode()).decode()
    applied = json.dumps({"kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": VALUE}})
    notes = {"kubectl.kubernetes.io/last-applied-configuration": applied}
    secret = {"metadata": {"name": "login", "annotations": notes}, "data": {"password": encoded}}
    assert admin.post(f"{inside}/secrets", secret).status == 201
    ports = [{"port": 80}]
    assert admin.post(f"{inside}/services", {"metadata": {"name": "web"}, "spec": {"ports": ports}}).status == 201

    done = interlock("admin", "snapshot", shop.namespace, "--out", str(tmp_path / "all"))
    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / f"all/{shop.namespace}/secrets.json").read_text())["items"]
    assert {item["metadata"]["name"]: item.get("data") for item in kept}["login"] == {"password": ""}
    written = "".join(file.read_text() for file in (tmp_path / "all").rglob("*") if file.is_file())
    assert VALUE not in written
    assert encoded not in written
    assert (tmp_path / f"all/{shop.namespace}/services.json").stat().st_mode & 0o077 == 0
    judged = interlock("admin", "diagnose", str(tmp_path / "all"), "-o", "json")
    assert judged.returncode == 0, judged.stderr
    assert set(json.loads(judged.stdout)) == {"hypotheses", "proposal"}

    shop.installation.bind("erin", "view", shop.namespace)
    done = interlock("erin", "snapshot", shop.namespace, "--out", str(tmp_path / "some"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"some/{shop.namespace}/services.json").exists()
    assert not (tmp_path / f"some/{shop.namespace}/secrets.json").exists()
    assert not (tmp_path / "some/nodes.json").exists()
    assert "secrets" in done.stderr
    again = interlock("admin", "snapshot", shop.namespace, "--out", str(tmp_path / "all"))
    assert again.returncode == 2
    assert "not empty" in again.stderr
