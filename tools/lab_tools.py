"""Compiles the lab's tools, showing how far it is; with `--ready` only says whether that is done already."""

import argparse
import sys
from collections.abc import Sequence

from interlock.lab import LabError
from interlock.lab.tools import CONTROL_PLANE, MONITORING, ensure_helm, ensure_tools


class _NotReady(Exception):
    """There is something to compile."""


def _refuse(_: str) -> None:
    raise _NotReady


def _say(line: str) -> None:
    print(line, flush=True)


def ready() -> bool:
    """Whether all tools are compiled: only then has the lab nothing to report."""
    try:
        ensure_tools((*CONTROL_PLANE, *MONITORING), _refuse)
        ensure_helm(_refuse)
    except (_NotReady, LabError):
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when the tools are there."""
    parser = argparse.ArgumentParser(prog="python -m tools.lab_tools", description=__doc__)
    parser.add_argument("--ready", action="store_true", help="compile nothing, fail when something is missing")
    options = parser.parse_args(arguments)
    if options.ready:
        return 0 if ready() else 1
    try:
        ensure_tools((*CONTROL_PLANE, *MONITORING), _say)
        ensure_helm(_say)
    except LabError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
