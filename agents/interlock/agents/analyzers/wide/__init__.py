"""Rules that look at a namespace as a whole: what its workloads share, and what they stand on.

One module per family, each a pure function `(Landscape) -> Iterator[Finding]`, listed once here. How findings compare
is decided in `diagnose` alone.
"""

from collections.abc import Callable, Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.wide import (
    announced,
    callers,
    changed,
    checks,
    controlplane,
    defects,
    deliveries,
    echoes,
    gateway,
    injected,
    limits,
    measures,
    mesh,
    nodes,
    outside,
    podwise,
    policies,
    quarrels,
    references,
    refused,
    sayings,
    scaling,
    services,
    shares,
    storage,
    taints,
    taken,
    ways,
    wellness,
)
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.reach import reach

Wide = Callable[[Landscape], Iterator[Finding]]

WIDE: tuple[Wide, ...] = (
    podwise.analyze,  # pods cannot start, for reasons of the node, of security, of their resolver
    references.analyze,  # a ConfigMap or Secret is not there
    services.analyze,  # a Service leads nowhere
    callers.analyze,  # an address leads nowhere
    announced.analyze,  # a program listens elsewhere than where it is probed
    refused.analyze,  # pods are ready, and nothing listens where they are called
    policies.analyze,  # a policy keeps out what is needed
    storage.analyze,  # a claim is not bound, a volume not mounted
    limits.analyze,  # a namespace allows no more
    scaling.analyze,  # autoscalers, budgets, strategies, Jobs
    mesh.analyze,  # a mesh shuts out who has no part in it
    gateway.analyze,  # an Ingress leads nowhere
    nodes.analyze,  # a node is not well
    taints.analyze,  # a node turns pods away
    controlplane.analyze,  # what everything stands on is not well
    sayings.analyze,  # what logs say
    outside.analyze,  # what lies outside of the cluster does not answer
    defects.analyze,  # a program runs and fails at its work
    taken.analyze,  # somebody takes pods away again and again
    echoes.analyze,  # a program ends over a piece of its configuration
    injected.analyze,  # an object asks for a delay, a loss or a failure
    deliveries.analyze,  # a certificate, a delivery or an autoscaler says that it fails
    quarrels.analyze,  # a workload is told otherwise than others, or no longer what is true
    checks.analyze,  # connections that were tried
    measures.analyze,  # what was measured, and what alerts say
    shares.analyze,  # one client or one pod takes nearly all
    ways.analyze,  # what was measured of the network
    changed.analyze,  # what is not as it was meant
    wellness.analyze,  # nothing is wrong, or no longer
)

__all__ = ["WIDE", "Landscape", "Wide", "reach"]
