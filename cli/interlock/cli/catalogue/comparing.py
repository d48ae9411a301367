"""What a catalogue would change on a cluster: per family the version that is there, the new one, and their powers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.cli.cluster import Cluster, runbooks_path
from interlock.cli.runbooks import parsed
from interlock.crds.runbook import Runbook, RunbookStatus
from interlock.runbooks.upgrade import PowerChange, grows, power_changes


@dataclass(frozen=True)
class There:
    """A runbook of the cluster that is not retired, and what it has earned."""

    runbook: Runbook
    successes: int = 0


@dataclass(frozen=True)
class Difference:
    """One runbook of the catalogue against the cluster."""

    new: Runbook
    old: There | None
    """The newest version of its family that is there; None: the family is new."""
    changes: tuple[PowerChange, ...]

    @property
    def same(self) -> bool:
        """Whether exactly this is there already."""
        return self.old is not None and self.old.runbook.digest() == self.new.digest()

    @property
    def grows(self) -> bool:
        """Whether it may do what its family could not do before."""
        return grows(self.changes)

    def lines(self) -> list[str]:
        """For a person who decides."""
        if self.same:
            return []
        was = f"{self.old.runbook.metadata.name} becomes " if self.old else ""
        lost = self.old.successes if self.old else 0
        head = f"{was}{self.new.metadata.name}" + ("" if self.old else " is new")
        earned = [f"  ! {lost} verified successes of the old digest count no longer: it must earn autonomy anew"]
        return [head, *(f"  {change}" for change in self.changes), *(earned if lost else [])]


def there(cluster: Cluster) -> list[There]:
    """The runbooks of a cluster that are not retired; raises CommandError."""
    bodies = cluster.items(runbooks_path())
    found = [(parsed(body), RunbookStatus.model_validate(body.get("status") or {})) for body in bodies]
    return [
        There(runbook, status.track_record.successes if status.track_record else 0)
        for runbook, status in found
        if runbook.spec.state == "Active"
    ]


def differences(runbooks: Iterable[Runbook], on_cluster: Sequence[There]) -> list[Difference]:
    """Each runbook of a catalogue against the newest one of its family, or against itself where it is there."""
    return [
        _difference(new, [old for old in on_cluster if old.runbook.spec.family == new.spec.family]) for new in runbooks
    ]


def _difference(new: Runbook, versions: Sequence[There]) -> Difference:
    same = [old for old in versions if old.runbook.metadata.name == new.metadata.name]
    old = max(same or versions, key=lambda version: _place(version.runbook), default=None)
    return Difference(new, old, tuple(power_changes(old.runbook if old else None, new)))


def _place(runbook: Runbook) -> tuple[int, ...]:
    return tuple(int(number) for number in runbook.spec.version.split("."))


def replaced(found: Iterable[Difference], on_cluster: Iterable[There]) -> list[Runbook]:
    """Versions that are there and not in the catalogue, of families that are."""
    names = {difference.new.metadata.name for difference in found}
    families = {difference.new.spec.family for difference in found}
    return [
        old.runbook
        for old in on_cluster
        if old.runbook.spec.family in families and old.runbook.metadata.name not in names
    ]
