"""`python -m tests.cases.abroad DIR`: writes the second library as snapshots, for `interlock eval DIR`."""

import sys
from pathlib import Path

from tests.cases.abroad import names, write

for name, place in names():
    write(name, place, Path(sys.argv[1]) / f"{name}--{place}")
