"""What a runbook must be granted before it can act: its runner's rights, and the operator's to mint its token.

Operator and command line ask the authorizer the same questions, so that nobody is asked to approve what cannot be done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.crds.names import OPERATOR_USER, RUNNERS_GROUP, RUNNERS_NAMESPACE, runner_account
from interlock.crds.powers import EVERY_ACCOUNT, OPERATOR_GROUPS, Right
from interlock.crds.runbook import PolicyRule, Runbook


@dataclass(frozen=True)
class Grant:
    """One right that one account must have."""

    user: str
    groups: tuple[str, ...]
    right: Right

    def __str__(self) -> str:
        return f"{self.user.rpartition(':')[2]} may not {self.right}"


def needed(runbook: Runbook, namespace: str | None) -> Iterator[Grant]:
    """All that a runbook needs in a namespace, None for cluster-scoped targets; nothing where it changes nothing."""
    if not runbook.spec.permissions:
        return
    account = runner_account(runbook.spec.family, namespace)
    mint = Right("create", "serviceaccounts", namespace=RUNNERS_NAMESPACE, name=account, subresource="token")
    yield Grant(OPERATOR_USER, OPERATOR_GROUPS, mint)
    runner = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{account}"
    for rule in runbook.spec.permissions:
        for right in _rights(rule, namespace or ""):
            yield Grant(runner, (RUNNERS_GROUP, *EVERY_ACCOUNT), right)


def explained(runbook: Runbook, namespace: str | None, missing: Sequence[Grant]) -> str:
    """What is missing, and the command that prints all of it for somebody to apply who may grant it."""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{missing[0]}{more}: {way_out(runbook.spec.family, namespace)}"


def way_out(family: str, namespace: str | None) -> str:
    """The command that prints account, binding and token Role."""
    place = f"--namespace {namespace}" if namespace else "--cluster"
    return f"`interlock runbook rbac {family} {place}` prints what the owner of the rights applies"


def _rights(rule: PolicyRule, namespace: str) -> Iterator[Right]:
    for group in rule.api_groups:
        for resource in rule.resources:
            kind, _, subresource = resource.partition("/")
            for verb in rule.verbs:
                for name in rule.resource_names or [""]:
                    yield Right(verb, kind, group, namespace, name, subresource)
