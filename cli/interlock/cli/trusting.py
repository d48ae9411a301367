"""Whom an installation trusts, and what of its catalogue would run: today, and a month from now. Changes nothing.

The operator judges anew whenever something is asked for; this says beforehand what it would find.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from interlock.cli.cluster import Cluster, runbooks_path
from interlock.cli.diagnosis import Finding
from interlock.cli.errors import CommandError
from interlock.cli.runbooks import parsed
from interlock.crds.attestation import Verdict, judge
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.runbook import Runbook
from interlock.crds.trust import PolicyRefused, TrustPolicy

AHEAD = timedelta(days=30)
"""So long before an attestation expires it is named: time for another vetting."""
NAMED = 5
_POLICY = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/interlock-trust"
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments"
_OPERATOR = "app.kubernetes.io/name=interlock-operator"
_UNVETTED = "INTERLOCK_OPERATOR_ALLOW_UNVETTED"
_NAME_KEYS = "Name keys in the value operator.trust of the chart: `interlock key new` makes one."
_VET = "Vet and sign again: interlock runbook vet, interlock runbook sign, interlock runbook publish."


def trust(cluster: Cluster, now: datetime) -> Iterator[Finding]:
    """All findings about trust, in the order in which one would mend them."""
    lenient = _allows_unvetted(cluster)
    if lenient:
        fix = "Set operator.allowUnvetted=false in the values of the chart, once your runbooks are vetted and signed."
        yield Finding("unvetted runbooks", False, "are allowed: what nobody attests runs all the same", fix)
    written = cluster.find(_POLICY)
    if written is None:
        yield Finding("trust", True, "the operator is not run by the chart: its file is not seen from here")
        return
    try:
        policy = TrustPolicy.parse(str((written.get("data") or {}).get("policy.yaml", "")).encode())
    except PolicyRefused as refused:
        yield Finding("trust", False, f"the policy cannot be read, so nobody is trusted: {refused}", _NAME_KEYS)
        return
    yield _keys(policy, lenient=lenient)
    yield from _runbooks(_active(cluster), policy, now, str(cluster.get("/version").get("gitVersion", "")), lenient)


def _allows_unvetted(cluster: Cluster) -> bool:
    """Whether an operator that the chart runs does without attestations."""
    found = cluster.items(_DEPLOYMENTS, labelSelector=_OPERATOR)
    containers = [c for item in found for c in item["spec"]["template"]["spec"]["containers"]]
    given = [str(e.get("value", "")) for c in containers for e in c.get("env") or () if e["name"] == _UNVETTED]
    return any(value.lower() in ("true", "1", "yes", "on") for value in given)


def _keys(policy: TrustPolicy, *, lenient: bool) -> Finding:
    valid = [trusted.name for trusted in policy.keys if trusted.key not in policy.revoked_keys]
    revoked = [trusted.name for trusted in policy.keys if trusted.key in policy.revoked_keys]
    says = f"attestations are believed that are signed by: {', '.join(valid) or 'nobody'}"
    says += f"; revoked: {', '.join(revoked)}" if revoked else ""
    ok = bool(valid) or lenient
    return Finding("trust", ok, says, "" if ok else f"No runbook runs. {_NAME_KEYS}")


def _runbooks(
    runbooks: Sequence[Runbook], policy: TrustPolicy, now: datetime, kubernetes: str, lenient: bool
) -> Iterator[Finding]:
    verdicts = {book.metadata.name: judge(book, policy, now, kubernetes) for book in runbooks}
    refused = {name: verdict for name, verdict in verdicts.items() if not verdict.trusted}
    says = f"{len(verdicts) - len(refused)} of {len(verdicts)} are trusted" + _said(refused)
    ok = not refused or (lenient and all(verdict.reason != "DigestRevoked" for verdict in refused.values()))
    yield Finding("attestations", ok, says, "" if ok else _VET)
    later = {book.metadata.name: judge(book, policy, now + AHEAD, kubernetes) for book in runbooks}
    ending = {name: found for name, found in later.items() if not found.trusted and verdicts[name].trusted}
    if ending:
        yield Finding("attestations soon", False, f"{len(ending)} expire within {AHEAD.days} days{_said(ending)}", _VET)


def _said(verdicts: dict[str, Verdict]) -> str:
    """Some of them with their reasons."""
    named = "; ".join(f"{name}: {verdict.reason}" for name, verdict in list(verdicts.items())[:NAMED])
    more = f" and {len(verdicts) - NAMED} more" if len(verdicts) > NAMED else ""
    return f" ({named}{more})" if verdicts else ""


def _active(cluster: Cluster) -> list[Runbook]:
    """The published runbooks that may be asked for; the doctor names those that are not understood elsewhere."""
    found = []
    for body in cluster.items(runbooks_path()):
        try:
            book = parsed(body)
        except CommandError:
            continue
        found += [book] if book.spec.state == "Active" else []
    return found
