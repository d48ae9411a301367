"""Who may do what: the one table that the documentation prints and a test walks on a real API server.

Each power is one request, as a dry run wherever the API server offers one, and the identities to whom it is granted.
`{ns}` is an opted-in namespace with a Ledger, the Deployment `web`, the pods `owned` and `bare`, and two executions of
low risk whose plan is offered: `{rbx}`, asked for by the requester, and `{own}`, asked for by who may break the glass.
`{head}` is a signed head, `{user}` is who makes the request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.crds.audithead import AuditHeadSpec

JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

PEOPLE = ("anonymous", "developer", "requester", "approver", "glass breaker", "on-call", "owner")
ACCOUNTS = ("agents", "operator", "runner", "runner elsewhere")
MISTAKES = ("agents!", "operator!", "runner!", "cluster runner!", "taint remover!", "job copier!")
"""Bound to cluster-admin by mistake."""
IDENTITIES = (*PEOPLE, *ACCOUNTS, *MISTAKES)

API = "/apis/interlock.dev/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/interlock-system/leases"
CORE = "/api/v1/namespaces/{ns}"
WEB = "/apis/apps/v1/namespaces/{ns}/deployments/web"
JOBS = "/apis/batch/v1/namespaces/{ns}/jobs"
LEDGERS = API + "/namespaces/interlock-system/ledgers"
EXECUTIONS = API + "/namespaces/{ns}/runbookexecutions"
RUNNERS = "/api/v1/namespaces/interlock-runners"
DRY = "?dryRun=All"

READERS = frozenset({"developer", "agents", "operator", *MISTAKES})
OWN_PODS = {"containers": [{"name": "web", "image": "web"}]}
NAMED = {"metadata": {"name": "power-probe"}}


@dataclass(frozen=True)
class Power:
    """One request, and to whom it is granted."""

    what: str
    method: str
    path: str
    who: frozenset[str] = frozenset()
    body: Any = None
    content: str = ""
    note: str = ""
    untried: tuple[str, ...] = ()
    """Identities whose answer would say nothing: no policy is asked about what is not there."""


def _power(what: str, request: str, *who: str, **more: Any) -> Power:
    method, _, path = request.partition(" ")
    return Power(what, method, path, frozenset(who), **more)


def _decision(verdict: str) -> list[Mapping[str, Any]]:
    value = {"by": "{user}", "verdict": verdict, "subject": "{plan}", "comment": "nobody else is there"}
    return [{"op": "add", "path": "/spec/decisions/-", "value": value}]


def _execution(by: str) -> Mapping[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "{ns}", "name": "web"}
    return {
        "apiVersion": "interlock.dev/v1alpha1",
        "kind": "RunbookExecution",
        "metadata": {"name": "power-probe", "finalizers": ["interlock.dev/audit"]},
        "spec": {
            "runbook": {"name": "restart-deployment-1.0.0", "digest": f"sha256:{'b' * 64}"},
            "target": target,
            "reason": {"summary": "a probe"},
            "requestedBy": by,
        },
    }


def _runbook() -> Mapping[str, Any]:
    spec = {
        "family": "power-probe",
        "version": "1.0.0",
        "title": "Probe",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}],
        "steps": [{"name": "scale", "action": "scale", "with": {"replicas": "1"}}],
        "verification": {"checks": [{"name": "ready", "expression": "true"}]},
    }
    metadata = {"name": "power-probe-1.0.0"}
    return {"apiVersion": "interlock.dev/v1alpha1", "kind": "Runbook", "metadata": metadata, "spec": spec}


def _job(**container: Any) -> Mapping[str, Any]:
    annotations = {"interlock.dev/last-step": "uid/again/1", "interlock.dev/copy-of": "uid"}
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [{"name": "probe", "image": "probe", **container}],
    }
    spec = {"activeDeadlineSeconds": 60, "template": {"spec": pod}}
    return {"metadata": {"name": "power-probe", "annotations": annotations}, "spec": spec}


def _binding(subject: Mapping[str, str]) -> Mapping[str, Any]:
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "view"}
    return NAMED | {"roleRef": role, "subjects": [{"apiGroup": group, **subject}]}


_LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "interlock-emergency-stop", "namespace": "interlock-system"},
    "spec": {"holderIdentity": "a probe"},
}
_ANCHOR = {
    "metadata": {"name": "rbx-power-probe", "labels": {"interlock.dev/execution-uid": "0b3c"}},
    "type": "interlock.dev/execution",
}
_TOKEN = {
    "spec": {"expirationSeconds": 600, "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "rbx-{ns}"}}
}
_ATTESTATION = {"keyId": "k", "vettedAt": "2026-01-01T00:00:00Z", "envelope": "e30="}
_VETTED = {"type": "Vetted", "status": "True", "reason": "Trusted"}
_TRUST = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "interlock-trust", "namespace": "interlock-system"},
    "data": {"policy.yaml": "keys: []"},
}
_LEDGER = {
    "apiVersion": "interlock.dev/v1alpha1",
    "kind": "Ledger",
    "metadata": {"name": "ns.power-probe"},
    "spec": {"holds": []},
}
_HEAD = AuditHeadSpec(
    seq=1,
    head=f"sha256:{'c' * 64}",
    key_id=f"ed25519:{'A' * 43}=",
    signature=f"{'A' * 86}==",
    signed_at="2026-01-01T00:00:00.000Z",
)
_UNSEEN = "the policies do not see it; the operator's self-check does, and then does nothing"

POWERS = (
    _power("read workloads", "GET " + WEB, *READERS, "runner"),
    _power("read Secrets", f"GET {CORE}/secrets", "developer", *MISTAKES, note=_UNSEEN),
    _power(
        "create a workload",
        f"POST /apis/apps/v1/namespaces/{{ns}}/deployments{DRY}",
        "developer",
        body=NAMED
        | {
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": OWN_PODS},
            }
        },
    ),
    _power(
        "scale a workload",
        f"PATCH {WEB}{DRY}",
        "developer",
        "runner",
        "runner!",
        "job copier!",
        body={"spec": {"replicas": 2}},
    ),
    _power(
        "change whom a workload runs as",
        f"PATCH {WEB}{DRY}",
        "developer",
        body={"spec": {"template": {"spec": {"serviceAccountName": "other"}}}},
    ),
    _power("create a pod", f"POST {CORE}/pods{DRY}", "developer", body=NAMED | {"spec": OWN_PODS}),
    _power(
        "delete a pod that is made anew",
        f"DELETE {CORE}/pods/owned{DRY}",
        "developer",
        "runner",
        "runner!",
        "job copier!",
    ),
    _power("delete a bare pod", f"DELETE {CORE}/pods/bare{DRY}", "developer"),
    _power(
        "evict a pod",
        f"POST {CORE}/pods/owned/eviction{DRY}",
        "developer",
        "runner!",
        "cluster runner!",
        "taint remover!",
        "job copier!",
        body={"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "owned", "namespace": "{ns}"}},
    ),
    _power("run a command in a pod", f"POST {CORE}/pods/bare/exec?command=id&stdout=true", "developer"),
    _power("create a Secret", f"POST {CORE}/secrets{DRY}", "developer", body=NAMED),
    _power(
        "mint a token of an account there",
        f"POST {CORE}/serviceaccounts/default/token{DRY}",
        "developer",
        body={"spec": {}},
    ),
    _power(
        "opt a namespace in or out",
        f"PATCH {CORE}{DRY}",
        body={"metadata": {"labels": {"interlock.dev/remediation": "no"}}},
    ),
    _power(
        "cordon a node", f"PATCH /api/v1/nodes/node-1{DRY}", "cluster runner!", body={"spec": {"unschedulable": True}}
    ),
    _power(
        "change a taint of a node",
        f"PATCH /api/v1/nodes/node-1{DRY}",
        "taint remover!",
        body={"spec": {"taints": [{"key": "example.com/probe", "effect": "NoSchedule"}]}},
    ),
    _power(
        "change a taint of a node that is Kubernetes' own",
        f"PATCH /api/v1/nodes/node-1{DRY}",
        body={"spec": {"taints": [{"key": "node.kubernetes.io/probe", "effect": "NoSchedule"}]}},
    ),
    _power("create a copy of a Job", f"POST {JOBS}{DRY}", "developer", "job copier!", body=_job()),
    _power(
        "create a copy of a Job that is privileged",
        f"POST {JOBS}{DRY}",
        "developer",
        body=_job(securityContext={"privileged": True}),
    ),
    _power(
        "make the Secret of a runner's token", f"POST {RUNNERS}/secrets{DRY}", "operator", "operator!", body=_ANCHOR
    ),
    _power(
        "mint a runner's token",
        f"POST {RUNNERS}/serviceaccounts/{{runner}}/token{DRY}",
        "operator",
        "operator!",
        body=_TOKEN,
    ),
    _power(
        "mint a runner's token for longer",
        f"POST {RUNNERS}/serviceaccounts/{{runner}}/token{DRY}",
        body={"spec": {"expirationSeconds": 7200}},
    ),
    _power(
        "ask, in one's own name",
        f"POST {EXECUTIONS}{DRY}",
        "requester",
        "glass breaker",
        "agents",
        "agents!",
        body=_execution("{user}"),
    ),
    _power("ask, in another's name", f"POST {EXECUTIONS}{DRY}", body=_execution("somebody")),
    _power("approve", f"PATCH {EXECUTIONS}/{{rbx}}{DRY}", "approver", body=_decision("Approve"), content=JSON_PATCH),
    _power(
        "approve one's own request",
        f"PATCH {EXECUTIONS}/{{own}}{DRY}",
        "glass breaker",
        body=_decision("BreakGlass"),
        content=JSON_PATCH,
        note="low risk only, with a reason, and an alarm",
    ),
    _power(
        "cancel",
        f"PATCH {EXECUTIONS}/{{rbx}}{DRY}",
        "requester",
        "approver",
        "on-call",
        body={"spec": {"cancelled": {"by": "{user}"}}},
    ),
    _power("change what was asked", f"PATCH {EXECUTIONS}/{{rbx}}{DRY}", body={"spec": {"parameters": {"a": "b"}}}),
    _power(
        "record what happened",
        f"PATCH {EXECUTIONS}/{{rbx}}/status{DRY}",
        "operator",
        "operator!",
        body={"status": {"message": "a probe"}},
    ),
    _power("delete an execution", f"DELETE {EXECUTIONS}/{{rbx}}{DRY}", "owner", note="it goes once it is archived"),
    _power("publish a runbook", f"POST {API}/runbooks{DRY}", "owner", body=_runbook()),
    _power(
        "attest a runbook",
        f"PATCH {API}/runbooks/{{book}}{DRY}",
        "owner",
        body=[{"op": "add", "path": "/spec/attestations", "value": [_ATTESTATION]}],
        content=JSON_PATCH,
        note="it counts only if a key signed it that the trust policy names",
    ),
    _power(
        "say what a runbook is worth",
        f"PATCH {API}/runbooks/{{book}}/status{DRY}",
        "operator",
        "operator!",
        body={"status": {"conditions": [_VETTED]}},
    ),
    _power(
        "say whose attestations are believed",
        f"PATCH /api/v1/namespaces/interlock-system/configmaps/interlock-trust{DRY}&fieldManager=probe",
        body=_TRUST,
        content=APPLY,
    ),
    _power(
        "set another guardrail",
        f"POST {API}/guardrails{DRY}",
        "on-call",
        "owner",
        body={"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", **NAMED, "spec": {"stop": True}},
    ),
    _power(
        "change a guardrail", f"PATCH {API}/guardrails/default{DRY}", "owner", body={"spec": {"message": "a probe"}}
    ),
    _power("delete the last guardrail", f"DELETE {API}/guardrails/default{DRY}"),
    _power(
        "pull the emergency stop",
        f"PATCH {LEASES}/interlock-emergency-stop{DRY}&fieldManager=probe",
        "on-call",
        "owner",
        body=_LEASE,
        content=APPLY,
    ),
    _power("lift the emergency stop", f"DELETE {LEASES}/interlock-emergency-stop{DRY}", "owner", untried=MISTAKES),
    _power("read Ledgers", f"GET {LEDGERS}", "operator", *MISTAKES),
    _power("make a Ledger", f"POST {LEDGERS}{DRY}", "operator", "operator!", body=_LEDGER),
    _power(
        "change a Ledger", f"PATCH {LEDGERS}/ns.{{ns}}{DRY}", "operator", "operator!", body={"spec": {"counts": []}}
    ),
    _power(
        "delete a Ledger",
        f"DELETE {LEDGERS}/ns.{{ns}}{DRY}",
        note="a cluster admin may; what it counted is forgotten with it",
    ),
    _power("sign the archive's head", f"POST {API}/auditheads{DRY}", "operator", "operator!", body=_HEAD.manifest()),
    _power("change a signed head", f"PATCH {API}/auditheads/{{head}}{DRY}", body={"metadata": {"labels": {"a": "b"}}}),
    _power(
        "delete a signed head",
        f"DELETE {API}/auditheads/{{head}}{DRY}",
        note="the owner may, once it is 30 days old",
    ),
    _power(
        "lead", f"POST {LEASES}{DRY}", "operator", "operator!", body={"metadata": {"name": "interlock-operator-probe"}}
    ),
    _power(
        "bind the agents to more",
        f"POST {RBAC}/clusterrolebindings{DRY}",
        body=_binding({"kind": "User", "name": "system:serviceaccount:interlock-agents:interlock-agents"}),
    ),
    _power(
        "bind anybody to anything",
        f"POST {RBAC}/clusterrolebindings{DRY}",
        body=_binding({"kind": "User", "name": "x"}),
    ),
    _power(
        "change a definition",
        f"PATCH /apis/apiextensions.k8s.io/v1/customresourcedefinitions/runbooks.interlock.dev{DRY}",
        body={"metadata": {"labels": {"a": "b"}}},
    ),
    _power(
        "unbind a policy",
        f"DELETE {POLICIES}/validatingadmissionpolicybindings/interlock-agents{DRY}",
        *MISTAKES,
        note=_UNSEEN,
    ),
)
"""Every power; what is granted to nobody is the cluster's owner's alone, or impossible."""


_INTRODUCTION = """\
# Who may do what

Generated from `tools/powers.py`; edit that, then run `make generate`. A test makes each of these requests as each of
these identities on a real API server, and compares the answers with this table.

The developer holds the ClusterRole `edit` in the namespace; requester, approver, on-call and owner hold the roles of
those names, and the glass breaker is a requester with `interlock-break-glass`. The runner is the account of a family
that may patch Deployments and delete pods in this namespace; *elsewhere* is that family's account of another one. An
exclamation mark: the same account, bound to cluster-admin by mistake; so are the taint remover and the job copier, the
accounts of the two families with a power of their own, `remove-taint` and `recreate-job`. What is granted to nobody
here is a cluster admin's, or nobody's. A dash: not tried, as the request would not get as far as the policies. Of each
runner of the catalogue another test asks the authorizer for all that any of them needs, and for what nobody may: it has
what its own runbooks say, and nothing else.

"""


def page() -> str:
    """The table as the documentation shows it."""
    notes = list(dict.fromkeys(power.note for power in POWERS if power.note))
    lines = ["| | " + " | ".join(IDENTITIES) + " |", "|---|" + "---|" * len(IDENTITIES)]
    for power in POWERS:
        mark = f" [{notes.index(power.note) + 1}]" if power.note else ""
        cells = ("yes" if who in power.who else "–" if who in power.untried else "" for who in IDENTITIES)
        lines.append(f"| {power.what}{mark} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{number}. {note}." for number, note in enumerate(notes, start=1))]
    return _INTRODUCTION + "\n".join(lines) + "\n"
