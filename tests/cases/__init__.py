"""The case library; importing it enters all mechanisms."""

from tests.cases import decoys, ground, mixed, network, platform, pods, stores, traffic
from tests.cases.library import Case, cases

__all__ = ["Case", "cases", "decoys", "ground", "mixed", "network", "platform", "pods", "stores", "traffic"]
