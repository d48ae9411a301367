"""Which programs a lab has, as far as that can be told without compiling any."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from interlock.cli import running
from interlock.crds.manifests import chart
from interlock.lab import LabError, lab_up
from interlock.lab.settings import NEWEST_KUBERNETES, OLDEST_KUBERNETES
from interlock.lab.tools import CONTROL_PLANE, build


@pytest.fixture(autouse=True)
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of being compiled, each program becomes the version that its module says."""

    def write(_: Path, tools: Sequence[build.Tool], module: build._Module, folder: Path, __: object) -> None:
        for tool in tools:
            (folder / tool.name).write_text(module.version)

    monkeypatch.setenv("INTERLOCK_CACHE", str(tmp_path))
    monkeypatch.setattr(build, "_build_all", write)
    monkeypatch.setattr(build, "install_toolchain", lambda *_: tmp_path)


def test_an_older_kubernetes_brings_its_own_programs_and_shares_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = build.ensure_tools(CONTROL_PLANE)
    monkeypatch.setenv("INTERLOCK_LAB_KUBERNETES", OLDEST_KUBERNETES)
    oldest = build.ensure_tools(CONTROL_PLANE)
    assert oldest == build.ensure_tools(CONTROL_PLANE), "nothing is missing the second time"
    told = {path.name: path.read_text() for path in oldest.iterdir()}
    versions = {name: build.VERSIONS[OLDEST_KUBERNETES if "kube" in name else NEWEST_KUBERNETES] for name in told}
    assert told == versions
    assert set(told) == set(CONTROL_PLANE)
    assert (oldest / "etcd").samefile(newest / "etcd")
    assert build.ensure_tools(CONTROL_PLANE, kubernetes=NEWEST_KUBERNETES) == newest


@pytest.mark.parametrize(("minor", "version"), build.VERSIONS.items())
def test_a_version_is_that_of_its_go_modules(minor: str, version: str) -> None:
    folder = build.OLDEST_MODULE if minor == OLDEST_KUBERNETES else build.MODULE
    pinned = (folder / "go.mod").read_text().split()
    assert version.startswith(f"v{minor}.")
    assert pinned[pinned.index("k8s.io/kubernetes") + 1] == version
    staged = pinned.index("k8s.io/apiserver")
    assert pinned[staged + 1 : staged + 4] == ["=>", "k8s.io/apiserver", f"v0{version.removeprefix('v1')}"]


def test_the_oldest_kubernetes_of_a_lab_is_the_oldest_that_charts_and_doctor_take() -> None:
    assert ".".join(map(str, running.OLDEST_KUBERNETES)) == OLDEST_KUBERNETES
    for name in ("install", "crds"):
        assert f'kubeVersion: ">= {OLDEST_KUBERNETES}.0-0"' in (chart(name) / "Chart.yaml").read_text()


def test_real_nodes_do_not_join_an_older_kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.lab.lab.demand_real_nodes", lambda _: None)
    with pytest.raises(LabError, match=r"real nodes are of Kubernetes 1\.36 and cannot join 1\.32"):
        lab_up(tmp_path / "lab", real_nodes=1, kubernetes=OLDEST_KUBERNETES)
