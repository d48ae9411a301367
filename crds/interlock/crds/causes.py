"""The vocabulary between a diagnosis and a cure: `<what must be changed>.<aspect>.<how it is wrong>`.

A cause names where the fault was made, not where it hurts. A more specific name may be added under a given one; a
diagnosis that is sure only of the family says the family. Runbooks refer to these names, so none is renamed silently.
"""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

_TABLE = """
workload.image: not-found reference-invalid pull-secret-missing unauthorized registry-unresolvable registry-unreachable rate-limited architecture-mismatch never-present
workload.crash: application-error after-change command-not-found entrypoint-denied start-timeout init-container-failed dependency-at-start
workload.config: key-missing config-map-not-found value-invalid dependency-address-wrong changed-and-broken
workload.env: address-wrong missing invalid
workload.secret: not-found key-missing rotated-not-reloaded
workload.service-account: not-found permission-denied token-expired
workload.memory: oom-killed limit-too-low leak request-too-high
workload.cpu: throttled saturated request-too-high
workload.probe: liveness-port-wrong liveness-protocol-wrong liveness-timing-wrong liveness-path-wrong readiness-port-wrong readiness-protocol-wrong readiness-path-wrong readiness-timing-wrong startup-too-short
workload.rollout: stuck bad-revision paused partition-held max-unavailable-blocked
workload.replicas: zero too-few surge-blocked
workload.port: conflict sidecar-conflict not-listening name-mismatch
workload.volume: permission-denied mount-failed read-only full not-found multi-attach
workload.database: credentials-invalid port-wrong address-wrong name-wrong
workload.dns: misconfigured unresolvable search-domain-wrong
workload.network: delay packet-loss degraded
workload.security: context-denied admission-rejected seccomp-blocked read-only-root
workload.dependency: unavailable slow protocol-mismatch circuit-open
workload.latency: regressed-after-change saturation upstream
workload.errors: regressed-after-change saturation upstream
scheduling.capacity: cpu-insufficient memory-insufficient pods-exhausted extended-resource
scheduling.node-selector: mismatch
scheduling.node-affinity: mismatch
scheduling.pod-affinity: unsatisfied
scheduling.pod-anti-affinity: conflict
scheduling.topology-spread: unsatisfiable
scheduling.taint: untolerated
scheduling.node: cordoned
scheduling.priority: preempted
scheduling.gate: not-removed
scheduling.volume-zone: mismatch
service.selector: mismatch
service.port: target-mismatch protocol-mismatch
service.endpoints: empty
service.session-affinity: skewed
service.external-name: wrong
gateway.route: wrong
gateway.backend: not-found
gateway.tls: mismatch
gateway.class: not-found
gateway.timeout: too-short
network-policy.ingress: blocked
network-policy.egress: blocked
network-policy.dns: blocked
database.connections: exhausted
database.mode: read-only
database.storage: full
database.replication: lagging
database.locks: contended
queue.backlog: growing
queue.consumer: stopped
storage.claim: class-mismatch capacity-mismatch access-mode-mismatch selector-mismatch pending
storage.volume: already-bound released orphaned full
storage.class: not-found
storage.provisioner: down
storage.snapshot: failed
namespace.quota: cpu-exceeded memory-exceeded pods-exceeded services-exceeded storage-exceeded objects-exceeded
namespace.limit-range: violated
namespace.terminating: stuck
namespace.pod-security: rejected
autoscaling.hpa: at-maximum metrics-missing flapping target-wrong
autoscaling.vpa: evicting
autoscaling.cluster: at-maximum
disruption.budget: blocks-drain unsatisfiable
disruption.eviction: storm
job.failed: application deadline backoff
job.cron: suspended missed
job: runaway
node: not-ready
node.kubelet: down
node.container-runtime: down
node.kube-proxy: down
node.network: delay packet-loss unavailable
node.disk: pressure
node.memory: pressure
node.pid: pressure
node.clock: skewed
node.kernel: deadlock
node.cordoned: forgotten
node.certificate: expired
control-plane.scheduler: down
control-plane.controller-manager: down
control-plane.api-server: overloaded down
control-plane.etcd: slow full
control-plane.coredns: down misconfigured
control-plane.webhook: failing slow
control-plane.api-service: unavailable
control-plane.certificate: expiring
control-plane.metrics-server: down
certificate: expired expiring name-mismatch
certificate.issuer: failing
rbac.permission: revoked
rbac.binding: missing
rbac.role: too-narrow
gitops.drift: reverted
gitops.sync: failed
gitops.source: unreachable
traffic: spike abusive-client expected-peak
change: unrelated
change.deploy: correlated
change.config: correlated
none: healthy false-alarm watchdog recovered
unknown: insufficient-evidence contradictory-evidence
"""

CAUSES: frozenset[str] = frozenset(
    f"{family.strip()}.{name}"
    for family, _, names in (line.partition(":") for line in _TABLE.strip().splitlines())
    for name in names.split()
)
"""Every cause by its full name."""


def _families() -> frozenset[str]:
    parts = [cause.split(".") for cause in CAUSES]
    return frozenset(".".join(p[:depth]) for p in parts for depth in range(1, len(p)))


FAMILIES: frozenset[str] = _families()
"""Every proper prefix of a cause: what a diagnosis may say that is sure only of the family."""


def covers(general: str, specific: str) -> bool:
    """Whether `specific` is `general` or lies under it."""
    return specific == general or specific.startswith(general + ".")


def _known(cause: str) -> str:
    general = cause
    while general:
        if general in CAUSES:
            return cause
        general = general.rpartition(".")[0]
    if cause in FAMILIES:
        return cause
    raise ValueError(f"{cause!r} is neither a known cause, a family of causes, nor a refinement of a known cause")


CauseName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$"),
]
"""The form of a cause, known or not: what the API server can judge."""

Cause = Annotated[CauseName, AfterValidator(_known)]
"""A known cause, a family of causes, or a refinement of a known cause."""
