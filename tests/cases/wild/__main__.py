"""`python -m tests.cases.wild DIR`: writes the fifth library as snapshots, for `interlock eval DIR`."""

import sys
from pathlib import Path

from tests.cases.wild import lay_out, names

for name in names():
    lay_out(name, Path(sys.argv[1]) / name)
