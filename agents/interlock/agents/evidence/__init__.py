"""Evidence: what was seen, when, where, and what could not be seen. Collected here, judged in `analyzers`."""

from interlock.agents.evidence.model import Evidence, Item, Missing

__all__ = ["Evidence", "Item", "Missing"]
