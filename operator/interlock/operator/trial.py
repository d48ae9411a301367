"""What vetting changes about an operator that it starts. No setting leads here: an installation's has none of it.

Its time is shorter, it takes the verification of chosen executions for failed, so that their undo can be seen, and it
says when something has become durable, which is when a crash is worth trying.
"""

from collections.abc import Callable
from dataclasses import dataclass

from interlock.crds.execution import RunbookExecution


@dataclass(frozen=True)
class Trial:
    """The difference to an operator in earnest."""

    time_scale: float = 1
    """By what `holdForSeconds` and the durations in expressions are multiplied."""
    refutes: Callable[[RunbookExecution], bool] = lambda _: False
    """Whose verification counts as failed at the moment at which it would have passed."""
    durable: Callable[[str], None] = lambda point: None
    """Called after each write of a status and after each effect, with what has become durable: the same words for the
    same again."""
    heard: Callable[[str, str, str, int], None] = lambda account, method, url, code: None
    """Called with each request of a runner as it is sent, with 0, and with the status of its answer, 0 where there is
    none: who dies in between has said what it may have done."""


IN_EARNEST = Trial()
