"""The tables of consultations: what was asked of models, what they answered, what it cost."""

from sqlmodel import Field

from interlock.agents.tables import Table


class ConsultationRow(Table, table=True):
    """One consultation about an incident, with all that it was given and what it came to."""

    __tablename__ = "consultations"

    incident_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    opened_at: str
    closed_at: str | None = None
    question: str
    """Digest of what the analyzers said; the same question is not asked twice."""
    model: str
    prompts: str
    digests: str
    given: str
    """Evidence and diagnosis that it began with."""
    outcome: str = ""


class ExchangeRow(Table, table=True):
    """One call of a model, written before it is made: what it may cost counts from then on."""

    __tablename__ = "model_exchanges"

    id: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(index=True)
    consultation: int
    agent: str
    digest: str
    state: str
    """asked, answered, failed; refused when a limit forbade it."""
    at: str = Field(index=True)
    request: str
    answer: str = ""
    message: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0


class ToolCallRow(Table, table=True):
    """One call of a tool by a model, with its answer and the piece of evidence that it brought."""

    __tablename__ = "model_tool_calls"

    incident_id: str = Field(primary_key=True)
    consultation: int = Field(primary_key=True)
    agent: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    name: str
    arguments: str
    result: str
    item: str = ""
