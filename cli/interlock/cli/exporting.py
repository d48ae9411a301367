"""`interlock incident export --as-case`: what was kept of an incident, as files that diagnosis is scored on."""

import json
from pathlib import Path

from interlock.agents.evaluate import EXPECTED
from interlock.agents.evidence.snapshot import SnapshotError
from interlock.agents.export import KeptCase, kept_case
from interlock.agents.kept import as_source, left_out
from interlock.cli.diagnose import answered
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.screen import fields, say
from interlock.cli.snapshot import write

_TO_FILL_IN: dict[str, object] = {
    "mechanism": "",
    "flavour": "fault",
    "split": "held-out",
    "causes": None,
    "object": None,
    "cures": [],
}
MOST_NAMED = 5


def export_case(database_url: str, identifier: str, folder: Path) -> None:
    """Writes the incident's kept evidence and what is expected of it, and says what is missing.

    Raises:
        UsageError: the directory is there already.
        CommandError: nothing was seen of it.
        IncidentNotFoundError: there is none of this identifier.
        StoreUnavailableError: the database cannot be read.
    """
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"--as-case: {folder} is there already", "Name a directory that does not exist.")
    case = kept_case(database_url, identifier)
    if not case.evidence.of("target"):
        raise CommandError(f"{identifier}: nothing of {case.evidence.target} was kept", "It makes no case.")
    count = write(as_source(case.evidence), folder)
    expected = _TO_FILL_IN if case.expected is None else case.expected.model_dump(mode="json")
    (folder / EXPECTED).write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8")
    say(f"{count + 1} files in {folder}")
    fields(_told(case, folder))


def _told(case: KeptCase, folder: Path) -> list[tuple[str, object]]:
    missing = left_out(case.evidence)
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    if case.expected is None:
        answer = f"not confirmed: {case.why}. Fill in causes and object in {folder / EXPECTED}"
    else:
        answer = f"{case.expected.causes[0]} on {case.expected.object.kind} {case.expected.object.name} ({case.why})"
    return [
        ("expected", answer),
        ("left out", f"{', '.join(missing[:MOST_NAMED])}{more}" if missing else ""),
        ("diagnosed", _diagnosed(folder)),
        ("next", f"interlock eval {folder.absolute().parent}"),
    ]


def _diagnosed(folder: Path) -> str:
    """What the files alone are taken for, so that nobody trusts a case that lost what told."""
    try:
        found = answered(folder)[0]["hypotheses"]
    except SnapshotError as wrong:
        raise CommandError(str(wrong), wrong.way_out) from wrong
    if not found:
        return "not sure"
    where = found[0]["object"]
    return f"{found[0]['cause']} on {where['kind']} {where['name']} ({found[0]['confidence']:.2f})"
