"""The sixth library; importing it enters all its incidents."""

from tests.cases.field import calls, calm, config, later, nodes, placed, reached, rolled, stores
from tests.cases.field.library import INCIDENTS, lay_out, names

__all__ = [
    "INCIDENTS", "calls", "calm", "config", "later", "lay_out", "names", "nodes", "placed", "reached", "rolled", "stores",
]  # fmt: skip
