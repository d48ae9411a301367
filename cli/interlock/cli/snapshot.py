"""`interlock snapshot NAMESPACE --out DIR`: a namespace as files, taken under the caller's own identity.

What comes out can be looked at elsewhere and later, and handed to somebody who has no access: secret values are not
in it, and `interlock diagnose DIR` needs nothing else.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from interlock.agents.evidence.source import FOLDERS
from interlock.agents.evidence.survey import Surveyed
from interlock.cli.errors import UsageError
from interlock.cli.options import Context, Kubeconfig, connect
from interlock.cli.screen import console, say
from interlock.cli.survey import survey
from interlock.crds.redact import safe_message
from interlock.crds.types import rfc3339

app = typer.Typer(help="Take a snapshot of a namespace.", rich_markup_mode=None)


@app.command()
def snapshot(  # noqa: PLR0917 - options of a command line
    namespace: Annotated[str, typer.Argument(help="The namespace.", metavar="NAMESPACE")],
    out: Annotated[Path, typer.Option("--out", help="Directory to write; it must not exist, or be empty.")],
    logs: Annotated[bool, typer.Option(help="Also take the ends of the pods' logs.")] = True,
    prometheus: Annotated[
        str, typer.Option("--prometheus", help="URL of a Prometheus to take metrics, alerts and who calls whom from.")
    ] = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Write a namespace, and what it stands on, as files for `interlock diagnose`.

    Whatever you may not read is left out, and said. Of Secrets only the names of keys are kept; tokens, passwords and
    credentials in settings and logs are taken out before anything is written.

    \b
        interlock snapshot shop --out ./incident-4711
        interlock diagnose ./incident-4711
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out: {out} is there and not empty", "Name a directory that does not exist.")
    missed: list[str] = []
    found = survey(connect(context, kubeconfig), namespace, missed.append, logs=logs, prometheus=prometheus)
    count = write(found, out)
    for line in missed:
        console(error=True).print(f"note: not collected: {safe_message(line, 300)}", soft_wrap=True)
    say(f"{count} files in {out}. Next: interlock diagnose {out}")


def write(found: Surveyed, out: Path) -> int:
    """The files of a snapshot, for nobody but their owner to read; returns how many."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = rfc3339(found.collected_at, "auto")
    files = {out / "snapshot.json": json.dumps({"collectedAt": at, "namespace": found.namespace})}
    for (plural, place), bodies in found.bodies.items():
        files[out / place / f"{plural}.json"] = json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": bodies}, indent=1
        )
    for (place, pod), runs in found.texts.items():
        for previous, name in ((True, "logs-previous.txt"), (False, "logs.txt")):
            texts = [_marked(place, pod, run.container, run.text) for run in runs if run.previous is previous]
            if texts:
                files[out / place / pod / name] = "".join(texts)
    for name, documents in found.folders.get("manifests", {}).items():
        files[out / "manifests" / f"{name}.yaml"] = yaml.safe_dump_all(
            [documents] if not isinstance(documents, list) else documents, sort_keys=False
        )
    papers = {out / f"{name}.json": paper for name, paper in found.papers.items()}
    for folder in FOLDERS - {"manifests"}:
        papers |= {out / folder / f"{name}.json": one for name, one in found.folders.get(folder, {}).items()}
    files |= {file: json.dumps(paper, indent=1) for file, paper in papers.items()}
    for file, text in files.items():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
    return len(files)


def _marked(namespace: str, pod: str, container: str, text: str) -> str:
    about = f"logs for container {container} of pod {namespace}/{pod} ===="
    return f"==== START {about}\n{text}\n==== END {about}\n"
