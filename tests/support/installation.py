"""Interlock's contract on a cluster: definitions, roles and policies in force, and the identities that they are about.

Nothing of Interlock runs here; the tests of the operator and of the agents start those under these identities.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.support.identity import Answer, Identity, Json
from tests.support.waiting import eventually

from interlock.cli.releases import CONTRACT_ONLY, definitions, install_all, interlock
from interlock.crds.grants import needed
from interlock.crds.ledger import LedgerSpec, new_ledger
from interlock.crds.names import (
    AGENTS_ACCOUNT,
    AGENTS_GROUP,
    AGENTS_NAMESPACE,
    AGENTS_USER,
    AUDIT_FINALIZER,
    OPERATOR_ACCOUNT,
    OPERATOR_USER,
    RUNNERS_GROUP,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
    runner_account,
)
from interlock.crds.runbook import Runbook
from interlock.lab import Lab
from interlock.lab.helm import find_helm
from interlock.lab.tools import silent
from interlock.runbooks.rbac import grants_for_family, opt_in

API = "/apis/interlock.dev/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Installation:
    """A cluster with Interlock's contract in force."""

    lab: Lab
    _people: dict[tuple[str, ...], Identity] = field(default_factory=dict, repr=False)

    @cached_property
    def admin(self) -> Identity:
        """cluster-admin, of the group system:masters."""
        return Identity.load(self.lab.kubeconfig)

    @cached_property
    def operator(self) -> Identity:
        """The operator's own account."""
        return self.account(SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)

    @cached_property
    def agents(self) -> Identity:
        """The agents' account."""
        return self.account(AGENTS_NAMESPACE, AGENTS_ACCOUNT)

    @property
    def operator_kubeconfig(self) -> Path:
        """A kubeconfig of the operator's account, with a token for hours."""
        return self.operator.kubeconfig

    @property
    def agents_kubeconfig(self) -> Path:
        """A kubeconfig of the agents' account, with a token for hours."""
        return self.agents.kubeconfig

    def person(self, name: str, groups: Sequence[str] = ()) -> Identity:
        """A person with a client certificate; a name has the same groups in all tests, as workers share the lab."""
        key = (name, *groups)
        if key not in self._people:
            # Every worker keeps a copy of its own: one that another is just writing is never read.
            with _locked(self.lab):
                written = self.lab.client_certificate_kubeconfig(name, groups)
                own = written.with_stem(f"{written.stem}-{os.getpid()}-{len(self._people)}")
                shutil.copy(written, own)
            self._people[key] = Identity.load(own)
        return self._people[key]

    def runner(self, family: str, namespace: str | None) -> Identity:
        """The account of a family of runbooks in a namespace that was granted to it."""
        return self.account(RUNNERS_NAMESPACE, runner_account(family, namespace))

    def account(self, namespace: str, name: str) -> Identity:
        """A ServiceAccount with a token for hours, made by the administrator."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 36000}}
        minted = _demand(self.admin.post(path, body))
        kubeconfig = self.lab.token_kubeconfig(minted.body["status"]["token"], f"{name}-{os.getpid()}")
        return Identity.load(kubeconfig)

    def opt_in(self, namespace: str, runbooks: Iterable[Runbook] = ()) -> None:
        """Opts a namespace in and grants it these runbooks (published, too); returns when the rights are in force."""
        families: dict[str, list[Runbook]] = {}
        for runbook in runbooks:
            families.setdefault(runbook.spec.family, []).append(runbook)
            self.publish(runbook)
        manifests = opt_in(namespace)
        for versions in families.values():
            manifests += grants_for_family(versions, [namespace])
        self.apply(manifests)
        count_executions(self.admin, namespace)
        self.wait_for_right(OPERATOR_USER, "list", "pods", namespace)
        self.wait_for_right(AGENTS_USER, "create", "runbookexecutions.interlock.dev", namespace, groups=(AGENTS_GROUP,))
        for family, versions in families.items():
            if any(runbook.spec.permissions for runbook in versions):
                account = runner_account(family, namespace)
                self.wait_for_right(OPERATOR_USER, "create", "serviceaccounts/token", RUNNERS_NAMESPACE, name=account)
                *_, last = needed(versions[-1], namespace)
                kind = "/".join(filter(None, (last.right.resource, last.right.subresource)))
                asked = ".".join(filter(None, (kind, last.right.group)))
                self.wait_for_right(
                    last.user, last.right.verb, asked, namespace, groups=last.groups, name=last.right.name
                )

    def publish(self, runbook: Runbook) -> None:
        """Publishes a runbook with its digest, as `interlock runbook publish` does; harmless when it is there already.

        The lab is shared and a published runbook immutable: whoever publishes first must have said the same.
        """
        body = runbook.model_dump(mode="json", by_alias=True, exclude_none=True)
        body["spec"]["digest"] = runbook.digest()
        self.apply([body])

    def apply(self, manifests: Iterable[Json]) -> None:
        """Applies manifests as the administrator."""
        for manifest in manifests:
            _demand(self.admin.apply(manifest))

    def bind(self, user: str, role: str, namespace: str | None) -> None:
        """Binds a user to a ClusterRole in a namespace, or everywhere; returns when the binding is in force."""
        binding = binding_of(f"{user}.{role}".replace(":", "."), role, namespace, {"kind": "User", "name": user})
        self.apply([binding])
        for rule in _demand(self.admin.get(f"{RBAC}/clusterroles/{role}")).body["rules"]:
            if "resources" in rule:
                resource = ".".join(filter(None, (rule["resources"][0], rule["apiGroups"][0])))
                name = rule.get("resourceNames", [""])[0]
                self.wait_for_right(user, rule["verbs"][0], resource, namespace, name=name)

    def wait_for_right(
        self, user: str, verb: str, resource: str, namespace: str | None, *, groups: Sequence[str] = (), name: str = ""
    ) -> None:
        """Returns when the API server's authorizer grants it: new roles take a moment to reach it."""
        plural, _, group = resource.partition(".")
        plural, _, subresource = plural.partition("/")
        asked = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": subresource,
            "namespace": namespace or "",
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": list(groups), "resourceAttributes": asked},
        }

        def granted() -> bool:
            answer = self.admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
            return bool(_demand(answer).body["status"]["allowed"])

        eventually(f"{user} may {verb} {resource} in {namespace}", granted)


def install(lab: Lab) -> Installation:
    """The contract in force on this lab: applied by the first worker that asks, awaited by all."""
    done = lab.directory / "installation.done"
    with _locked(lab):
        if not done.exists():
            _apply_all(lab)
            wait_for_policies(admin := Identity.load(lab.kubeconfig))
            count_executions(admin, SYSTEM_NAMESPACE)
            done.touch()
    return Installation(lab)


@contextmanager
def _locked(lab: Lab) -> Iterator[None]:
    """One worker at a time."""
    with (lab.directory / "installation.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _apply_all(lab: Lab) -> None:
    """The definitions are there since the lab started; operator and agents run as processes of the tests."""
    helm = find_helm((f"--kubeconfig={lab.kubeconfig}",), silent)
    install_all(helm, (definitions(), interlock(CONTRACT_ONLY)), silent)


def wait_for_policies(admin: Identity) -> None:
    """New policies act a moment after they were created: each must have refused something first.

    Each probe is a dry run that the policy alone refuses, as it is asked by a member of system:masters.
    """
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "probe"}}
    runner = f"system:serviceaccount:{RUNNERS_NAMESPACE}:probe.cluster"
    for user, group in ((AGENTS_USER, AGENTS_GROUP), (OPERATOR_USER, ""), (runner, RUNNERS_GROUP)):
        who = admin.impersonating(user, *filter(None, (group, "system:masters")))
        _wait_until_refused(who, "/api/v1/namespaces", space)
    binding = binding_of("probe", "view", None, {"kind": "User", "name": AGENTS_USER})
    _wait_until_refused(admin, f"{RBAC}/clusterrolebindings", binding)
    ledgers = f"{API}/namespaces/{SYSTEM_NAMESPACE}/ledgers"
    _wait_until_refused(admin, ledgers, new_ledger("ns.probe", SYSTEM_NAMESPACE, LedgerSpec()))


def count_executions(admin: Identity, namespace: str, most: int = 1_000_000) -> None:
    """Caps the executions of a namespace at a number that no test meets; returns when they are admitted.

    The quota's controller notices new kinds every 30 s only, and refuses all creations until then: the first count is
    made here in its place.
    """
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/interlock"
    hard = {"count/runbookexecutions.interlock.dev": str(most)}
    _demand(admin.patch(path, {"spec": {"hard": hard}}))
    _demand(admin.patch(f"{path}/status", {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": "probe"}
    spec = {
        "runbook": {"name": "probe-1.0.0", "digest": f"sha256:{'0' * 64}"},
        "target": target,
        "reason": {"summary": "a dry run"},
        "requestedBy": admin.name_at_the_server(),
    }
    metadata = {"name": "probe", "finalizers": [AUDIT_FINALIZER]}
    probe = {"apiVersion": "interlock.dev/v1alpha1", "kind": "RunbookExecution", "metadata": metadata, "spec": spec}
    requests = f"{API}/namespaces/{namespace}/runbookexecutions?dryRun=All"
    eventually(f"executions to be admitted in {namespace}", lambda: admin.post(requests, probe).ok)


def _wait_until_refused(who: Identity, path: str, body: Json) -> None:
    eventually(f"{who.name} to be refused to write", lambda: not who.post(f"{path}?dryRun=All", body).ok)


def binding_of(name: str, role: str, namespace: str | None, subject: Json) -> Json:
    """A binding of a ClusterRole, in a namespace or everywhere."""
    group = {} if subject["kind"] == "ServiceAccount" else {"apiGroup": "rbac.authorization.k8s.io"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject | group],
    }


def _demand(answer: Answer) -> Answer:
    if not answer.ok:
        raise RuntimeError(f"the administrator was refused: {answer}")
    return answer
