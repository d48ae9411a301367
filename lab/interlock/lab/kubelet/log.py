"""What a program wrote so far: computed from its run when somebody asks, so that nothing is kept that nobody reads."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.lab.kubelet.history import Run

LINE_SECONDS = 0.04
KEPT_CHATTER = 2000

Line = tuple[float, str]


@dataclass(frozen=True)
class LogOptions:
    """What `kubectl logs` can ask for."""

    tail: int | None = None
    limit_bytes: int | None = None
    since: float | None = None
    """Only lines at or after this moment (seconds since the epoch)."""
    timestamps: bool = False


def lines(run: Run, now: float) -> list[Line]:
    """All lines of a run up to now, oldest first."""
    end = min(now, run.finished) if run.finished is not None else now
    said = [*_from_start(run), *_chatter(run, end), *_last_words(run)]
    return sorted((line for line in said if line[0] <= end), key=lambda line: line[0])


def render(written: Sequence[Line], options: LogOptions) -> bytes:
    """The lines in the form that was asked for."""
    chosen = [line for line in written if options.since is None or line[0] >= options.since]
    if options.tail is not None:
        chosen = chosen[len(chosen) - min(options.tail, len(chosen)) :]
    text = "".join(f"{_stamp(moment) if options.timestamps else ''}{line}\n" for moment, line in chosen)
    return text.encode()[: options.limit_bytes]


def _from_start(run: Run) -> Iterator[Line]:
    for number, text in enumerate(run.log, start=1):
        yield run.started + number * LINE_SECONDS, text


def _chatter(run: Run, end: float) -> Iterator[Line]:
    if not run.chatter:
        return
    count = int((end - run.started) / run.chatter_every)
    for number in range(max(1, count - KEPT_CHATTER), count + 1):
        yield run.started + number * run.chatter_every, run.chatter[number % len(run.chatter)]


def _last_words(run: Run) -> Iterator[Line]:
    if run.ending is None:
        return
    end = run.started + run.ending.after
    for number, text in enumerate(reversed(run.ending.log)):
        yield end - number * LINE_SECONDS / 2, text


def _stamp(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z ")
