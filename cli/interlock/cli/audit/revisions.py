"""Whether a rollback went to a revision that existed, by what the API server's audit log says of ReplicaSets.

The Deployment controller makes a ReplicaSet for a template that has none. So one that is made after the rollback to it
was not there before, and neither was one that had been deleted.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

_Place = tuple[str, str]


class Revisions:
    """Hears of ReplicaSets and of rollbacks, in the order of the log."""

    def __init__(self) -> None:
        self._history: dict[_Place, list[tuple[datetime, str]]] = defaultdict(list)
        self._rollbacks: list[tuple[str, _Place, datetime]] = []

    def heard(self, namespace: str, name: str, verb: str, at: str) -> None:
        """A ReplicaSet was created or deleted."""
        self._history[namespace, name].append((datetime.fromisoformat(at), verb))

    def rolled_back(self, uid: str, namespace: str, name: str, at: str) -> None:
        """An execution put a Deployment back to the template of a ReplicaSet."""
        self._rollbacks.append((uid, (namespace, name), datetime.fromisoformat(at)))

    def missing(self) -> Iterator[tuple[str, str]]:
        """Of each rollback to what did not exist: the execution, and what shows it."""
        for uid, place, at in self._rollbacks:
            before = [verb for when, verb in self._history[place] if when < at]
            after = [verb for when, verb in self._history[place] if when >= at]
            what = f"a rollback to a revision that did not exist: ReplicaSet {'/'.join(place)}"
            if before[-1:] == ["delete"]:
                yield (
                    uid,
                    f"{what} had been deleted before {at.isoformat()}",
                )
            elif not before and after[:1] == ["create"]:
                yield uid, f"{what} was made after {at.isoformat()}"
