"""Compiles the lab's tools, showing how far it is.

With `--real-nodes` those of real nodes, too, where this machine allows them; else it says why it does not.
"""

import argparse
import sys
from collections.abc import Sequence

from interlock.lab import LabError
from interlock.lab.nodes import real_nodes_possible
from interlock.lab.tools import CONTROL_PLANE, MONITORING, ensure_helm, ensure_node_tools, ensure_tools


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when the tools are there."""
    parser = argparse.ArgumentParser(prog="python -m tools.lab_tools", description=__doc__)
    parser.add_argument("--real-nodes", action="store_true", help="kubelet and containerd, too")
    options = parser.parse_args(arguments)
    try:
        ensure_tools((*CONTROL_PLANE, *MONITORING), _say)
        ensure_helm(_say)
        if options.real_nodes and (reason := real_nodes_possible()) is not None:
            _say(f"no real nodes here: {reason}")
        elif options.real_nodes:
            ensure_node_tools(_say)
    except LabError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
