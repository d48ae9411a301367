"""Prompts and tool sets: files of a version, so that a transcript says by digest what a model was told.

A version that was released is never changed: `digests.json` beside it holds what each part had, and a test compares.
"""

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal, get_args

import yaml

from interlock.agents.llm.arguments import ARGUMENTS
from interlock.agents.llm.exchange import ToolSpec
from interlock.agents.model import Record
from interlock.crds.digest import digest
from interlock.crds.types import Digest

VERSION = "1"
"""The version in use."""
AgentName = Literal["on-call", "analysis", "kubectl"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)


class Brief(Record):
    """What one agent is told before anything else, and what it may call."""

    agent: AgentName
    version: str
    system: str
    tools: tuple[ToolSpec, ...]

    @property
    def digests(self) -> tuple[Digest, Digest]:
        """Of the prompt, and of the tool set."""
        return digest(self.system), digest([tool.model_dump(mode="json") for tool in self.tools])


@cache
def brief(agent: AgentName, version: str = VERSION) -> Brief:
    """The prompt and tools of an agent."""
    folder = _folder(version)
    told = yaml.safe_load((folder / "tools.yaml").read_text())[agent]
    tools = tuple(
        ToolSpec(name=name, description=description, parameters=ARGUMENTS[name].schema_for_models())
        for name, description in told.items()
    )
    return Brief(agent=agent, version=version, system=(folder / f"{agent}.md").read_text(), tools=tools)


def digests(version: str = VERSION) -> dict[str, dict[str, Digest]]:
    """The digests of a version's prompts and tool sets as they are now."""
    parts = {agent: brief(agent, version).digests for agent in AGENTS}
    return {agent: {"prompt": prompt, "tools": tools} for agent, (prompt, tools) in parts.items()}


def recorded_digests(version: str = VERSION) -> dict[str, dict[str, Digest]]:
    """The digests that were recorded when the version was made."""
    known: dict[str, dict[str, Digest]] = json.loads((_folder(version) / "digests.json").read_text())
    return known


def _folder(version: str) -> Traversable:
    return files(__package__) / "prompts" / version
