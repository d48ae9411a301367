"""The case library; importing it enters all mechanisms."""

from tests.cases import decoys, mixed, network, platform, pods, stores
from tests.cases.library import Case, cases

__all__ = ["Case", "cases", "decoys", "mixed", "network", "platform", "pods", "stores"]
