"""Names that the API server's rules, the operator, the agents and the command line must agree on."""

SYSTEM_NAMESPACE = "interlock-system"
AGENTS_NAMESPACE = "interlock-agents"
RUNNERS_NAMESPACE = "interlock-runners"

OPERATOR_ACCOUNT = "interlock-operator"
AGENTS_ACCOUNT = "interlock-agents"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{OPERATOR_ACCOUNT}"
AGENTS_USER = f"system:serviceaccount:{AGENTS_NAMESPACE}:{AGENTS_ACCOUNT}"
AGENTS_GROUP = f"system:serviceaccounts:{AGENTS_NAMESPACE}"
RUNNERS_GROUP = f"system:serviceaccounts:{RUNNERS_NAMESPACE}"

OPT_IN_LABEL = "interlock.dev/remediation"
OPT_IN_VALUE = "enabled"
PAUSED_VALUE = "paused"
"""Opted in, but for now nothing is written: what is under way is held."""
CLOSED = "interlock-uninstall"
"""The policy that refuses new requests while Interlock is taken off a cluster."""
OWN_ALERT_LABEL = "interlock_own"
"""On the alerts about Interlock itself: people look after it, it does not look after itself."""
KUBE_SYSTEM = "kube-system"
KUBE_SYSTEM_FAMILIES = ("restart-coredns",)
"""The families that alone may act on what the cluster itself runs on, where its owner grants them there; a policy says
the same, and on which object."""
SHARD_LABEL = "interlock.dev/shard"

AUDIT_FINALIZER = "interlock.dev/audit"
ARCHIVED_AT_ANNOTATION = "interlock.dev/archived-at"
LAST_STEP_ANNOTATION = "interlock.dev/last-step"
COPY_OF_ANNOTATION = "interlock.dev/copy-of"
"""On a Job that was run once more: the uid of the one that it is a copy of."""
EXECUTION_UID_LABEL = "interlock.dev/execution-uid"
RUNNER_SECRET_TYPE = "interlock.dev/execution"  # noqa: S105 - a type, not a secret
FIELD_MANAGER = "interlock"


def runner_account(family: str, namespace: str | None) -> str:
    """The ServiceAccount that acts for `family` in `namespace`, or on cluster-scoped targets when that is None."""
    return f"{family}.{namespace or 'cluster'}"
