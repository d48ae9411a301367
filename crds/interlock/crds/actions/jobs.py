"""The action that creates a Job: a program of the platform's choice, by digest and with no more rights than none."""

import re
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from interlock.crds.actions.base import FROM_YAML, Arguments
from interlock.crds.actions.workloads import Resource
from interlock.crds.quantity import quantity
from interlock.crds.redact import is_secret_name, looks_secret
from interlock.crds.types import PROSE_PATTERN

_Word = Annotated[str, StringConstraints(max_length=1024, pattern=PROSE_PATTERN)]
_BY_DIGEST = r"^[a-z0-9][-._:/a-z0-9]*(:[-._A-Za-z0-9]+)?@sha256:[a-f0-9]{64}$"
_Variable = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class CreateJob(Arguments):
    """Runs a program to its end, in a pod of its own without any rights."""

    summary = "Creates a Job and waits until it has completed; the end of its log is kept."
    example = """
name: rebuild-index
action: createJob
with:
  image: registry.example/tools/reindex@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  args: "[--shard, '${parameters.shard}']"
  env: "{LOG_LEVEL: info}"
timeoutSeconds: 900
"""
    notes = (
        "The Job is named after step and execution, so that it is created once. It runs as no root, without privileges,"
        " capabilities or a token of the API server, without Secrets and with no volume but what the image holds. Its"
        " deadline is the step's timeout. A Job that failed is not run again by Resume: amend the execution."
    )
    effect = "create"
    yields = ("job", "logs")
    image: Annotated[str, StringConstraints(max_length=512, pattern=_BY_DIGEST)] = Field(
        description="The image by digest: <name>@sha256:<64 hexadecimal digits>."
    )
    command: Annotated[list[_Word], FROM_YAML] = Field(
        default=[], max_length=16, description="Command, as a YAML list; without it the image's own."
    )
    args: Annotated[list[_Word], FROM_YAML] = Field(default=[], max_length=32, description="Arguments, as a YAML list.")
    env: Annotated[dict[str, _Word], FROM_YAML] = Field(
        default={}, max_length=16, description="Variables, as a YAML mapping; no secrets."
    )
    requests: Annotated[dict[Resource, str], FROM_YAML] = Field(
        default={"cpu": "50m", "memory": "64Mi"}, description="Quantities, as a YAML mapping."
    )
    limits: Annotated[dict[Resource, str], FROM_YAML] = Field(
        default={"memory": "256Mi"}, description="Quantities, as a YAML mapping."
    )
    retries: Annotated[int, Field(ge=0, le=3)] = Field(
        default=0, description="How often a failed pod is replaced (backoffLimit)."
    )
    keep_seconds: Annotated[int, Field(ge=60, le=604800)] = Field(
        default=86400, description="How long the finished Job is kept (ttlSecondsAfterFinished)."
    )

    @field_validator("requests", "limits")
    @classmethod
    def _are_quantities(cls, amounts: dict[Resource, str]) -> dict[Resource, str]:
        for resource, amount in amounts.items():
            if quantity(amount) <= 0:
                raise ValueError(f"{resource} of {amount} is nothing")
        return amounts

    @field_validator("env")
    @classmethod
    def _holds_no_secret(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not _Variable.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a variable")
            if is_secret_name(name) or looks_secret(value):
                raise ValueError(f"{name} looks like a secret; a Job of a runbook gets none")
        return env


class RecreateJob(Arguments):
    """Runs the target, a Job that has ended, once more: a Job cannot be changed."""

    summary = "Creates a copy of the target, a Job that has ended, and waits until it has completed."
    example = """
name: again
action: recreateJob
timeoutSeconds: 3600
"""
    notes = (
        "The copy is named after the Job and the execution; its annotation interlock.dev/copy-of says whose it is. It"
        " gets no token of the API server, which lets no family but recreate-job create it, and refuses one with"
        " Secrets, another account, privileges or access to its host. Its deadline is the step's timeout."
    )
    effect = "create"
    yields = ("job", "logs")
