"""What holds for the repository as a whole."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\n") if name and (ROOT / name).is_file()]


def product_code() -> list[Path]:
    return [path for path in tracked("*.py") if "interlock" in path.relative_to(ROOT).parts]


def test_every_module_says_why_it_exists() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in product_code()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_only_settings_read_the_environment() -> None:
    reads = re.compile(r"os\.getenv|os\.environ(\.get\(|\[)(?!\"KUBECONFIG\")")  # kubectl's own, read as kubectl does
    readers = [str(path.relative_to(ROOT)) for path in product_code() if reads.search(path.read_text())]
    assert [reader for reader in readers if not reader.endswith("settings.py")] == []


def test_every_dependency_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    listed = [line for line in lines if re.match(r'    "[a-z0-9-]+(\[[a-z,]+\])?(>=|==|~=)', line)]
    assert listed
    assert [line for line in listed if "# " not in line] == []


def test_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (
        f"[{version}]" in (ROOT / "CHANGELOG.md").read_text() or "[Unreleased]" in (ROOT / "CHANGELOG.md").read_text()
    )


def targets() -> Iterator[tuple[str, str]]:
    for line in (ROOT / "Makefile").read_text().splitlines():
        if found := re.match(r"([a-z-]+):", line):
            yield found[1], line


@pytest.mark.parametrize("target", ["demo", "test", "check", "generate", "bench", "clean"])
def test_make_explains_its_targets(target: str) -> None:
    assert " ## " in dict(targets())[target]


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", link):
            yield link


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {link}"


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_pages_name_exist(page: Path) -> None:
    folders = "crds|operator|agents|runbooks|cli|lab|charts|tests|bench|docs|tools"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]*)`", page.read_text()))
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert missing == []


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_pages_name_exist(page: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
    named |= set(re.findall(r"^make ([a-z-]+)", page.read_text(), flags=re.MULTILINE))
    assert named <= {name for name, _ in targets()}
