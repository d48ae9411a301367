"""The second library; importing it enters all its mechanisms."""

from tests.cases.abroad import ground, later, pods, settings, ways
from tests.cases.abroad.library import KINDS, names, split_of, write

__all__ = ["KINDS", "ground", "later", "names", "pods", "settings", "split_of", "ways", "write"]
