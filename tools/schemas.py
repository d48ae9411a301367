"""JSON Schemas of the files that authors write, for editors that complete and check YAML."""

import json
import re
from typing import Any

from pydantic import BaseModel

from interlock.crds.runbook import Runbook
from interlock.runbooks.scenario import Scenario

_CODE = re.compile(r"\\x\{([0-9A-F]+)\}")


def schema(model: type[BaseModel], title: str) -> str:
    """The schema of a model as JSON; patterns are ECMA's, which editors evaluate."""
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}
    return json.dumps(_for_editors({**body, "title": title}), indent=1, sort_keys=True) + "\n"


def _for_editors(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _CODE.sub(lambda code: f"\\u{int(code[1], 16):04x}", content)
            if key == "pattern" and isinstance(content, str)
            else _for_editors(content)
            for key, content in value.items()
        }
    return [_for_editors(item) for item in value] if isinstance(value, list) else value


def runbook() -> str:
    """Of a runbook.yaml."""
    return schema(Runbook, "A runbook of Interlock")


def scenario() -> str:
    """Of a file in scenarios/."""
    return schema(Scenario, "A scenario of a runbook of Interlock")
