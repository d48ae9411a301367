"""What has to be granted so that a runbook can run somewhere: objects to apply, computed and never applied here.

A team opts a namespace in (`opt_in`); the platform's owner grants each family of runbooks there (`grants`): an account
of its own for that family in that namespace, with no more than its active versions ask for, and to the operator the
right to mint tokens of exactly this account.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from interlock.crds.names import (
    AGENTS_GROUP,
    KUBE_SYSTEM,
    KUBE_SYSTEM_FAMILIES,
    OPERATOR_ACCOUNT,
    OPT_IN_LABEL,
    OPT_IN_VALUE,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
    runner_account,
)
from interlock.crds.runbook import PolicyRule, Runbook

Manifest = dict[str, Any]

EXECUTIONS_PER_NAMESPACE = 200
"""A storm cap that the API server itself keeps; larger than the number of finished executions that are kept."""

READER_ROLE = "interlock-operator-reader"
AGENTS_ROLE = "interlock-agents-reader"
AGENTS_ASKING_ROLE = "interlock-agents-system"
"""In kube-system, where agents read less than elsewhere, by a binding that the chart brings."""

_RBAC = "rbac.authorization.k8s.io"
_OPERATOR = {"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": SYSTEM_NAMESPACE}
_AGENTS = {"kind": "Group", "apiGroup": _RBAC, "name": AGENTS_GROUP}


def opt_in(namespace: str) -> list[Manifest]:
    """What a team applies to let Interlock see and act in its namespace; the runbooks are granted apart.

    Raises:
        ValueError: Interlock never acts in this namespace.
    """
    _demand_open(namespace)
    agents_role = AGENTS_ASKING_ROLE if namespace == KUBE_SYSTEM else AGENTS_ROLE
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {OPT_IN_LABEL: OPT_IN_VALUE}},
        },
        _binding(READER_ROLE, namespace, "ClusterRole", READER_ROLE, _OPERATOR),
        _binding(agents_role, namespace, "ClusterRole", agents_role, _AGENTS),
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "interlock", "namespace": namespace},
            "spec": {"hard": {"count/runbookexecutions.interlock.dev": str(EXECUTIONS_PER_NAMESPACE)}},
        },
    ]


def fits(runbook: Runbook, namespace: str | None) -> bool:
    """Whether a runbook has anything to do in a namespace, or on cluster-scoped targets when that is None."""
    if namespace == KUBE_SYSTEM and runbook.spec.family not in KUBE_SYSTEM_FAMILIES:
        return False
    return (runbook.spec.scope == "Cluster") == (namespace is None)


def grants(runbook: Runbook, namespaces: Sequence[str | None]) -> list[Manifest]:
    """What one runbook needs in these namespaces; None stands for cluster-scoped targets.

    A family with several active versions is granted with `grants_for_family`: applied one after the other, the
    grants of single versions would replace each other.
    """
    return grants_for_family([runbook], namespaces)


def grants_for_family(runbooks: Iterable[Runbook], namespaces: Sequence[str | None]) -> list[Manifest]:
    """What the versions of one family need in these namespaces: the union of what the active ones ask for.

    Retired versions count for nothing; a family of hand-overs needs nothing and gets nothing.

    Raises:
        ValueError: the runbooks are of several families, or this one never acts in one of the namespaces.
    """
    versions = list(runbooks)
    families = sorted({runbook.spec.family for runbook in versions})
    if len(families) > 1:
        raise ValueError(f"one family at a time, got {', '.join(families)}")
    if all(runbook.spec.type == "Handover" for runbook in versions):
        return []
    rules = _union(rule for r in versions if r.spec.state == "Active" for rule in r.spec.permissions)
    return [manifest for namespace in namespaces for manifest in _in_namespace(families[0], rules, namespace)]


def _in_namespace(family: str, rules: list[Manifest], namespace: str | None) -> list[Manifest]:
    if namespace is not None:
        _demand_open(namespace)
    if namespace == KUBE_SYSTEM and family not in KUBE_SYSTEM_FAMILIES:
        raise ValueError(f"in {KUBE_SYSTEM} no runbook acts but {', '.join(KUBE_SYSTEM_FAMILIES)}, not {family}")
    account = runner_account(family, namespace)
    runner = {"kind": "ServiceAccount", "name": account, "namespace": RUNNERS_NAMESPACE}
    mint = [
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [account], "verbs": ["create"]}
    ]
    may = f"interlock-runner.{family}"
    role = "Role" if namespace else "ClusterRole"
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account, "namespace": RUNNERS_NAMESPACE},
            "automountServiceAccountToken": False,
        },
        _role(may, namespace, rules),
        _binding(may, namespace, role, may, runner),
        _role(f"mint.{account}", RUNNERS_NAMESPACE, mint),
        _binding(f"mint.{account}", RUNNERS_NAMESPACE, "Role", f"mint.{account}", _OPERATOR),
    ]


def _union(rules: Iterable[PolicyRule]) -> list[Manifest]:
    """The rules as RBAC writes them, each once, in the order in which they were first asked for."""
    written: list[Manifest] = []
    for rule in rules:
        manifest = {"apiGroups": rule.api_groups, "resources": rule.resources, "verbs": rule.verbs}
        if rule.resource_names:
            manifest["resourceNames"] = rule.resource_names
        if manifest not in written:
            written.append(manifest)
    return written


def _role(name: str, namespace: str | None, rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": _metadata(name, namespace),
        "rules": rules,
    }


def _binding(name: str, namespace: str | None, role_kind: str, role: str, subject: Manifest) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role},
        "subjects": [subject],
    }


def _metadata(name: str, namespace: str | None) -> Manifest:
    return {"name": name, "namespace": namespace} if namespace else {"name": name}


def _demand_open(namespace: str) -> None:
    """Interlock's own namespaces stay out of its reach, and `cluster` would name the account for cluster targets."""
    reserved = namespace.startswith(("interlock-", "kube-")) and namespace != KUBE_SYSTEM
    if namespace == "cluster" or reserved:
        raise ValueError(f"Interlock never acts in the namespace {namespace!r}")
