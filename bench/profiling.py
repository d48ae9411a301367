"""Which functions an operator's time goes into: samples of the thread that holds the interpreter, by py-spy."""

import re
import shutil
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figure import Counts

TOP = 20
_LINE = re.compile(r":\d+\)$")


@contextmanager
def sampled(pid: int, seconds: float, into: Path) -> Iterator[None]:
    """Samples a process while the block runs, at most for so many seconds; needs the right to trace it."""
    program = shutil.which("py-spy", path=sysconfig.get_path("scripts")) or "py-spy"
    duration = f"--duration={seconds:.0f}"
    command = [program, "record", f"--pid={pid}", duration, "--rate=200", "--gil", "--format=raw", f"--output={into}"]
    with into.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.wait(timeout=seconds + 60)


def functions(samples: Path) -> Iterator[Counts]:
    """The functions in which most time is spent, by themselves and with what they call, in percent."""
    alone: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for line in samples.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        alone[frames[-1]] += int(count)
        inclusive.update(dict.fromkeys(frames, int(count)))
    total = alone.total() or 1
    for title, counter in (("by itself", alone), ("with what it calls", inclusive)):
        rows = [(name, [count / total * 100]) for name, count in counter.most_common(TOP)]
        yield Counts(f"operator's time {title}, % of the samples", ["%"], rows)
