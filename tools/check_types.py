"""Runs mypy and fails when it judged fewer files than there are: a typo in its `files` would pass unseen."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def expected_files(root: Path) -> int:
    """How many Python files lie in the folders that pyproject.toml gives to mypy."""
    folders: list[str] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    return sum(1 for folder in folders for _ in (root / folder).rglob("*.py"))


def checked_files(output: str) -> int:
    """How many files mypy says that it judged."""
    said = re.search(r"(?:no issues found in|checked) (\d+) source files?", output)
    return int(said[1]) if said else 0


def main() -> int:
    """The exit code: mypy's, or 1 if it skipped files."""
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    expected, checked = expected_files(ROOT), checked_files(done.stdout)
    if checked != expected:
        sys.stderr.write(f"mypy judged {checked} of {expected} files: see [tool.mypy] files in pyproject.toml\n")
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
