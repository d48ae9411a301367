"""The fourth library; importing it enters all its incidents."""

from tests.cases.foreign import later, machines, rooms, starts, works
from tests.cases.foreign.library import INCIDENTS, names, split_of, write

__all__ = ["INCIDENTS", "later", "machines", "names", "rooms", "split_of", "starts", "works", "write"]
