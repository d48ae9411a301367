"""The image that is built without Docker: what its own digests say, and that it runs with nothing else there."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from tests.support.image import Opened
from tools.images import ROOT, USER, build, version
from tools.oci import Image, layer, write

from interlock.crds.manifests import chart

pytestmark = pytest.mark.xdist_group("image")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("operator", tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def image(archive: Path) -> Opened:
    return Opened(archive)


def test_every_blob_is_what_its_digest_says(image: Opened) -> None:
    assert image.reference["annotations"] == {"org.opencontainers.image.ref.name": f"interlock/operator:{version()}"}
    assert image.config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in image.layers]
    assert len(image.files) == 2 + 2 + len(image.layers), "and there is nothing else in it"


def test_it_does_not_run_as_root_and_the_chart_runs_it_as_the_same(image: Opened) -> None:
    assert image.config["config"]["User"] == USER
    names = (chart("install") / "templates" / "_names.tpl").read_text()
    assert f"runAsUser: {USER.partition(':')[0]}" in names
    assert "tag | default .root.Chart.AppVersion" in names
    assert f"appVersion: {version()}\n" in (chart("install") / "Chart.yaml").read_text()


KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


def test_the_operator_starts_with_nothing_but_the_image(image: Opened, tmp_path: Path) -> None:
    """It migrates its archive, answers on its health port, and only then misses the API server."""
    root, run = tmp_path / "root", image.config["config"]
    image.unpack(root)
    (root / "kubeconfig").write_text(KUBECONFIG)
    environment = image.environment
    places = {"KUBECONFIG": "/kubeconfig", "DATA_DIR": "/var/lib/interlock", "HEALTH_PORT": "0"}
    command = [*run["Entrypoint"], "operator", "run"]
    if os.geteuid() == 0:
        uid, _, gid = run["User"].partition(":")
        command = ["chroot", f"--userspec={uid}:{gid}", str(root), *command]
    else:  # without the right to change the root, at least with no other packages than its own
        environment["PYTHONPATH"] = ":".join(str(root) + place for place in environment["PYTHONPATH"].split(":"))
        places = {name: place if name == "HEALTH_PORT" else str(root) + place for name, place in places.items()}
    environment |= {f"INTERLOCK_OPERATOR_{name}": place for name, place in places.items()}
    environment["PATH"] = os.environ["PATH"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = []
        for line in running.stderr:
            lines.append(line)
            if "health and metrics on port" in line:
                break
        running.terminate()
        assert "health and metrics on port" in lines[-1], "".join(lines)


def test_the_sbom_names_what_is_inside(archive: Path, image: Opened) -> None:
    text = archive.with_name("interlock-operator.cdx.json").read_bytes()
    sbom = json.loads(text)
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "interlock")
    listed = {re.sub(r"[-_.]+", "-", c["name"]).lower(): c["version"] for c in sbom["components"]}
    inside = {}
    for content in image.layers:
        for name in re.findall(rb"packages/([\w.]+)-([\w.+]+)\.dist-info/METADATA", content):
            inside[re.sub(r"[-_.]+", "-", name[0].decode()).lower()] = name[1].decode()
    assert len(inside) > 20
    assert {name: listed.get(name) for name in inside} == inside


def test_the_same_content_is_the_same_image(tmp_path: Path) -> None:
    digests = set()
    for moment in (1, 2):
        source = tmp_path / "file"
        source.write_text("content")
        os.utime(source, (moment, moment))
        made = layer([(source, PurePosixPath("/opt/file"))], folders=("/tmp",))
        image = Image([made], ("/opt/file",), {}, USER, "amd64")
        digests.add(write(image, "x:1", tmp_path / f"{moment}.tar"))
    assert len(digests) == 1
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


@pytest.mark.parametrize(
    ("base", "ok"), [(f"python:3.13@sha256:{'a' * 64}", True), ("python:3.13", False), ("python@sha256:aa", False)]
)
def test_the_dockerfile_takes_a_base_by_its_digest_only(base: str, ok: bool) -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^ARG PYTHON_IMAGE(.*)$", text, re.MULTILINE) == ["", ""], "there is no default"
    (check,) = re.findall(r"^RUN (case .*?esac)$", text, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["/bin/sh", "-c", check.replace("\\\n", "\n")], env={"PYTHON_IMAGE": base}, check=False)
    assert (done.returncode == 0) is ok


def test_the_dockerfile_uses_the_same_uv_and_copies_what_the_wheel_is_built_from() -> None:
    pinned = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"uv=={pinned[1]}\n" in (ROOT / "Dockerfile").read_text()
    copied = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
    assert {"charts", "runbooks", "pyproject.toml", "uv.lock"} <= copied
