"""What makes an installation whole, check by check; each says what it found and the way out.

Nothing is changed: objects are compared by a dry run of applying them, rights by asking the API server's authorizer.
"""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from interlock.cli.cluster import Cluster, Object, runbooks_path
from interlock.cli.errors import CommandError, Refused
from interlock.cli.manifests import Manifest, named
from interlock.cli.runbooks import parsed
from interlock.cli.spans import duration
from interlock.crds.grants import needed
from interlock.crds.manifests import documents
from interlock.crds.names import (
    AGENTS_USER,
    OPERATOR_ACCOUNT,
    OPERATOR_USER,
    OPT_IN_LABEL,
    OPT_IN_VALUE,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
    runner_account,
)
from interlock.crds.powers import (
    AGENTS_GROUPS,
    AGENTS_MUST_NOT,
    OPERATOR_GROUPS,
    OPERATOR_MUST_NOT,
    Right,
)
from interlock.crds.runbook import Runbook
from interlock.crds.types import API_VERSION

INSTALL = "interlock install --context NAME"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    says: str
    fix: str = ""


def examine(cluster: Cluster, prometheus_url: str = "") -> Iterator[Finding]:
    """All findings, in the order in which one would mend them."""
    yield from _manifests(cluster)
    if not _served(cluster):
        return
    yield from _agents_only_ask(cluster)
    yield from _operator_only_decides(cluster)
    yield leader(cluster)
    yield _guardrail(cluster)
    yield from _runbooks(cluster)
    if prometheus_url:
        yield _prometheus(prometheus_url)


def _manifests(cluster: Cluster) -> Iterator[Finding]:
    """Definitions, roles, policies and bindings are there, and are what this version ships."""
    wanted = [*documents("crds"), *(m for m in documents("install") if m["kind"] != "Guardrail")]
    for kind in dict.fromkeys(m["kind"] for m in wanted):
        flaws = [flaw for m in wanted if m["kind"] == kind and (flaw := _flaw(cluster, m))]
        count = sum(m["kind"] == kind for m in wanted)
        says = "; ".join(flaws) or f"{count} present and current"
        yield Finding(kind, not flaws, says, "" if not flaws else INSTALL)


def _flaw(cluster: Cluster, manifest: Manifest) -> str:
    name = named(manifest).partition(" ")[2]
    try:
        live = cluster.find(cluster.path_of(manifest))
        if live is None:
            return f"{name} is missing"
        applied = cluster.apply(manifest, dry_run=True)
    except Refused as refused:
        return f"{name} cannot be judged: {refused.message}"
    same = all(applied.get(part) == live.get(part) for part in {*live, *applied} - {"metadata", "status"})
    return "" if same else f"{name} differs from what this version ships"


def _served(cluster: Cluster) -> bool:
    return cluster.find(f"/apis/{API_VERSION}") is not None


def _agents_only_ask(cluster: Cluster) -> Iterator[Finding]:
    groups = AGENTS_GROUPS
    may = [right for right in AGENTS_MUST_NOT if allowed(cluster, AGENTS_USER, groups, right)]
    fix = "Find the binding: kubectl get rolebindings,clusterrolebindings -A -o wide | grep interlock-agents"
    yield _rights("agents can only ask", may, "may ", len(AGENTS_MUST_NOT), fix)
    for namespace in opted_in(cluster):
        wanted = [
            Right("create", "runbookexecutions", "interlock.dev", namespace),
            Right("list", "pods", namespace=namespace),
            Right("list", "deployments", "apps", namespace),
        ]
        missing = [right for right in wanted if not allowed(cluster, AGENTS_USER, groups, right)]
        fix = f"interlock namespace opt-in {namespace} --apply"
        yield _rights(f"agents see and ask in {namespace}", missing, "may not ", len(wanted), fix)


def _operator_only_decides(cluster: Cluster) -> Iterator[Finding]:
    groups = OPERATOR_GROUPS
    may = [right for right in OPERATOR_MUST_NOT if allowed(cluster, OPERATOR_USER, groups, right)]
    fix = "Find the binding: kubectl get rolebindings,clusterrolebindings -A -o wide | grep interlock-operator"
    yield _rights("operator changes no workload", may, "may ", len(OPERATOR_MUST_NOT), fix)
    for namespace in opted_in(cluster):
        wanted = [Right("list", "pods", namespace=namespace), Right("list", "replicasets", "apps", namespace)]
        missing = [right for right in wanted if not allowed(cluster, OPERATOR_USER, groups, right)]
        fix = f"interlock namespace opt-in {namespace} --apply"
        yield _rights(f"operator sees {namespace}", missing, "may not ", len(wanted), fix)


def _rights(subject: str, wrong: list[Right], how: str, asked: int, fix: str) -> Finding:
    says = "; ".join(f"{how}{right}" for right in wrong) or f"{asked} rights asked of the authorizer"
    return Finding(subject, not wrong, says, fix if wrong else "")


def leader(cluster: Cluster) -> Finding:
    """Whether an operator leads, by its Lease."""
    fix = "Start it, under its own account: interlock operator run"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/{OPERATOR_ACCOUNT}"
    spec = (cluster.find(path) or {}).get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return Finding("operator leads", False, "no operator holds the Lease: nothing is planned or done", fix)
    silent = (datetime.now(UTC) - datetime.fromisoformat(spec["renewTime"])).total_seconds()
    says = f"{spec['holderIdentity']} renewed the Lease {duration(silent)} ago, term {spec.get('leaseTransitions', 0)}"
    fresh = silent <= float(spec.get("leaseDurationSeconds") or 15)
    return Finding("operator leads", fresh, says, "" if fresh else fix)


def _guardrail(cluster: Cluster) -> Finding:
    found = cluster.items(f"/apis/{API_VERSION}/guardrails")
    stopped = [item["metadata"]["name"] for item in found if item["spec"].get("stop")]
    if not found:
        return Finding("guardrail", False, "there is none: nothing limits what an approval allows", INSTALL)
    if stopped:
        fix = f'When it is over: kubectl patch guardrail {stopped[0]} --type=merge -p \'{{"spec":{{"stop":false}}}}\''
        return Finding("guardrail", False, f"{', '.join(stopped)} has stopped all writes", fix)
    return Finding("guardrail", True, ", ".join(item["metadata"]["name"] for item in found))


def _runbooks(cluster: Cluster) -> Iterator[Finding]:
    bodies = [body for body in cluster.items(runbooks_path()) if body["spec"].get("state", "Active") == "Active"]
    if not bodies:
        fix = "interlock runbook publish --catalogue --grant NAMESPACE"
        yield Finding("runbooks", False, "none is published, so nothing can be asked for", fix)
    namespaces = opted_in(cluster)
    if not namespaces:
        yield Finding("namespaces", False, "none is opted in", "interlock namespace opt-in NAME --apply")
    for body in bodies:
        yield from _runbook(cluster, body, namespaces)


def _runbook(cluster: Cluster, body: Object, namespaces: list[str]) -> Iterator[Finding]:
    name = body["metadata"]["name"]
    try:
        runbook = parsed(body)
    except CommandError as wrong:
        yield Finding(f"runbook {name}", False, wrong.message, "Retire it, and publish a version of now.")
        return
    if body["spec"].get("digest") not in (None, runbook.digest()):
        fix = "Retire it, and publish a new version."
        yield Finding(f"runbook {name}", False, "its content has another digest than it says", fix)
    if runbook.spec.type == "Handover" or runbook.spec.scope == "Cluster":
        return
    for namespace in namespaces:
        yield _grants(cluster, runbook, namespace)


def _grants(cluster: Cluster, runbook: Runbook, namespace: str) -> Finding:
    account = runner_account(runbook.spec.family, namespace)
    wanted = needed(runbook, namespace)
    missing = [str(grant) for grant in wanted if not allowed(cluster, grant.user, grant.groups, grant.right)]
    if cluster.find(f"/api/v1/namespaces/{RUNNERS_NAMESPACE}/serviceaccounts/{account}") is None:
        missing.insert(0, f"its account {account} is missing")
    subject = f"{runbook.metadata.name} in {namespace}"
    fix = f"interlock runbook publish {runbook.metadata.name} --grant {namespace}"
    says = "not granted: " + "; ".join(missing) if missing else "granted"
    return Finding(subject, not missing, says, fix if missing else "")


def _prometheus(url: str) -> Finding:
    fix = "Checks with promql fail until it answers: mend it, or correct --prometheus."
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/api/v1/query?query=vector(1)", timeout=5) as answer:  # noqa: S310
            ok = json.load(answer).get("status") == "success"
    except (OSError, ValueError) as error:
        return Finding("prometheus", False, f"{url}: {error}", fix)
    return Finding("prometheus", ok, f"{url} answers", "" if ok else fix)


def opted_in(cluster: Cluster) -> list[str]:
    """The namespaces that are opted in."""
    found = cluster.items("/api/v1/namespaces", labelSelector=f"{OPT_IN_LABEL}={OPT_IN_VALUE}")
    return [item["metadata"]["name"] for item in found if not item["metadata"].get("deletionTimestamp")]


def allowed(cluster: Cluster, user: str, groups: tuple[str, ...], right: Right) -> bool:
    """What the API server's authorizer says; raises Refused for those who may not ask it."""
    answer = cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", right.review(user, groups))
    return bool(answer["status"]["allowed"])
