"""What the worker hears of models, without loading what speaks to them."""

from typing import Protocol

from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.model import Record


class Advice(Record):
    """What the worker goes on with."""

    evidence: Evidence
    diagnosis: Diagnosis
    doubt: str = ""
    """What a person has to decide before anything is cured; empty where nothing is."""
    told: str = ""
    """What is new about it and worth a note; empty when no model was asked just now."""


class Adviser(Protocol):
    """Whoever may be asked about an incident."""

    async def advise(self, incident: str, evidence: Evidence, diagnosis: Diagnosis) -> Advice:
        """The diagnosis with a judgment in it, or as it was where none is wanted or to be had.

        Raises:
            StoreUnavailableError: nothing was decided; what was answered until then is kept.
        """
