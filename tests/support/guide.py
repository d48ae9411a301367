"""The example of the author's guide, so that what it shows is what runs."""

import re
import shlex
from pathlib import Path

import yaml

from interlock.crds.runbook import Runbook

GUIDE = Path(__file__).parents[2] / "docs" / "runbook-author.md"


def commands() -> list[list[str]]:
    """What the guide tells an author to type for a first runbook, from `new` to `vet`; without the word `interlock`."""
    (block,) = [found for found in re.findall(r"```\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "runbook new" in found]
    typed = [shlex.split(line)[1:] for line in block.splitlines()]
    assert typed[-1][:2] == ["runbook", "vet"]
    return typed


def example_text() -> str:
    """The guide's whole runbook, as it stands there."""
    blocks = GUIDE.read_text().split("```yaml\n")[1:]
    (found,) = [block.partition("```")[0] for block in blocks if "kind: Runbook" in block]
    return found


def example() -> Runbook:
    """The guide's whole runbook."""
    return Runbook.model_validate(yaml.safe_load(example_text()))
