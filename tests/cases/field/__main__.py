"""`python -m tests.cases.field DIR`: writes the sixth library as snapshots, for `interlock eval DIR`."""

import sys
from pathlib import Path

from tests.cases.field import lay_out, names

for name in names():
    lay_out(name, Path(sys.argv[1]) / name)
