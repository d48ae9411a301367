"""Which runbooks would cure a mechanism; one that is not named here is for a person.

Several are named where either would do. What nobody should try by a runbook, such as raising a quota that was meant or
what `coverage.ONLY_A_PERSON` gives a reason for, is not named on purpose. Nor is what has never been otherwise, as no
runbook invents what it should be, and a name service at zero, as nothing scales what Interlock stands on.
"""

from collections.abc import Mapping

_BACK = ("rollback-deployment",)
_PROBE = ("rollback-deployment", "fix-probe")
_SCALED = ("restore-replicas", "scale-deployment")
_SERVICE = (
    "restore-service-spec",
)  # but where callers use another port of it: none of its objects says which is right

CURES: Mapping[str, tuple[str, ...]] = {
    "address-name": _BACK,
    "address-name-at-start": _BACK,
    "autoscaler-at-maximum": ("raise-hpa-max",),
    "budget-blocks": ("relax-pdb-temporarily",),
    "chain-to-a-scaled-store": _SCALED,
    "chain-to-an-address": _BACK,
    "command-not-found": _BACK,
    "config-drifted": ("restore-config",),
    "chain-to-a-service": _SERVICE,
    "connection-checks": _SERVICE,
    "cpu-request-raised": _BACK,
    "cpu-throttled": ("raise-cpu-limit",),
    "crash-after-change": _BACK,
    "entrypoint-denied": _BACK,
    "disk-pressure": ("cordon-and-drain-node",),
    "env-invalid": _BACK,
    "env-missing": _BACK,
    "image-architecture": _BACK,
    "image-pull-secret-missing": ("rollback-deployment", "attach-pull-secret"),
    "image-reference-invalid": _BACK,
    "image-registry-unresolvable": _BACK,
    "image-tag-missing": _BACK,
    "image-unauthorized": _BACK,
    "job-backoff": ("recreate-job",),
    "job-deadline": ("recreate-job",),
    "latency-after-a-smaller-limit": ("raise-cpu-limit", "rollback-deployment"),
    "liveness-port": _PROBE,
    "liveness-protocol": _PROBE,
    "liveness-timing": _PROBE,
    "memory-killed": ("raise-memory-limit",),
    "memory-limit-lowered": ("rollback-deployment", "raise-memory-limit"),
    "memory-pressure": ("cordon-and-drain-node",),
    "memory-request-raised": _BACK,
    "readiness-path": _PROBE,
    "readiness-port": _PROBE,
    "recorded-change-of-a-policy": ("revert-network-policy",),
    "scaled-to-zero": _SCALED,
    "scaled-to-zero-without-manifest": _SCALED,
    "secret-not-found": _BACK,
    "secret-rotated": ("restart-deployment",),
    "service-protocol": _SERVICE,
    "service-selector": _SERVICE,
    "service-selector-drifted": _SERVICE,
    "service-target-port": _SERVICE,
    "service-target-port-by-name": _SERVICE,
    "sidecar-port": _BACK,
    "taint-that-keeps-out-several": ("remove-taint",),
}
