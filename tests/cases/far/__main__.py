"""`python -m tests.cases.far DIR`: writes the third library as snapshots, for `interlock eval DIR`."""

import sys
from pathlib import Path

from tests.cases.far import CASES, write

for name in CASES:
    write(name, Path(sys.argv[1]) / name)
