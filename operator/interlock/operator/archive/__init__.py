"""The archive: every finished execution, whole, before its object may go, in one hash chain."""

from interlock.operator.archive.errors import ArchiveError
from interlock.operator.archive.store import Archive, row_of
from interlock.operator.archive.tables import ArchivedExecution

__all__ = ["Archive", "ArchiveError", "ArchivedExecution", "row_of"]
