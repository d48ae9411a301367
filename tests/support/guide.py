"""The example of the author's guide, so that what it shows is what runs."""

from pathlib import Path

import yaml

from interlock.crds.runbook import Runbook

GUIDE = Path(__file__).parents[2] / "docs" / "runbook-author.md"


def example_text() -> str:
    """The guide's whole runbook, as it stands there."""
    blocks = GUIDE.read_text().split("```yaml\n")[1:]
    (found,) = [block.partition("```")[0] for block in blocks if "kind: Runbook" in block]
    return found


def example() -> Runbook:
    """The guide's whole runbook."""
    return Runbook.model_validate(yaml.safe_load(example_text()))
