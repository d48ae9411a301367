"""What a consultation begins with and what it comes to, as it is kept."""

from typing import Self

from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence, Item
from interlock.agents.llm.opinion import UNKNOWN, Opinion
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.tables import ConsultationRow
from interlock.agents.llm.transcript import Key
from interlock.agents.model import Record
from interlock.crds.redact import redact_object

_SENT = {"name", "temperature", "answer_tokens", "answer_tokens_field"}


class Given(Record):
    """What a consultation begins with."""

    evidence: Evidence
    diagnosis: Diagnosis

    def redacted(self) -> Self:
        """The same without secrets, whoever collected it."""
        return type(self).model_validate(redact_object(self.model_dump(mode="json")))


class Outcome(Record):
    """What a consultation came to: an opinion, or why there is none."""

    opinion: Opinion | None = None
    why: str = ""
    items: tuple[Item, ...] = ()
    """Evidence that was read on the way."""

    @property
    def told(self) -> str:
        """In one line."""
        if self.opinion is None:
            return f"no model's judgment: {self.why}"
        if self.opinion.cause == UNKNOWN:
            return f"a model is not sure: {self.opinion.summary}"
        return f"a model says {self.opinion.cause} on {self.opinion.object} ({self.opinion.confidence:.2f})"


def sent_settings(settings: ModelSettings) -> str:
    """The settings that questions depend on, as a consultation keeps them."""
    return settings.model_dump_json(include=_SENT)


def key_of(row: ConsultationRow) -> Key:
    """The consultation of a row."""
    return Key(incident=row.incident_id, number=row.number)
