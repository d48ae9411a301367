"""`python -m tests.cases.foreign DIR`: writes the fourth library as snapshots, for `interlock eval DIR`."""

import sys
from pathlib import Path

from tests.cases.foreign import names, write

for name in names():
    write(name, Path(sys.argv[1]) / name)
