"""`make bench`: all measurements, or those named in ARGS, as tables and a plot."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console

from bench import bystanders, costs, growth, intake, ledger, stops, throughput, writes
from bench.figure import Result
from bench.loop import Rhythm
from bench.options import FULL_FINISHED, FULL_UNFINISHED, Options
from bench.show import show
from bench.stand import Stand, stand

ALONE: Mapping[str, Callable[[], Iterator[Result]]] = {"costs": costs.figures, "intake": intake.figures}
ON_A_LAB: Mapping[str, Callable[[Stand, Options], Iterator[Result]]] = {
    "writes": writes.results,
    "ledger": ledger.results,
    "bystanders": bystanders.results,
    "stops": stops.results,
    "throughput": throughput.results,
    "unfinished": growth.unfinished,
    "finished": growth.finished,
}


def main() -> int:
    """Prints the results; the exit status."""
    names, options = _asked()
    results: list[Result] = []
    for name in names:
        say(f"measuring {name}")
        if name in ALONE:
            results += ALONE[name]()
        else:
            with stand(say) as ground:  # a lab of its own: what one measurement leaves behind slows no other
                results += ON_A_LAB[name](ground, options)
    show(Console(width=150 if not sys.stdout.isatty() else None), results)
    return 0


def say(line: str) -> None:
    """Tells how far it is, beside the results."""
    print(line, file=sys.stderr, flush=True)


def _asked() -> tuple[list[str], Options]:
    every = [*ALONE, *ON_A_LAB]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(every)}; all by default")
    parser.add_argument("--full", action="store_true", help="10,000 unfinished and 100,000 finished executions: hours")
    parser.add_argument("--argo", action="store_true", help="build Argo's workflow-controller and compare with it")
    parser.add_argument("--profile", action="store_true", help="show which functions the operator's time goes into")
    parser.add_argument("--unfinished", type=_sizes, help="how many wait for an approval, such as 100,1000")
    parser.add_argument("--finished", type=_sizes, help="how many have ended, such as 0,10000")
    parser.add_argument("--seconds", type=float, help="how long each rate is measured")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(every):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    default = Options()
    return asked.names or every, Options(
        rhythm=Rhythm(seconds=asked.seconds or default.rhythm.seconds),
        unfinished=asked.unfinished or (FULL_UNFINISHED if asked.full else default.unfinished),
        finished=asked.finished or (FULL_FINISHED if asked.full else default.finished),
        argo=asked.argo,
        profile=asked.profile,
    )


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
