"""What an analyzer says: a cause, the object that must be changed to mend it, how sure it is, and why."""

from typing import Annotated, Literal

from pydantic import Field

from interlock.agents.model import ObjectRef, Record
from interlock.crds.causes import Cause

Confidence = Annotated[float, Field(ge=0, le=1)]
Introduced = Literal["yes", "no", "unknown"]
"""Whether the current revision brought the fault, so that going back would take it away."""


class Quote(Record):
    """The telling part of one piece of evidence."""

    id: str
    excerpt: str = ""


class Finding(Record):
    """One hypothesis of one analyzer."""

    cause: Cause
    object: ObjectRef
    confidence: Confidence
    summary: str
    quotes: tuple[Quote, ...]
    introduced: Introduced = "unknown"
    role: Literal["root", "symptom"] = "root"
    """A symptom counts only where no root explains it."""
    against: tuple[str, ...] = ()
    """What speaks against it, and was already weighed."""
