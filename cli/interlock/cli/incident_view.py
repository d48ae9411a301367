"""One incident for whoever is woken by it: the first screen says what is broken, why, and what to do; the rest follows.

All of it was said by alerts, clusters and models, so every line is made safe and cut to a narrow terminal's width.
"""

from collections.abc import Iterator

from interlock.agents.incidents import ExecutionView, HypothesisView, IncidentDetail
from interlock.cli.screen import fields, say, table
from interlock.cli.spans import age
from interlock.cli.text import safe, short

WIDTH = 80
MOST_CITED = 2
_WORDS = ((0.95, "almost certain"), (0.75, "likely"), (0.5, "possible"), (0.0, "a guess"))
_WAITS = frozenset({"Pending", "AwaitingApproval"})
"""Phases in which a person looks at the plan rather than at what was done."""


def show_first(found: IncidentDetail) -> None:
    """What is broken, why it is believed, and what is asked for or looked at next: at most 24 lines."""
    say(short(f"{found.id}: {found.title}", WIDTH), "bold")
    firing = sum(1 for alert in found.alerts if alert.status == "firing")
    _narrow(
        ("broken", str(found.target)),
        ("since", f"{found.opened_at:%Y-%m-%d %H:%M:%S} ({age(str(found.opened_at))})"),
        ("severity", f"{found.severity or 'not said'}, {firing} of {len(found.alerts)} alerts firing"),
        ("state", found.state),
        ("because", found.reason),
    )
    say("\nWhy", "bold")
    _why(found)
    asked = found.executions[-1] if found.executions else None
    if asked is not None:
        say("\nAsked of a person" if asked.handover else "\nProposed", "bold")
        _asked(asked)
    if found.look_next and found.state != "resolved" and (asked is None or asked.handover or asked.phase == "Refused"):
        say("\nLook next", "bold")
        for words in found.look_next:
            say(short(f"  {words}", WIDTH))
    if found.similar:
        say("\nBefore", "bold")
        for past in found.similar:
            words = f"  {age(str(past.opened_at)):>4} ago  {past.id}  {past.state}: {past.outcome}"
            say(short(words, WIDTH))


def _why(found: IncidentDetail) -> None:
    if not found.hypotheses:
        say(
            "  nobody has looked yet"
            if not found.verdict
            else f"  {safe(found.verdict)}: nothing that was seen says why"
        )
        return
    if found.verdict.startswith("unknown."):
        say(f"  not sure ({safe(found.verdict)}); the best guess:", "yellow")
    best = found.hypotheses[0]
    say(short(f"  {best.summary}", WIDTH))
    _narrow(("  cause", best.cause), ("  on", str(best.object)), ("  confidence", sure(best.confidence)))
    for citation in best.citations[:MOST_CITED]:
        say(short(f"  [{citation.id}] {citation.source}", WIDTH), "cyan")
        if citation.excerpt.strip():
            say(short(f"      {' '.join(citation.excerpt.split())}", WIDTH), "dim")
    if best.against:
        say(short(f"  against it: {best.against[-1]}", WIDTH), "yellow")


def sure(confidence: float) -> str:
    """A confidence in a word and as a number."""
    return f"{next(word for least, word in _WORDS if confidence >= least)} ({confidence:.2f})"


def _asked(asked: ExecutionView) -> None:
    given = "".join(f" {name}={value}" for name, value in asked.parameters.items())
    silent = asked.phase == "Pending"  # until the operator speaks, the message is what the agents asked for it for
    _narrow(
        ("  runbook", f"{asked.runbook}{given}"),
        ("  because", asked.message if silent else ""),
        ("  operator", "has not answered yet" if silent else ": ".join(filter(None, (asked.phase, asked.message)))),
    )
    verb = "plan" if asked.phase in _WAITS else "journal"
    # Not cut: it is meant to be copied.
    fields([("  see     ", f"kubectl interlock {verb} {asked.name} -n {asked.namespace}")])


def _narrow(*pairs: tuple[str, str]) -> None:
    shown = [(name, value) for name, value in pairs if value]
    width = max(len(name) for name, _ in shown)
    fields((f"{name:<{width}}", short(value, WIDTH - width - 2)) for name, value in shown)


def show_rest(found: IncidentDetail) -> None:
    """Alerts, every cause with its evidence, everything that was asked for, what happened, what was not seen."""
    say("\nAlerts", "bold")
    for alert in found.alerts:
        say(safe(f"  {alert.name} {alert.status} since {alert.starts_at:%H:%M:%S} {alert.summary}"))
    say("\nCauses, the likeliest first", "bold")
    show_causes(found)
    if found.executions:
        say("\nAsked for", "bold")
        rows = [[e.namespace, e.name, e.runbook, e.phase, e.message] for e in found.executions]
        table(["namespace", "name", "runbook", "phase", "message"], rows, "")
    say("\nWhat happened", "bold")
    for entry in found.timeline:
        say(safe(f"  {entry.at:%H:%M:%S}  {entry.event:<14} {entry.text}"))
    say(f"\n{_counted(found)}", "bold")
    for evidence in found.evidence:
        state = f": {evidence.missing}" if evidence.missing else ""
        say(safe(f"  [{evidence.id}] {evidence.source}{state}"))


def show_more(found: IncidentDetail) -> None:
    """What there is beyond the first screen, and how to see it."""
    said = f"{len(found.hypotheses)} causes, {len(found.timeline)} events, {_counted(found)}"
    say(f"\n{said}: --all", "dim")


def _counted(found: IncidentDetail) -> str:
    missing = sum(1 for evidence in found.evidence if evidence.missing)
    return f"{len(found.evidence) - missing} pieces of evidence, {missing} could not be had"


def show_causes(found: IncidentDetail, most: int = 3) -> None:
    """The hypotheses with what each rests on, and what speaks against it."""
    for hypothesis in found.hypotheses[:most]:
        for text, style in _cause(hypothesis):
            say(safe(text), style)
    if not found.hypotheses:
        say("  none yet")


def _cause(hypothesis: HypothesisView) -> Iterator[tuple[str, str]]:
    yield f"  {hypothesis.cause} ({hypothesis.confidence:.2f}) {hypothesis.object}", "bold"
    yield f"    {hypothesis.summary}", ""
    for citation in hypothesis.citations:
        yield f"    [{citation.id}] {citation.source}", "cyan"
        yield from ((f"        {line}", "dim") for line in citation.excerpt.splitlines())
    yield from ((f"    against it: {objection}", "yellow") for objection in hypothesis.against)
