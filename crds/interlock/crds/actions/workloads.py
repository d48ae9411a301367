"""Actions on a workload: how many pods, which image, which resources, and its rollout."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from interlock.crds.actions.base import FROM_YAML, OnObject
from interlock.crds.quantity import quantity
from interlock.crds.types import Name

Resource = Literal["cpu", "memory", "ephemeral-storage"]
IMAGE_PATTERN = (
    r"^[a-z0-9]+([-._:a-z0-9]*[a-z0-9])?(/[a-z0-9]+([-._a-z0-9]*[a-z0-9])?)*"
    r"(:[A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?(@sha256:[a-f0-9]{64})?$"
)


class Scale(OnObject):
    """Sets the number of replicas."""

    summary = "Sets spec.replicas of a workload."
    example = """
name: scale
action: scale
with:
  replicas: ${parameters.replicas}
"""
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(description="The new number of replicas.")


class RolloutUndo(OnObject):
    """Puts a workload back to the pod template of an existing revision, or one part of it."""

    summary = "Puts a workload's pod template, or one part of it, back to that of an existing revision."
    example = """
name: roll-back
action: rolloutUndo
"""
    notes = (
        "Revisions are the ReplicaSets of a Deployment, the ControllerRevisions of a StatefulSet or DaemonSet. Which"
        " claims a volume has may be changed only by families that the API server's policy lists."
    )
    to_revision: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="The revision; 0 for the last one before the current in which this differs."
    )
    part: Literal["template", "probes", "claims"] = Field(
        default="template",
        description="What is put back: the whole template, the probes of `container`, or the claims of its volumes.",
    )
    container: Name | None = Field(default=None, description="Whose probes; it must exist in both revisions.")

    @model_validator(mode="after")
    def _probes_of_one(self) -> Self:
        if (self.part == "probes") != (self.container is not None):
            raise ValueError("container and part: probes belong together")
        return self


class RolloutRestart(OnObject):
    """Replaces a workload's pods by its own rollout strategy."""

    summary = "Starts a rollout with an unchanged template, as kubectl rollout restart does."
    example = """
name: restart
action: rolloutRestart
"""
    notes = "The time that it writes is that of the plan. Its undo is one more rollout."


class RolloutPause(OnObject):
    """Keeps a Deployment from rolling out changes of its template."""

    summary = "Pauses a Deployment: changes of its template are not rolled out until it is resumed."
    example = """
name: pause
action: rolloutPause
"""


class RolloutResume(OnObject):
    """Lets a paused Deployment roll out again."""

    summary = "Resumes a paused Deployment; what was changed meanwhile is rolled out."
    example = """
name: resume
action: rolloutResume
"""


class SetImage(OnObject):
    """Changes the image of one container."""

    summary = "Sets the image of one container of a workload."
    example = """
name: to-the-last-good-image
action: setImage
with:
  container: web
  image: registry.example/shop/web@sha256:${parameters.digest}
"""
    container: Name = Field(description="Name of the container; it must exist, init containers included.")
    image: Annotated[str, StringConstraints(max_length=512, pattern=IMAGE_PATTERN)] = Field(
        description="The image with a tag or, better, a digest."
    )

    @field_validator("image")
    @classmethod
    def _says_which(cls, image: str) -> str:
        if "@" not in image and ":" not in image.rpartition("/")[2]:
            raise ValueError("names neither a tag nor a digest")
        return image


class SetResources(OnObject):
    """Changes requests and limits of one container."""

    summary = "Sets requests and limits of one container of a workload."
    example = """
name: more-memory
action: setResources
with:
  container: web
  requests: "{memory: 256Mi}"
  limits: "{memory: 512Mi, cpu: null}"
"""
    container: Name = Field(description="Name of the container; it must exist, init containers included.")
    requests: Annotated[dict[Resource, str | None], FROM_YAML] = Field(
        default={}, description="Quantities, as a YAML mapping; null removes one."
    )
    limits: Annotated[dict[Resource, str | None], FROM_YAML] = Field(
        default={}, description="Quantities, as a YAML mapping; null removes one."
    )

    @field_validator("requests", "limits")
    @classmethod
    def _are_quantities(cls, amounts: dict[Resource, str | None]) -> dict[Resource, str | None]:
        for resource, amount in amounts.items():
            if amount is not None and quantity(amount) < 0:
                raise ValueError(f"{resource} of {amount} is less than nothing")
        return amounts

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.requests and not self.limits:
            raise ValueError("needs requests or limits")
        for resource, amount in self.requests.items():
            limit = self.limits.get(resource)
            if amount is not None and limit is not None and quantity(amount) > quantity(limit):
                raise ValueError(f"{resource}: the request of {amount} is above the limit of {limit}")
        return self
