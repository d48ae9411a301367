"""Evidence as text that a model reads and cites from: bounded, and the same words for reader and checker."""

import json
from collections.abc import Iterator

from pydantic import JsonValue

from interlock.agents.evidence import Evidence, Item
from interlock.agents.llm.exchange import clean

LONGEST_PART = 1800
"""Characters of evidence in one answer of a tool."""
MOST_HITS = 12
LONGEST_HIT = 200


def text_of(item: Item) -> str:
    """An item's content as it is shown."""
    content = item.content if isinstance(item.content, str) else json.dumps(item.content, ensure_ascii=False)
    return clean(content)


def part_of(item: Item, offset: int) -> str:
    """A part of an item, saying how to go on."""
    text = text_of(item)
    rest = len(text) - offset - LONGEST_PART
    more = f"\n({rest} more characters; offset {offset + LONGEST_PART} goes on)" if rest > 0 else ""
    return f"{item.id} ({item.source}):\n{text[offset : offset + LONGEST_PART]}{more}"


def hits(evidence: Evidence, wanted: str) -> str:
    """Lines of all items that contain a text, whatever its case."""
    found = [
        f"{item.id}: {line.strip()[:LONGEST_HIT]}"
        for item in evidence.items
        for leaf in _leaves(item.content)
        for line in clean(leaf).split("\n")
        if wanted.lower() in line.lower()
    ]
    more = f"\n({len(found) - MOST_HITS} more)" if len(found) > MOST_HITS else ""
    return "\n".join(dict.fromkeys(found[:MOST_HITS])) + more if found else "nothing found"


def contains(item: Item, excerpt: str) -> bool:
    """Whether an excerpt stands in an item word by word; white space does not count."""
    wanted = _flat(excerpt)
    texts = (text_of(item), item.source, *(clean(leaf) for leaf in _leaves(item.content)))
    return any(wanted in _flat(text) for text in texts)


def _leaves(content: JsonValue) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for one in content:
            yield from _leaves(one)
    elif isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                yield f"{key}: {value}"
            if isinstance(value, str | list | dict):
                yield from _leaves(value)


def _flat(text: str) -> str:
    return " ".join(text.replace("\\n", " ").replace("\\t", " ").split())
