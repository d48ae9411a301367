"""Where a whole namespace is seen: a directory of files, or a cluster that was surveyed. Both say the same words.

What was not collected is None, what was collected and is not there is an empty list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from interlock.agents.cluster import Json

DOCUMENTS = frozenset({"log-patterns", "alerts", "connectivity", "service-dependencies", "changes"})
FOLDERS = frozenset({"metrics", "node-services", "manifests"})


@dataclass(frozen=True)
class RunLog:
    """What one run of a container wrote."""

    namespace: str
    pod: str
    container: str
    previous: bool
    text: str
    where: str


class Source(Protocol):
    """Objects, logs and documents as they were at one time."""

    @property
    def collected_at(self) -> datetime:
        """When it was; ages count back from here."""

    @property
    def namespace(self) -> str | None:
        """The incident's namespace; None when it is not said."""

    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of which anything was seen."""

    def plurals(self, namespace: str | None) -> tuple[str, ...]:
        """The kinds that were collected in a namespace, cluster-scoped ones where it is None."""

    def objects(self, plural: str, namespace: str | None) -> list[Json] | None:
        """The objects of one kind, cluster-scoped ones where `namespace` is None; None when not collected."""

    def where(self, plural: str, namespace: str | None) -> str:
        """Where these objects stand, for citations."""

    def logs(self, namespace: str, pod: str) -> Sequence[RunLog]:
        """The logs of one pod's containers."""

    def document(self, name: str) -> JsonValue:
        """A document by its name, such as `alerts`; None when not collected."""

    def documents(self, folder: str) -> dict[str, JsonValue]:
        """All documents of a folder, such as `metrics`, by name."""
