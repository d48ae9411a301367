"""An incident as a case of a library: what was seen of it, and the answer that was proven right.

Only what was cured proves a cause: a runbook for it was asked for, the operator verified that it helped, and nothing
came after. What anybody merely believed is left for a person to judge, who would otherwise score rules by themselves.
"""

from collections.abc import Iterable

from sqlmodel import select

from interlock.agents.evaluate import Expectation, ObjectName
from interlock.agents.evidence import Evidence
from interlock.agents.model import Record
from interlock.agents.reading import asked_for, known, reading
from interlock.agents.rows import target_of, to_evidence
from interlock.agents.tables import EvidenceRow, ExecutionRow, IncidentRow
from interlock.agents.wire import load

_CURED = frozenset({"watching", "resolved"})


class KeptCase(Record):
    """What was seen of an incident, and what must be found in it."""

    evidence: Evidence
    expected: Expectation | None
    """None where nothing confirms a cause."""
    why: str
    """What confirms the expectation, or why nothing does."""


def kept_case(database_url: str, incident_id: str) -> KeptCase:
    """The incident's last look as a case.

    Raises:
        IncidentNotFoundError: there is none of this identifier.
        StoreUnavailableError: the database cannot be read.
    """
    with reading(database_url) as session:
        row = known(session, incident_id)
        seen = session.exec(select(EvidenceRow).where(EvidenceRow.incident_id == incident_id)).all()
        expected, why = _confirmed(row, asked_for(session, incident_id))
        return KeptCase(evidence=to_evidence(target_of(row), seen), expected=expected, why=why)


def _confirmed(row: IncidentRow, asked: Iterable[ExecutionRow]) -> tuple[Expectation | None, str]:
    cures = [e for e in asked if e.phase == "Succeeded" and not e.handover]
    if not cures:
        return None, "no runbook cured it"
    spec = load(cures[-1].body)["spec"]
    said = f"{cures[-1].runbook} succeeded"
    if row.state not in _CURED:
        return None, f"{said}, but the incident is {row.state}: {row.reason}"
    if spec["reason"]["cause"] != row.verdict:
        return None, f"{said} for {spec['reason']['cause']}, and the kept evidence is of a later look: {row.verdict}"
    return (
        Expectation(
            mechanism=row.verdict,
            causes=(row.verdict,),
            object=ObjectName(kind=spec["target"]["kind"], name=spec["target"]["name"]),
            cures=(cures[-1].runbook.rpartition("-")[0],),
        ),
        f"{said} for {row.verdict}, verified by the operator",
    )
