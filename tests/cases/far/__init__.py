"""The third library; importing it enters all its incidents."""

from tests.cases.far import brokers, gates, later, links, load, paths, quiet, stores, ways
from tests.cases.far.told import CASES, write

__all__ = ["CASES", "brokers", "gates", "later", "links", "load", "paths", "quiet", "stores", "ways", "write"]
