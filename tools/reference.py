"""Writes what the documentation says about the contract's code, so that it cannot say something else.

Run as `python -m tools.reference [--check]`; `--check` writes nothing and fails on drift. The resources' fields are
written by `interlock.crds.generate`.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from tools import schemas
from tools.powers import page as powers_page

from interlock.crds.actions import ACTIONS, Arguments, EffectName
from interlock.crds.causes import CAUSES
from interlock.crds.cel import FUNCTIONS
from interlock.crds.execution import STARTED, TERMINAL, TRANSITIONS
from interlock.crds.runbook import Runbook
from interlock.runbooks.coverage import coverage, summary
from interlock.runbooks.loading import load_catalogue
from interlock.runbooks.rbac import grants_for_family

ROOT = Path(__file__).parents[1]
GENERATED = "Generated from {source}; edit that, then run `make generate`."
_BLOCK = r"(<!-- generated: {name} -->\n).*?(<!-- end -->)"


EFFECTS: Mapping[EffectName | None, Mapping[str, str]] = {
    None: {
        "Plan": "states what is looked for or asked; nothing is changed.",
        "Crash": "it is looked at, or asked, again.",
        "Undo": "nothing to undo.",
    },
    "patch": {
        "Plan": "every path with its value before and after, from the API server's own dry run; deferred where an"
        " earlier step changes the same object or decides what is written.",
        "Crash": "our mark on the object says that it happened, an unchanged resourceVersion, or for the spec an"
        " unchanged generation, that it did not; otherwise a person decides.",
        "Undo": "every value that still is what was written is put back; otherwise a conflict is reported.",
    },
    "delete": {
        "Plan": "the pod with its uid.",
        "Crash": "the uid is gone or going: it happened; otherwise it did not.",
        "Undo": "none: the controller has made another pod.",
    },
    "evict": {
        "Plan": "every pod with its uid; at its turn fewer are as good, others are not.",
        "Crash": "the rest is evicted: each eviction names a uid and may be repeated.",
        "Undo": "none: the controllers have made other pods.",
    },
    "create": {
        "Plan": "what was chosen of the Job: name, image, command, arguments, variables, resources, deadline.",
        "Crash": "our mark on the Job of that name says that it happened; without it, it did not.",
        "Undo": "the Job and its pods are deleted; what its program did stays.",
    },
}
"""What an author has to know of each kind of effect."""


def actions_page() -> str:
    """Every action with its arguments."""
    lines = [
        "# Actions",
        "",
        GENERATED.format(source="`crds/interlock/crds/actions/`"),
        "",
        "What a step may write under `action`, and the arguments under `with`. Arguments are strings, some of them",
        "YAML; `${…}` holds CEL that is evaluated when the step is planned. No action takes a namespace: a runbook",
        f"acts in its target's own. Expressions may also call {', '.join(f'`{name}`' for name in sorted(FUNCTIONS))}.",
        "",
        ", ".join(f"[{name}](#{name.lower()})" for name in sorted(ACTIONS)),
        "",
    ]
    for name, arguments in sorted(ACTIONS.items()):
        lines += [f"## {name}", "", *_action(arguments), ""]
    return "\n".join(lines).rstrip() + "\n"


def _action(arguments: type[Arguments]) -> Iterator[str]:
    yield arguments.summary
    if arguments.notes:
        yield from ("", arguments.notes)
    yield from ("", "```yaml", *arguments.example.strip().split("\n"), "```", "")
    if arguments.model_fields:
        yield from _arguments(arguments)
        yield ""
    for name, text in EFFECTS[arguments.effect].items():
        yield f"- {name}: {text}"
    if arguments.yields:
        yield f"- Yields: {', '.join(f'`{output}`' for output in arguments.yields)}."


def _arguments(arguments: type[Arguments]) -> Iterator[str]:
    yield "| Argument | Default | Meaning |"
    yield "|---|---|---|"
    for name, field in arguments.names().items():
        default = "must be given" if field.is_required() else _shown(field.default)
        yield f"| `{name}` | {default} | {field.description} |"


def _shown(default: object) -> str:
    if default is None or default in ([], {}):
        return ""
    return f"`{yaml.safe_dump(default, default_flow_style=True).strip() if isinstance(default, dict) else default}`"


def causes_page() -> str:
    """Every cause by its family."""
    lines = [
        "# Causes",
        "",
        GENERATED.format(source="`crds/interlock/crds/causes.py`"),
        "",
        "A cause names what must be changed and how it is wrong: where the fault was made, not where it hurts. A",
        "runbook lists the causes that it cures under `addresses`; a diagnosis names one. A runbook for a family",
        "answers all of it, a refinement such as `workload.image.not-found.tag` counts as the cause before it, and a",
        "diagnosis that is sure only of the family says the family.",
        "",
        "| Family | Causes |",
        "|---|---|",
    ]
    for family in sorted({cause.rpartition(".")[0] for cause in CAUSES}):
        names = sorted(cause.rpartition(".")[2] for cause in CAUSES if cause.rpartition(".")[0] == family)
        lines.append(f"| `{family}` | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


def coverage_page() -> str:
    """Every cause with what answers it."""
    rows = coverage(item.runbook for item in load_catalogue())
    counted = summary(rows)
    lines = [
        "# From cause to cure",
        "",
        GENERATED.format(source="`runbooks/catalogue/` and `runbooks/interlock/runbooks/coverage.py`"),
        "`interlock catalogue coverage` prints the same.",
        "",
        f"Of {len(rows)} causes {counted['runbook']} have a runbook, {counted['report']} a report, and",
        f"{counted['person']} rightly only a person (`escalate`); {counted['open']} are open: they escalate too, for",
        "want of a runbook.",
        "",
        "| Cause | Answer | Alerts that usually accompany it |",
        "|---|---|---|",
    ]
    for row in rows:
        answer = ", ".join(f"`{family}`" for family in row.runbooks) or "open"
        lines.append(f"| `{row.cause}` | {answer}{f': {row.why}' if row.why else ''} | {', '.join(row.alerts)} |")
    return "\n".join(lines) + "\n"


def phases_graph() -> str:
    """The phases of an execution as a Mermaid graph."""
    edges = [f"    {phase} --> {after}" for phase, next_ones in TRANSITIONS.items() for after in sorted(next_ones)]
    return "\n".join(
        [
            "```mermaid",
            "flowchart LR",
            *edges,
            "    classDef started stroke-width:3px",
            "    classDef final stroke-dasharray:4",
            f"    class {','.join(sorted(STARTED))} started",
            f"    class {','.join(sorted(TERMINAL))} final",
            "```",
            "",
        ]
    )


def families() -> str:
    """What each family of the catalogue is granted, for the chart."""
    versions: dict[str, list[Runbook]] = {}
    for item in load_catalogue():
        versions.setdefault(item.runbook.spec.family, []).append(item.runbook)
    granted = {family: _granted(books) for family, books in sorted(versions.items())}
    head = "# Generated from runbooks/catalogue; edit that, then run `make generate`.\n"
    return head + yaml.safe_dump({family: found for family, found in granted.items() if found}, sort_keys=False)


def _granted(books: Sequence[Runbook]) -> Mapping[str, object]:
    rules = [m["rules"] for m in grants_for_family(books, [None]) if m["kind"] == "ClusterRole"]
    return {"scope": books[0].spec.scope, "rules": rules[0]} if rules else {}


def with_block(text: str, name: str, content: str) -> str:
    """The text with the block between `<!-- generated: name -->` and `<!-- end -->` replaced.

    Raises:
        ValueError: the text has no such block.
    """
    replaced, count = re.subn(_BLOCK.format(name=name), lambda m: m[1] + content + m[2], text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"expected one block `<!-- generated: {name} -->`, found {count}")
    return replaced


def generated(root: Path) -> dict[Path, str]:
    """Every file that is written here, by its path in the repository."""
    architecture = Path("docs/architecture.md")
    return {
        Path("docs/reference/actions.md"): actions_page(),
        Path("docs/reference/causes.md"): causes_page(),
        Path("docs/reference/coverage.md"): coverage_page(),
        Path("docs/reference/powers.md"): powers_page(),
        Path("docs/reference/runbook.schema.json"): schemas.runbook(),
        Path("docs/reference/scenario.schema.json"): schemas.scenario(),
        Path("charts/interlock/files/families.yaml"): families(),
        architecture: with_block((root / architecture).read_text(), "phases", phases_graph()),
    }


def drifted(root: Path) -> list[Path]:
    """The files that are not what the code says."""
    return [
        path
        for path, text in generated(root).items()
        if not (root / path).is_file() or (root / path).read_text() != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files, or with --check only compares them; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is not current")
    options = parser.parse_args(arguments)
    stale = drifted(ROOT)
    for path in stale:
        if options.check:
            print(f"{path} is not what the code says: run `make generate`", file=sys.stderr)
        else:
            (ROOT / path).write_text(generated(ROOT)[path])
            print(f"wrote {path}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
