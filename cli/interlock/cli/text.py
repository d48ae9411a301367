"""Text from the cluster is data: whatever stands in it, a terminal shows it and does nothing else."""

import unicodedata

# Control, format (bidirectional and zero-width marks), private, surrogate and unassigned characters; line separators.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def safe(value: object) -> str:
    """One line without a character that is not seen: each stands as its code point, such as \\u{1b}."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _UNSEEN else c for c in str(value))


def safe_lines(value: object) -> list[str]:
    """The lines of a text, each safe."""
    return [safe(line) for line in str(value).replace("\t", "    ").split("\n")]


def short(value: object, length: int) -> str:
    """One safe line of at most `length` characters."""
    text = safe(value)
    return text if len(text) <= length else text[: length - 1] + "…"
