"""A new runbook to begin from: small, and vetted as it is. The files beside this one are its template."""

from pathlib import Path

FOLDER = Path(__file__).parent
_FILES = ("runbook.yaml", "README.md", "scenarios/scaled-to-zero.yaml", "scenarios/runs.yaml")


def begin(family: str, folder: Path) -> list[Path]:
    """Writes the files of a new runbook into a folder, which is made, and returns them.

    Raises:
        FileExistsError: there is something under that name already; nothing was written.
    """
    folder.mkdir(parents=True)
    written = []
    for name in _FILES:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text((FOLDER / name).read_text(encoding="utf-8").replace("FAMILY", family), encoding="utf-8")
        written.append(file)
    return written
