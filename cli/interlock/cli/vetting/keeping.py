"""What vettings on this machine found, kept by digest: a lab of one's own need not try again what it tried before.

Nobody else believes this: an attestation takes a key, and a key has to be trusted.
"""

from pathlib import Path

from pydantic import ValidationError

from interlock.crds.attestation import Statement
from interlock.crds.runbook import Runbook
from interlock.lab.settings import LabSettings


def keep(statement: Statement) -> None:
    """Keeps what was found of a runbook, in the place of what was found before."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{statement.subject[0].digest.sha256}.new"
    fresh.write_text(statement.model_dump_json(by_alias=True), encoding="utf-8")
    fresh.rename(fresh.with_suffix(".json"))


def kept(runbook: Runbook) -> Statement | None:
    """What was found of exactly this runbook when it passed last; None where it was not tried, or failed since."""
    path = _folder() / f"{runbook.digest().removeprefix('sha256:')}.json"
    try:
        found = Statement.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # an older version wrote otherwise: try it again
        return None
    return found if found.is_about(runbook) and found.predicate.passed else None


def _folder() -> Path:
    return LabSettings().cache / "vettings"
