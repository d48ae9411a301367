"""`interlock diagnose DIR|--alert …`: what is wrong, by rules alone, and what would be proposed.

Of a snapshot, where nothing is asked of a cluster and nothing in it is executed, or of what a live alert is about,
under the caller's own identity. A folder of snapshots is read by several processes.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.agents.analyzers import Finding
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.evidence.snapshot import Snapshot, SnapshotError, cases, is_snapshot
from interlock.agents.examine import evidence_about, examine
from interlock.agents.fitness import objection
from interlock.agents.model import ObjectRef
from interlock.agents.page import page
from interlock.agents.propose import Choice, Nothing, choose, newest
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.options import Context, Kubeconfig, connect
from interlock.cli.screen import as_json, console, fields, say
from interlock.cli.survey import survey
from interlock.crds.redact import safe_message
from interlock.crds.runbook import Runbook
from interlock.runbooks.loading import load_catalogue

app = typer.Typer(help="Say what is wrong in a snapshot, or around a live alert.", rich_markup_mode=None)
MIN_CONFIDENCE = 0.5
LEAST_SHOWN = 0.2
MOST_SHOWN = 5
LONGEST_EXCERPT = 400
Answer = dict[str, Any]


class Form(StrEnum):
    """How the answer is given."""

    text = "text"
    json = "json"
    jsonl = "jsonl"


@app.command()
def diagnose(  # noqa: PLR0917 - options of a command line
    folder: Annotated[
        Path | None, typer.Argument(help="A snapshot, or a folder of snapshots.", metavar="[DIR]")
    ] = None,
    alert: Annotated[
        str, typer.Option("--alert", help="Labels of an alert, NAME=VALUE,…, instead of DIR: looks at the cluster.")
    ] = "",
    prometheus: Annotated[str, typer.Option("--prometheus", help="With --alert: URL of a Prometheus to ask.")] = "",
    output: Annotated[Form, typer.Option("--output", "-o", help="For people, or for a machine.")] = Form.text,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=256, help="Processes for a folder.")] = 1,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Say what is wrong in a snapshot or around a live alert, and which runbook would be proposed.

    A snapshot is a directory with a file snapshot.json (see `interlock snapshot`); a directory without one is taken for
    a folder of snapshots. Not sure is said as an empty list of hypotheses.

    \b
        interlock diagnose ./incident-4711
        interlock diagnose ./incidents --jobs 4 --output jsonl
        interlock diagnose --alert alertname=KubePodNotReady,namespace=shop,pod=web-7d9f-x2x4k
    """
    if (folder is None) == (not alert):
        raise UsageError("DIR or --alert, one of them", "Take a snapshot: interlock snapshot NAMESPACE --out DIR")
    if folder is None:
        _show(_live(labels_of(alert), context, kubeconfig, prometheus), output, alert)
        return
    if not folder.is_dir():
        raise UsageError(f"DIR: {folder} is no directory", "Take one: interlock snapshot NAMESPACE --out DIR")
    if is_snapshot(folder):
        _one(folder, output)
        return
    found = cases(folder)
    if not found:
        way_out = 'A snapshot has a file snapshot.json: {"collectedAt": "2026-01-31T12:00:00Z", "namespace": "shop"}'
        raise UsageError(f"DIR: {folder} is no snapshot, and no folder in it is one", way_out)
    failed = _many(found, output, jobs)
    if failed:
        raise CommandError(f"{failed} of {len(found)} snapshots could not be read", "Their lines say why.")


def _one(folder: Path, output: Form) -> None:
    try:
        answer, unknown = answered(folder)
    except SnapshotError as wrong:
        raise CommandError(str(wrong), wrong.way_out) from wrong
    if unknown:
        shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        console(error=True).print(f"note: ignored {safe_message(shown)}", soft_wrap=True)
    _show(answer, output, folder.resolve().name)


def _show(answer: Answer, output: Form, name: str) -> None:
    match output:
        case Form.json:
            as_json(_exact(answer))
        case Form.jsonl:
            _line({"case": name, **answer})
        case Form.text:
            _text(answer)


def labels_of(alert: str) -> dict[str, str]:
    """The labels of an alert as they are written on the command line.

    Raises:
        UsageError: they are not of the form, or name no namespace.
    """
    pairs = [pair.partition("=") for pair in alert.split(",")]
    labels = {name.strip(): value.strip() for name, _, value in pairs}
    if not all(name and equals for name, equals, _ in pairs) or not labels.get("namespace"):
        raise UsageError(f"--alert: {alert!r} is no list of labels with a namespace", "Write NAME=VALUE,namespace=shop")
    return labels


def _live(labels: Mapping[str, str], context: str, kubeconfig: str, prometheus: str) -> Answer:
    """What is wrong where an alert with these labels is, as far as the caller may see it."""

    def note(line: str) -> None:
        console(error=True).print(f"note: not collected: {safe_message(line, 300)}", soft_wrap=True)

    found = survey(connect(context, kubeconfig), labels["namespace"], note, prometheus=prometheus)
    kept = found.papers.get("alerts")
    others = kept.get("alerts") if isinstance(kept, dict) else None
    alert: Answer = {"status": "firing", "labels": dict(labels), "annotations": {}}
    found.papers["alerts"] = {"alerts": [alert, *(others if isinstance(others, list) else ())]}
    return judged(Landscape(found))


def _exact(answer: Answer) -> Answer:
    """The answer for a machine, without what is for people."""
    hypotheses = [{key: part for key, part in one.items() if key != "summary"} for one in answer["hypotheses"]]
    return {key: part for key, part in answer.items() if key != "page"} | {"hypotheses": hypotheses}


def _many(folders: Iterable[Path], output: Form, jobs: int) -> int:
    """Answers in the order of the names; returns how many could not be read."""
    answers: list[Answer] = []
    failed = 0
    for answer in _answers(list(folders), jobs):
        failed += "error" in answer
        if output is Form.jsonl:
            _line(answer)
        elif output is Form.text:
            say(f"\n{answer['case']}", "bold")
            _text(answer)
        else:
            answers.append(_exact(answer))
    if output is Form.json:
        as_json(answers)
    return failed


def _answers(folders: list[Path], jobs: int) -> Iterator[Answer]:
    if jobs == 1 or len(folders) == 1:
        yield from map(_case, folders)
        return
    with ProcessPoolExecutor(min(jobs, len(folders), 4 * (os.cpu_count() or 1))) as pool:
        yield from pool.map(_case, folders, chunksize=max(1, min(16, len(folders) // (4 * jobs))))


def _case(folder: Path) -> Answer:
    try:
        return {"case": folder.name, **answered(folder)[0]}
    except SnapshotError as wrong:
        return _failed(folder, f"{wrong}. {wrong.way_out}")
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as strange:
        # One snapshot that nobody thought of must not cost the answers to all others.
        return _failed(folder, f"not understood: {type(strange).__name__}: {strange}")


def _failed(folder: Path, why: str) -> Answer:
    return {"case": folder.name, "hypotheses": [], "proposal": None, "error": safe_message(why, LONGEST_EXCERPT)}


_RUNBOOKS: list[tuple[Runbook, ...]] = []


def _catalogue() -> tuple[Runbook, ...]:
    if not _RUNBOOKS:
        _RUNBOOKS.append(newest(loaded.runbook for loaded in load_catalogue()))
    return _RUNBOOKS[0]


def answered(folder: Path) -> tuple[Answer, tuple[str, ...]]:
    """What is wrong in one snapshot, as JSON, and the files of it that were ignored.

    Raises:
        SnapshotError: a file of it cannot be read.
    """
    snapshot = Snapshot(folder)
    return judged(Landscape(snapshot)), snapshot.unknown()


def judged(world: Landscape) -> Answer:
    """What is wrong in what was collected, and what would be proposed, as JSON."""
    diagnosis = examine(world, MIN_CONFIDENCE)
    choice = proposed(world, diagnosis)
    return {
        "hypotheses": [_hypothesis(finding) for finding in shown(diagnosis)],
        "proposal": _proposal(choice),
        "page": list(page(diagnosis, choice.why)) if choice is not None and choice.handover else [],
    }


def _hypothesis(finding: Finding) -> Answer:
    return {
        "cause": finding.cause,
        "object": _object(finding.object),
        "confidence": round(finding.confidence, 3),
        "summary": safe_message(finding.summary, LONGEST_EXCERPT),
        "citations": [{"source": q.id, "excerpt": safe_message(q.excerpt, LONGEST_EXCERPT)} for q in finding.quotes],
    }


def _object(ref: ObjectRef) -> Mapping[str, str | None]:
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def shown(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """The hypotheses that are worth saying; none where the best of them is not sure enough."""
    if diagnosis.confidence < MIN_CONFIDENCE:
        return ()
    return tuple(finding for finding in diagnosis.hypotheses if finding.confidence >= LEAST_SHOWN)[:MOST_SHOWN]


def proposed(world: Landscape, diagnosis: Diagnosis) -> Choice | None:
    """What would be asked for; None where all is well, or no runbook would even hand over."""
    if diagnosis.verdict.startswith("none."):
        return None
    best = diagnosis.best
    target = best.object if best is not None else ObjectRef(kind="Namespace", namespace=None, name=_namespace(world))
    evidence = evidence_about(world, diagnosis) or Evidence(target=target, collected_at=world.now)
    choice = choose(diagnosis, evidence, _catalogue(), land=world, objection=objection)
    return None if isinstance(choice, Nothing) else choice


def _namespace(world: Landscape) -> str:
    return world.focus[0] if world.focus else "default"


def _proposal(choice: Choice | None) -> Answer | None:
    if choice is None:
        return None
    return {"runbook": choice.runbook, "target": _object(choice.target), "parameters": choice.parameters}


def _line(answer: Answer) -> None:
    sys.stdout.write(json.dumps(_exact(answer), ensure_ascii=True, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _text(answer: Answer) -> None:
    if "error" in answer:
        say(f"not read: {answer['error']}", "red")
        return
    if not answer["hypotheses"]:
        say("Not sure: nothing that was seen says what is wrong.")
    for place, one in enumerate(answer["hypotheses"], start=1):
        where = one["object"]
        name = f"{where['kind']} " + "/".join(part for part in (where["namespace"], where["name"]) if part)
        say(f"{place}. {one['cause']}  on {name}  ({one['confidence']:.0%})", "bold" if place == 1 else "")
        say(f"   {one['summary']}")
        if place == 1:
            fields((f"   {c['source']}", c["excerpt"]) for c in one["citations"])
    proposal = answer["proposal"]
    if proposal is None:
        say("Proposal: nothing to do.")
    else:
        given = "".join(f" {name}={value}" for name, value in proposal["parameters"].items())
        target = proposal["target"]
        say(f"Proposal: {proposal['runbook']} on {target['kind']} {target['name']}{given}")
    fields((f"   {heading}", safe_message(words, LONGEST_EXCERPT)) for heading, words in answer["page"])
