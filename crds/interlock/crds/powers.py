"""What neither agents nor operator may ever be allowed by RBAC: asked of the authorizer, as admission does not see it.

Admission judges writes. It sees no reads, no impersonation and nothing that is done to the policies themselves: whoever
were granted these could go around every rule. The operator asks before it acts, and `interlock doctor` tells.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from interlock.crds.names import AGENTS_GROUP, AGENTS_NAMESPACE, RUNNERS_NAMESPACE, SYSTEM_NAMESPACE

EVERY_ACCOUNT = ("system:serviceaccounts", "system:authenticated")
"""Groups that every ServiceAccount is in."""
AGENTS_GROUPS = (AGENTS_GROUP, *EVERY_ACCOUNT)
OPERATOR_GROUPS = (f"system:serviceaccounts:{SYSTEM_NAMESPACE}", *EVERY_ACCOUNT)


@dataclass(frozen=True)
class Right:
    """Something that somebody may do, as the authorizer is asked; no namespace stands for all of them."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {what}" + (f" in {self.namespace}" if self.namespace else "")

    def review(self, user: str, groups: Sequence[str]) -> dict[str, Any]:
        """The SubjectAccessReview that asks whether a user of these groups has it."""
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": list(groups), "resourceAttributes": asdict(self)},
        }


_POLICIES = "admissionregistration.k8s.io"
AGENTS_MUST_NOT = (
    Right("get", "secrets"),
    *(Right("get", "secrets", namespace=ours) for ours in (SYSTEM_NAMESPACE, RUNNERS_NAMESPACE, AGENTS_NAMESPACE)),
    Right("get", "secrets", namespace="kube-system"),
    Right("create", "pods"),
    Right("create", "pods", subresource="exec"),
    Right("delete", "pods"),
    Right("patch", "deployments", "apps"),
    Right("impersonate", "users"),
    Right("impersonate", "groups"),
    Right("impersonate", "serviceaccounts"),
    Right("create", "serviceaccounts", subresource="token"),
    Right("create", "serviceaccounts", namespace=RUNNERS_NAMESPACE, subresource="token"),
    Right("get", "nodes", subresource="proxy"),
    Right("patch", "runbookexecutions", "interlock.dev"),
    Right("patch", "runbookexecutions", "interlock.dev", subresource="status"),
    Right("create", "runbooks", "interlock.dev"),
    Right("approve", "runbooks", "interlock.dev"),
    Right("breakglass", "runbooks", "interlock.dev"),
    Right("patch", "guardrails", "interlock.dev"),
    Right("delete", "validatingadmissionpolicies", _POLICIES),
    Right("delete", "validatingadmissionpolicybindings", _POLICIES),
    Right("patch", "validatingadmissionpolicies", _POLICIES),
    Right("patch", "validatingadmissionpolicybindings", _POLICIES),
    Right("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
)
OPERATOR_MUST_NOT = (
    Right("get", "secrets"),
    Right("patch", "deployments", "apps"),
    Right("delete", "pods"),
    Right("impersonate", "users"),
    Right("bind", "clusterroles", "rbac.authorization.k8s.io"),
    Right("escalate", "clusterroles", "rbac.authorization.k8s.io"),
    Right("delete", "validatingadmissionpolicybindings", _POLICIES),
)
