"""Beyond the target: what a look around finds that explains how the target is.

Only findings that the target suffers from count, and each of their quotes becomes an item of the evidence, so that
what is cited can be looked up like everything else.
"""

from collections.abc import Iterable

from interlock.agents.analyzers import Finding, Quote
from interlock.agents.analyzers.wide import Landscape, reach
from interlock.agents.diagnose import is_consequence
from interlock.agents.evidence import Evidence, Item
from interlock.agents.examine import wide_findings
from interlock.agents.model import ObjectRef

SURE_OF_ITSELF = 0.9


def explained(diagnosed: Iterable[Finding]) -> bool:
    """Whether what is found at the target is a fault of its own, so that nobody has to look around."""
    best = max(diagnosed, key=lambda finding: finding.confidence, default=None)
    return best is not None and best.confidence >= SURE_OF_ITSELF and not is_consequence(best)


def beyond(land: Landscape, target: ObjectRef) -> tuple[Finding, ...]:
    """The wide findings that the target suffers from, or that are about it."""
    return tuple(f for f in wide_findings(land) if f.object == target or target in reach(land, f.object))


def with_quotes(evidence: Evidence, findings: Iterable[Finding]) -> tuple[Evidence, tuple[Finding, ...]]:
    """The evidence with an item for each quote of the findings, and the findings that cite these items."""
    items: dict[tuple[str, str], Item] = {}
    cited: list[Finding] = []
    for finding in findings:
        quotes = []
        for quote in finding.quotes:
            key = (quote.id, quote.excerpt)
            if key not in items:
                items[key] = _item(evidence, len(items) + 1, quote)
            quotes.append(Quote(id=items[key].id, excerpt=quote.excerpt))
        cited.append(finding.model_copy(update={"quotes": tuple(quotes)}))
    return evidence.model_copy(update={"items": (*evidence.items, *items.values())}), tuple(cited)


def _item(evidence: Evidence, number: int, quote: Quote) -> Item:
    at = evidence.collected_at
    return Item(id=f"W{number}", kind="around", source=quote.id, collected_at=at, content=quote.excerpt)
