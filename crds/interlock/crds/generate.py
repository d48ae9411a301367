"""Writes what follows from the models: the CustomResourceDefinitions and their reference page.

Run as `python -m interlock.crds.generate [--check]` in the repository; `--check` writes nothing and fails on drift.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from interlock.crds import audithead, execution, guardrail, ledger, runbook
from interlock.crds.rules import KEYED, RULES, Kind
from interlock.crds.schema import Schema, at, structural
from interlock.crds.types import GROUP, VERSION

ROOT = Path(__file__).resolve().parents[3]
DEFINITIONS = Path("charts/interlock-crds/templates")
HEADER = "# Generated from the models in crds/interlock/crds; edit those, then run `make generate`.\n"


@dataclass(frozen=True)
class Column:
    """What `kubectl get` prints; those with priority 1 only with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0

    def manifest(self) -> dict[str, Any]:
        """As the API server takes it."""
        wide = {"priority": self.priority} if self.priority else {}
        return {"name": self.name, "type": self.type, "jsonPath": self.path, **wide}


@dataclass(frozen=True)
class Resource:
    """One kind of the contract: its models and how kubectl shows it."""

    kind: Kind
    scope: str
    short_names: tuple[str, ...]
    description: str
    spec: type[BaseModel]
    status: type[BaseModel] | None
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]

    @property
    def plural(self) -> str:
        """The name in paths and RBAC rules."""
        return f"{self.kind.lower()}s"


AGE = Column("Age", ".metadata.creationTimestamp", "date")
RESOURCES = (
    Resource(
        kind="AuditHead",
        scope="Cluster",
        short_names=(),
        description="The signed head of the archive's chain: what was archived up to here cannot be written anew.",
        spec=audithead.AuditHeadSpec,
        status=None,
        columns=(
            Column("Seq", ".spec.seq", "integer"),
            Column("Head", ".spec.head"),
            Column("Signed", ".spec.signedAt", "date"),
            AGE,
            Column("Previous", ".spec.previous", priority=1),
            Column("Key", ".spec.keyId", priority=1),
        ),
        selectable=(),
    ),
    Resource(
        kind="Guardrail",
        scope="Cluster",
        short_names=(),
        description="What the platform's owner allows at all, whatever a runbook or an approver says.",
        spec=guardrail.GuardrailSpec,
        status=guardrail.GuardrailStatus,
        columns=(
            Column("Mode", ".spec.mode"),
            Column("Approvals", ".spec.approvals", "integer"),
            Column("Stop", ".spec.stop", "boolean"),
            Column("Limits", ".status.limits"),
            Column("Use", ".status.use"),
            AGE,
            Column("Trouble", ".status.trouble", priority=1),
        ),
        selectable=(),
    ),
    Resource(
        kind="Ledger",
        scope="Namespaced",
        short_names=(),
        description="What limits rest on: who holds what now, and what was used when. Only the operator writes it.",
        spec=ledger.LedgerSpec,
        status=None,
        columns=(Column("Holds", ".spec.holds[*].execution"), AGE),
        selectable=(),
    ),
    Resource(
        kind="RunbookExecution",
        scope="Namespaced",
        short_names=("rbx",),
        description="A request to run one vetted runbook on one target, and the whole record of what came of it.",
        spec=execution.RunbookExecutionSpec,
        status=execution.RunbookExecutionStatus,
        columns=(
            Column("Runbook", ".spec.runbook.name"),
            Column("Target", ".spec.target.name"),
            Column("Phase", ".status.phase"),
            Column("Step", ".status.step"),
            Column("Approvals", ".status.approvals"),
            Column("Reason", ".status.reason"),
            AGE,
            Column("Requested-By", ".spec.requestedBy", priority=1),
            Column("Cause", ".spec.reason.cause", priority=1),
            Column("Plan", ".status.plan.digest", priority=1),
        ),
        selectable=(".status.phase", ".spec.runbook.name", ".spec.target.name"),
    ),
    Resource(
        kind="Runbook",
        scope="Cluster",
        short_names=("rb",),
        description="An immutable, versioned, vetted procedure; the only thing that the operator ever runs.",
        spec=runbook.RunbookSpec,
        status=runbook.RunbookStatus,
        columns=(
            Column("Family", ".spec.family"),
            Column("Version", ".spec.version"),
            Column("Risk", ".spec.risk"),
            Column("State", ".spec.state"),
            Column("Vetted", ".status.conditions[?(@.type=='Vetted')].status"),
            Column("Reason", ".status.conditions[?(@.type=='Vetted')].reason"),
            AGE,
            Column("Permitted", ".status.conditions[?(@.type=='Permitted')].status", priority=1),
            Column("Successes", ".status.trackRecord.successes", "integer", priority=1),
            Column("Title", ".spec.title", priority=1),
            Column("Digest", ".status.digest", priority=1),
        ),
        selectable=(".spec.family", ".spec.state"),
    ),
)


def schema(resource: Resource) -> Schema:
    """The whole schema of a kind, with keyed lists and rules in place."""
    parts = {"spec": resource.spec} | ({"status": resource.status} if resource.status else {})
    root: Schema = {
        "description": resource.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            **{name: structural(model) for name, model in parts.items()},
        },
    }
    for keyed in KEYED[resource.kind]:
        at(root, keyed.path).update({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keyed.keys)})
    for rule in RULES[resource.kind]:
        at(root, rule.path).setdefault("x-kubernetes-validations", []).append(rule.validation())
    return root


def definition(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        **({"subresources": {"status": {}}} if resource.status else {}),
        **({"selectableFields": [{"jsonPath": path} for path in resource.selectable]} if resource.selectable else {}),
        "additionalPrinterColumns": [column.manifest() for column in resource.columns],
        "schema": {"openAPIV3Schema": schema(resource)},
    }
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
        "categories": ["interlock"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Whoever removes the release keeps every request and its record; `interlock uninstall` removes both.
        "metadata": {"name": f"{resource.plural}.{GROUP}", "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"group": GROUP, "scope": resource.scope, "names": names, "versions": [version]},
    }


def _bounds(node: Schema) -> str:
    said = [
        f"{label} {node[key]}"
        for key, label in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("minLength", "min length"),
            ("maxLength", "max length"),
            ("minItems", "min items"),
            ("maxItems", "max items"),
            ("maxProperties", "max properties"),
        )
        if key in node
    ]
    said += [f"one of {', '.join(f'`{value}`' for value in node['enum'])}"] if "enum" in node else []
    said += [f"default `{_plain(node['default'])}`"] if "default" in node else []
    said += (
        [f"unique by {', '.join(node['x-kubernetes-list-map-keys'])}"] if "x-kubernetes-list-map-keys" in node else []
    )
    return "; ".join(said)


def _plain(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=200).removesuffix("\n").removesuffix("...").strip()


def _fields(node: Schema, path: str, required: bool) -> Iterator[tuple[str, str, str, str]]:
    """Path, type, bounds and description of a field and of all below it."""
    marker = " *" if required else ""
    yield f"`{path}`{marker}", node["type"], _bounds(node), node.get("description", "")
    inner, path = (node["items"], f"{path}[]") if node["type"] == "array" else (node, path)
    for name, child in inner.get("properties", {}).items():
        yield from _fields(child, f"{path}.{name}", name in inner.get("required", ()))
    if node["type"] == "array" and "properties" not in inner:
        yield f"`{path}`", inner["type"], _bounds(inner), inner.get("description", "")
    if values := inner.get("additionalProperties"):
        yield f"`{path}.*`", values["type"], _bounds(values), values.get("description", "")


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


def reference() -> str:
    """The reference page: every field with type, bounds and meaning, every rule with its way out."""
    lines = [
        "# The contract's resources",
        "",
        f"Group `{GROUP}`, version `{VERSION}`. Generated from the models in `crds/interlock/crds`.",
        "A field with * must be given. Strings refuse control, zero-width and bidirectional characters.",
        "",
    ]
    for resource in RESOURCES:
        root = schema(resource)
        lines += [f"## {resource.kind}", "", resource.description, ""]
        for part in ("spec", "status"):
            if part in root["properties"]:
                node = root["properties"][part]
                lines += _table(("Field", "Type", "Bounds", "Meaning"), _fields(node, part, part == "spec"))
        if rules := RULES[resource.kind]:
            lines += ["The API server also refuses:", ""]
            lines += _table(("Where", "Unless"), ((f"`{r.path or 'whole object'}`", r.message) for r in rules))
        if resource.kind == "RunbookExecution":
            lines += ["Where each phase may go:", ""]
            edges = sorted(execution.TRANSITIONS.items())
            lines += _table(("Phase", "Next"), ((old, ", ".join(sorted(new))) for old, new in edges))
    return "\n".join(lines).rstrip("\n") + "\n"


def generated() -> Mapping[Path, str]:
    """Every generated file by its path in the repository."""
    files = {
        DEFINITIONS / f"{resource.plural}.yaml": HEADER
        + yaml.safe_dump(definition(resource), sort_keys=False, allow_unicode=True, width=120)
        for resource in RESOURCES
    }
    return {**files, Path("docs/reference/crds.md"): reference()}


def drifted(root: Path) -> list[Path]:
    """The generated files that are not what the models say."""
    return [path for path, text in generated().items() if not _holds(root / path, text)]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def write(root: Path) -> list[Path]:
    """Writes what has drifted; the paths written."""
    stale = drifted(root)
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(generated()[path])
    return stale


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files, or with --check only compares them; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interlock.crds.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is not current")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    options = parser.parse_args(arguments)
    if options.check:
        stale = drifted(options.root)
        for path in stale:
            print(f"{path} is not what the models say: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path in write(options.root):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
