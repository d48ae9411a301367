"""Rules that turn evidence into findings: one module per family, each a pure function `(Scene) -> Iterator[Finding]`.

Each is honest about how sure it can be from what it saw; how findings compare is decided in `diagnose` alone.
A new family is a new module and one line here.
"""

from collections.abc import Callable, Iterator

from interlock.agents.analyzers import (
    admission,
    configuration,
    crash,
    health,
    image,
    job,
    memory,
    probes,
    replicas,
    rollout,
    scheduling,
    settings_missing,
    settings_named,
)
from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.scene import Scene

Analyzer = Callable[[Scene], Iterator[Finding]]

ANALYZERS: tuple[Analyzer, ...] = (
    image.analyze,  # the image cannot be pulled, and why
    configuration.analyze,  # a Secret, a ConfigMap or a key of it is not there
    settings_missing.analyze,  # the program says that a variable is missing
    settings_named.analyze,  # the program ends over what was changed of its variables
    crash.analyze,  # the program ends by itself
    memory.analyze,  # the kernel ends it
    probes.analyze,  # it runs, but a probe looks in the wrong place
    scheduling.analyze,  # no node takes its pods
    admission.analyze,  # the API server refuses its pods
    replicas.analyze,  # nobody asked for pods
    rollout.analyze,  # the rollout makes no progress, whatever the reason
    job.analyze,  # a Job gave up
    health.analyze,  # nothing is wrong any more
)

__all__ = ["ANALYZERS", "Analyzer", "Finding", "Quote", "Scene"]
