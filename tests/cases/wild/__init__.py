"""The fifth library; importing it enters all its incidents."""

from tests.cases.wild import dumped, fresh, mixed, partly, quiet, signalled
from tests.cases.wild.library import INCIDENTS, lay_out, names

__all__ = ["INCIDENTS", "dumped", "fresh", "lay_out", "mixed", "names", "partly", "quiet", "signalled"]
