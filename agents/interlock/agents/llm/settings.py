"""Which model is asked, when, and what it may cost. Part of the agents' settings, which alone read the environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

Count = Annotated[int, Field(ge=1, le=10_000_000_000)]


class Limits(BaseModel):
    """What may be spent; whatever a limit counts, a call that could pass it is not made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: Count = Field(description="Calls, those that failed included.")
    tokens: Count = Field(description="Tokens in and out.")
    seconds: Annotated[float, Field(gt=0)] = Field(description="Seconds that calls take, added up.")
    cost: Annotated[float, Field(gt=0)] = Field(description="Money, in the currency of the prices.")


class ModelSettings(BaseModel):
    """The model, and its budget; `provider` none is to go without."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["none", "openai", "azure", "anthropic"] = Field(
        default="none", description="none, or whose API is spoken; openai also for compatible and local servers."
    )
    name: str = Field(default="", description="The model, or Azure's deployment of it.")
    endpoint: str | None = Field(default=None, description="URL of the API; Azure's needs one, others have their own.")
    api_version: str = Field(default="2024-10-21", description="Version of Azure's API.")
    key_file: Path | None = Field(default=None, description="File that holds the API key, read at each consultation.")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=0.0, description="Sent with each call; null for models that take none."
    )
    answer_tokens: Annotated[int, Field(ge=64, le=32_768)] = Field(
        default=800, description="Tokens that one answer may have."
    )
    answer_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="How OpenAI-compatible servers call that limit."
    )
    when: Literal["unclear", "always"] = Field(
        default="unclear", description="unclear: where no analyzer is sure; always: also as a second opinion."
    )
    sure_enough: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.9, description="Confidence of the analyzers from which a model is not asked, unless always."
    )
    max_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.8,
        description="Confidence that a model's judgment has at most; below MIN_CONFIDENCE it cures nothing.",
    )
    call_timeout: Annotated[float, Field(gt=0, le=600)] = Field(
        default=60.0, description="Seconds that one call may take."
    )
    retry_after: Annotated[float, Field(ge=0, le=60)] = Field(
        default=2.0, description="Seconds until a call that failed in passing is made a second and last time."
    )
    per_incident: Limits = Field(
        default=Limits(calls=10, tokens=30_000, seconds=300, cost=1), description="What one incident may cost."
    )
    per_hour: Limits = Field(
        default=Limits(calls=300, tokens=900_000, seconds=9000, cost=30), description="What an hour may cost."
    )
    input_price: NonNegativeFloat = Field(default=0.0, description="Money for a million tokens in.")
    output_price: NonNegativeFloat = Field(default=0.0, description="Money for a million tokens out.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider != "none" and not self.name:
            raise ValueError("a provider needs the name of a model")
        if self.provider == "azure" and self.endpoint is None:
            raise ValueError("azure needs an endpoint")
        return self

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """What these tokens cost."""
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1_000_000
