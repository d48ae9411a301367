"""Strange objects are passed over: a snapshot is anybody's file, and one odd value must not cost the answer."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.cases import cases

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine

ODD: tuple[Any, ...] = (None, 5, -1, "x", "", [], {}, [None], {"a": None}, True, 1.5, ["x"], [[]], {"name": 5})


def strange(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.03:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {key: strange(inner, dice) for key, inner in value.items() if dice.random() > 0.02}
    return [strange(inner, dice) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(4))
def test_odd_values_are_no_error(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    for case in dice.sample(list(cases(every=False)), 12):
        folder = tmp_path / case.name
        case.write(folder)
        for file in folder.rglob("*.json"):
            content = json.loads(file.read_text())
            if isinstance(content, dict) and isinstance(content.get("items"), list):
                content["items"] = [strange(item, dice) for item in content["items"]]
            elif file.name != "snapshot.json":
                content = strange(content, dice)
            file.write_text(json.dumps(content))
        diagnosis = examine(Landscape(Snapshot(folder)), 0.5)
        assert all(0 <= finding.confidence <= 1 for finding in diagnosis.hypotheses)
