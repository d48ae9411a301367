"""`make bench`: all measurements, or those named in ARGS, as one table."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console
from rich.table import Table

from bench import costs, writes
from bench.figure import Figure

MEASUREMENTS: Mapping[str, Callable[[], Iterator[Figure]]] = {"costs": costs.figures, "writes": writes.figures}


def table(figures: list[Figure]) -> Table:
    """The figures side by side with their baselines."""
    result = Table(box=None, pad_edge=False)
    for column in ("measured", "value", "baseline", "against", "ratio", "wanted"):
        result.add_column(column, justify="right" if column in {"value", "baseline", "ratio"} else "left")
    for figure in figures:
        value, baseline = (f"{number:.4g} {figure.unit}" for number in (figure.value, figure.baseline))
        result.add_row(figure.what, value, baseline, figure.against, f"{figure.ratio:.2f}", figure.wanted)
    return result


def main() -> int:
    """Prints the table; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MEASUREMENTS)}; all by default")
    names = parser.parse_args().names or list(MEASUREMENTS)
    if unknown := set(names) - set(MEASUREMENTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        figures += MEASUREMENTS[name]()
    Console(width=140 if not sys.stdout.isatty() else None).print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
