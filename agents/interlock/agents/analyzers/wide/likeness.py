"""How much two names look alike, to see which one was meant."""

from difflib import SequenceMatcher


def alike(one: str, other: str) -> float:
    """1 for the same name, more than 0.8 for a slip or a name with a common word less."""
    if one == other:
        return 1.0
    short, long = sorted((_core(one), _core(other)), key=len)
    if short and short == long:
        return 0.95
    if len(short) >= 4 and short in long.split("-"):
        return 0.85
    return SequenceMatcher(None, one, other).ratio()


def _core(name: str) -> str:
    parts = [p for p in name.lower().replace("_", "-").split("-") if p not in ("service", "svc", "deployment", "app")]
    joined = "-".join(parts)
    return joined.removesuffix("service") or joined
