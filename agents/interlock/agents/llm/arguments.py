"""The arguments of the tools that models may call: small, typed, and unable to name what is not the incident's.

There is no namespace, no runbook, no parameter, no approval and no command among them.
"""

from typing import Annotated, Literal, Self, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints

from interlock.agents.llm.exchange import clean
from interlock.agents.payload import printable
from interlock.crds.causes import CAUSES, FAMILIES
from interlock.crds.redact import redact_text

ReadableKind = Literal[
    "Pod",
    "Service",
    "Endpoints",
    "ConfigMap",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "Ingress",
    "ResourceQuota",
    "LimitRange",
    "Node",
    "PersistentVolume",
    "StorageClass",
]
"""Kinds that may be read live; of ConfigMaps the names of their keys."""

LONGEST_SUMMARY = 400
MOST_CITATIONS = 6

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
ItemId = Annotated[str, StringConstraints(pattern=r"^[EWHM][0-9]{1,4}$")]
Said = Annotated[str, AfterValidator(lambda text: printable(redact_text(text), LONGEST_SUMMARY))]
Question = Annotated[str, AfterValidator(lambda text: printable(redact_text(text), 300))]
Excerpt = Annotated[
    str, StringConstraints(max_length=300), BeforeValidator(lambda e: clean(e) if isinstance(e, str) else e)
]


def _vocabulary(cause: str) -> str:
    if cause != "unknown" and cause not in CAUSES and cause not in FAMILIES:
        raise ValueError('is not in the vocabulary of causes; "unknown" where none fits')
    return cause


class Arguments(BaseModel):
    """Arguments of one tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def schema_for_models(cls) -> dict[str, JsonValue]:
        """The JSON schema that a model is shown."""
        schema = cls.model_json_schema()
        return cast(dict[str, JsonValue], _inlined(schema, schema.get("$defs", {})))

    @classmethod
    def read(cls, text: str) -> Self:
        """The arguments in a call; raises pydantic's ValidationError."""
        return cls.model_validate_json(text)


class Citation(Arguments):
    """A piece of evidence by its id, with the words that tell."""

    id: ItemId
    excerpt: Excerpt = ""


Citations = Annotated[tuple[Citation, ...], Field(max_length=MOST_CITATIONS)]


class Delegate(Arguments):
    """Questions for the specialists."""

    analysis: Question = ""
    kubectl: Question = ""


class Conclude(Arguments):
    """What On-Call thinks is wrong."""

    cause: Annotated[str, AfterValidator(_vocabulary)]
    kind: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{1,62}$")]
    name: Name
    confidence: Annotated[float, Field(ge=0, le=1)]
    citations: Citations
    summary: Said


class Observation(Arguments):
    """One thing that was seen."""

    statement: Said
    citations: Annotated[Citations, Field(min_length=1)]


class Report(Arguments):
    """What a specialist observed."""

    observations: Annotated[tuple[Observation, ...], Field(max_length=5)]


class SearchEvidence(Arguments):
    """Finds lines."""

    text: Annotated[str, StringConstraints(min_length=2, max_length=100)]


class ReadEvidence(Arguments):
    """Shows a part of one item."""

    id: ItemId
    offset: Annotated[int, Field(ge=0, le=100_000)] = 0


class ListObjects(Arguments):
    """Lists objects of one kind."""

    kind: ReadableKind


class GetObject(Arguments):
    """Reads one object."""

    kind: ReadableKind
    name: Name


class ListEvents(Arguments):
    """Reads the events about one object."""

    name: Name


class ReadLog(Arguments):
    """Reads the end of a log."""

    pod: Name
    container: Name
    previous: bool = False


ARGUMENTS: dict[str, type[Arguments]] = {
    "delegate": Delegate,
    "conclude": Conclude,
    "report": Report,
    "search_evidence": SearchEvidence,
    "read_evidence": ReadEvidence,
    "list_objects": ListObjects,
    "get_object": GetObject,
    "list_events": ListEvents,
    "read_log": ReadLog,
}
"""By the tool's name."""


def _inlined(schema: JsonValue, definitions: dict[str, JsonValue]) -> JsonValue:
    """Without titles and references, which not every server understands."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return _inlined(definitions[reference.rpartition("/")[2]], definitions)
        kept = {k: v for k, v in schema.items() if k != "$defs" and not (k == "title" and isinstance(v, str))}
        return {key: _inlined(value, definitions) for key, value in kept.items()}
    return [_inlined(one, definitions) for one in schema] if isinstance(schema, list) else schema
