"""`python -m tests.cases DIR`: writes the library as snapshots, for `interlock eval DIR`."""

import sys
from pathlib import Path

from tests.cases import cases

for case in cases():
    case.write(Path(sys.argv[1]) / case.name)
