"""The results as tables and as bars, for a terminal or a log."""

from collections.abc import Sequence

from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bench.figure import Counts, Figure, Result

BAR_WIDTH = 60


def show(console: Console, results: Sequence[Result]) -> None:
    """Prints the counts, the table of figures, and a plot of those that have a goal."""
    figures = [result for result in results if isinstance(result, Figure)]
    for result in results:
        if isinstance(result, Counts):
            console.print(_counts(result), "")
    console.print(_table(figures), "")
    if aimed := [figure for figure in figures if figure.goal is not None]:
        console.print(_plot(aimed))


def _table(figures: Sequence[Figure]) -> Table:
    """The figures side by side with their baselines."""
    result = Table(box=None, pad_edge=False)
    for column in ("measured", "value", "baseline", "against", "ratio", "goal"):
        result.add_column(column, justify="right" if column in {"value", "baseline", "ratio"} else "left")
    for figure in figures:
        value, baseline = (f"{number:.4g} {figure.unit}" for number in (figure.value, figure.baseline))
        result.add_row(figure.what, value, baseline, figure.against, f"{figure.ratio:.2f}", _verdict(figure))
    return result


def _verdict(figure: Figure) -> Text:
    if figure.goal is None:
        return Text("")
    reached = figure.goal.reached(figure.ratio)
    return Text(f"{figure.goal} {'reached' if reached else 'missed'}", style="green" if reached else "red")


def _counts(counts: Counts) -> Table:
    result = Table(box=None, pad_edge=False, title=counts.title, title_justify="left")
    result.add_column("")
    for column in counts.columns:
        result.add_column(column, justify="right")
    for name, numbers in counts.rows:
        result.add_row(name, *(f"{number:.2f}" if number else "" for number in numbers))
    return result


def _plot(figures: Sequence[Figure]) -> Table:
    """Each ratio as a share of its goal; the mark at the end of the scale's first half is the goal itself."""
    result = Table(box=None, pad_edge=False, title="ratio / goal: the goal stands at |", title_justify="left")
    for column in ("", "", "ratio"):
        result.add_column(column, justify="right" if column else "left")
    for figure in figures:
        result.add_row(figure.what, _bar(figure), f"{figure.ratio:.2f}")
    return result


def _bar(figure: Figure) -> RenderableType:
    goal = figure.goal
    aim = (goal.at_least if goal.at_least is not None else goal.at_most) if goal else None
    share = min(figure.ratio / aim, 2.0) if aim else 0.0
    colour = "green" if goal and goal.reached(figure.ratio) else "red"
    half = BAR_WIDTH // 2
    drawn = Table.grid()
    drawn.add_row(
        Bar(half, 0, min(share, 1.0) * half, width=half, color=colour),
        Text("|"),
        Bar(half, 0, max(share - 1.0, 0.0) * half, width=half, color=colour),
    )
    return drawn
