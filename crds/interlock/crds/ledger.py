"""Ledger: what the limits rest on, kept where a restart loses nothing: who holds what now, and what was used up when.

One Ledger per namespace, named `ns.<namespace>`, and one that all share, named `shared`, all in the system namespace.
A namespace is in one shard's hands: shards never compete for its Ledger, and one that moves to another shard takes its
Ledger along. The shared one is written only for the sake of limits that reach beyond a namespace. Only the operator
writes them; every write is conditional on the version that it rests on.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from interlock.crds.runbook import Risk
from interlock.crds.types import API_VERSION, LINE_PATTERN, Digest, Model, Name, Subdomain, Time, Uid, User

MAX_HOLDS = 128
MAX_COUNTS = 1024
MAX_RECORDS = 256

SHARED_LEDGER = "shared"


def ledger_of(namespace: str) -> str:
    """The name of a namespace's Ledger."""
    return f"ns.{namespace}"


TargetName = Annotated[str, StringConstraints(max_length=450, pattern=LINE_PATTERN)]
Amount = Annotated[int, Field(ge=0, le=10**6)]


class Claim(Model):
    """What an execution takes when it starts."""

    uid: Uid = Field(description="The execution's identity.")
    execution: Subdomain = Field(description="Its name.")
    namespace: Name = Field(description="Its namespace.")
    target: TargetName = Field(description="Its target, as Kind.group/name: one execution at a time.")
    family: Name = Field(description="The family of its runbook.")
    risk: Risk = Field(description="The risk of its runbook.")
    requester: User = Field(description="Who asked for it.")
    digest: Digest = Field(description="The digest of its runbook.")
    replicas: Amount = Field(default=0, description="Replicas that it touches.")
    nodes: Amount = Field(default=0, description="Nodes that it touches.")


class Hold(Claim):
    """What an execution has taken and not given back."""

    at: Time = Field(description="The minute in which it was taken.")
    shared: bool = Field(default=False, description="Whether it holds something in the shared Ledger as well.")


What = Literal["Started", "Succeeded", "Failed", "Ended"]


class Count(Model):
    """How often something happened in one minute. What a Ledger does not need to tell apart is left empty."""

    at: Time = Field(description="The beginning of the minute; the latest, where a crowded Ledger holds a longer time.")
    what: What = Field(description="What happened; Ended is neither a success nor a failure.")
    namespace: Annotated[str, StringConstraints(max_length=63)] = Field(default="", description="Namespace.")
    family: Name = Field(description="Family of the runbook.")
    risk: Risk = Field(description="Risk of the runbook.")
    target: TargetName = Field(default="", description="Target.")
    requester: Annotated[str, StringConstraints(max_length=253)] = Field(default="", description="Who asked.")
    times: Annotated[int, Field(ge=1, le=10**6)] = Field(default=1, description="How often.")


class Success(Model):
    """Verified successes of one digest on one day; a failure of the digest takes all of them away."""

    digest: Digest = Field(description="The digest of the runbook.")
    day: Time = Field(description="The beginning of the day, in UTC.")
    times: Annotated[int, Field(ge=1, le=10**6)] = Field(default=1, description="How often.")


class LedgerSpec(Model):
    """What is held, and what was used."""

    holds: Annotated[list[Hold], Field(max_length=MAX_HOLDS)] = Field(
        default=[], description="Executions that have started and not ended."
    )
    counts: Annotated[list[Count], Field(max_length=MAX_COUNTS)] = Field(
        default=[], description="Starts and ends, until no limit's window reaches back to them."
    )
    record: Annotated[list[Success], Field(max_length=MAX_RECORDS)] = Field(
        default=[], description="Track records of digests, until they are too old for any guardrail."
    )


class Ledger(Model):
    """A Ledger and the version under which it was read."""

    name: Subdomain
    version: str
    spec: LedgerSpec

    @classmethod
    def from_object(cls, body: Mapping[str, Any]) -> Self:
        """A Ledger from what the API server returns.

        Raises:
            pydantic.ValidationError: the object is not a valid Ledger of this version.
        """
        meta = body["metadata"]
        return cls(name=meta["name"], version=meta["resourceVersion"], spec=LedgerSpec.model_validate(body["spec"]))


def new_ledger(name: str, namespace: str, spec: LedgerSpec) -> dict[str, Any]:
    """The object to create."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Ledger",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
