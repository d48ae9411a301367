"""Takes Interlock off a cluster so that nothing is stranded: no half-done execution, no finalizer that nobody removes.

First nobody may ask any more; then what is under way is cancelled, and the operator, which still works, undoes, ends
and archives it. Only when no execution is held any longer do operator, rights and policies go.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.cli.cluster import Cluster, Object, executions_path
from interlock.cli.diagnosis import leader, opted_in
from interlock.cli.errors import CommandError, Refused
from interlock.cli.executions import is_held
from interlock.cli.manifests import Manifest, Progress
from interlock.cli.releases import definitions, interlock
from interlock.crds.execution import TERMINAL
from interlock.crds.manifests import documents
from interlock.crds.names import AUDIT_FINALIZER, CLOSED, OPT_IN_LABEL, RUNNERS_NAMESPACE
from interlock.lab import LabError
from interlock.lab.helm import Helm, Release
from interlock.runbooks.rbac import AGENTS_ROLE, READER_ROLE

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PAUSE_SECONDS = 0.5
_SETTLE_SECONDS = 3.0
"""A new policy acts a moment after it was created: what was asked for until then is waited for, too."""
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Held:
    """An execution that still carries the operator's finalizer."""

    body: Object

    @property
    def path(self) -> str:
        """Where it is served."""
        meta = self.body["metadata"]
        return executions_path(meta["namespace"], meta["name"])

    @property
    def phase(self) -> str:
        """Where it stands."""
        return str((self.body.get("status") or {}).get("phase", "Pending"))

    @property
    def to_cancel(self) -> bool:
        """Whether it goes on, and nobody has asked it to stop."""
        return self.phase not in TERMINAL and "cancelled" not in self.body["spec"]

    def __str__(self) -> str:
        meta, status = self.body["metadata"], self.body.get("status") or {}
        why = f": {status['message']}" if status.get("message") else ""
        return f"{meta['namespace']}/{meta['name']} is {self.phase}{why}"


def held(cluster: Cluster) -> list[Held]:
    """The executions that nobody but an operator may let go; none where the kinds are not there."""
    if cluster.find(executions_path()) is None:
        return []
    found = cluster.items(executions_path())
    return [Held(body) for body in found if is_held(body)]


def close(cluster: Cluster) -> None:
    """From a moment later on, nobody asks for a runbook any more."""
    for manifest in _closing():
        cluster.apply(manifest)


def reopen(cluster: Cluster) -> None:
    """Takes back `close`."""
    for manifest in reversed(_closing()):
        delete(cluster, cluster.path_of(manifest))


def let_go(cluster: Cluster, seconds: float, progress: Progress) -> list[Held]:
    """Cancels what is under way until no execution is held any more; those that still are when the time is up.

    Raises:
        CommandError: something is held and no operator leads, so that waiting is in vain.
    """
    began, told = time.monotonic(), -1
    while (left := held(cluster)) or time.monotonic() < began + _SETTLE_SECONDS:
        if left and told < 0 and not (finding := leader(cluster)).ok:
            raise CommandError(f"{len(left)} executions are held, and no operator works: {finding.says}", finding.fix)
        if left and len(left) != told:
            told = len(left)
            progress(f"{told} executions have still to end and to be archived")
        for one in left:
            if one.to_cancel:
                _cancel(cluster, one)
        if left and time.monotonic() > began + seconds:
            return left
        time.sleep(_PAUSE_SECONDS)
    return []


def _cancel(cluster: Cluster, one: Held) -> None:
    value = {"by": cluster.whoami(), "reason": "Interlock is uninstalled"}
    try:
        cluster.json_patch(one.path, [{"op": "add", "path": "/spec/cancelled", "value": value}])
    except Refused as refused:
        if refused.status not in (404, 409, 422):  # it moved on meanwhile: the next look shows where to
            raise


def remove(cluster: Cluster, helm: Helm, progress: Progress, *, kinds: bool) -> None:
    """Removes workloads, policies, roles and grants; with `kinds` also the definitions, and every object of theirs.

    Raises:
        CommandError: something is refused.
    """
    _uninstall(helm, interlock(), progress)
    for manifest in reversed(documents("install")):
        if manifest["kind"] not in ("Namespace", "Guardrail"):
            _delete_if_served(cluster, manifest)
    progress("what was granted to runners, and the namespaces' consent")
    for path in _granted(cluster):
        delete(cluster, path)
    if kinds:
        _uninstall(helm, definitions(), progress)
        for manifest in documents("crds"):
            _delete_if_served(cluster, manifest)


def abandon(cluster: Cluster, left: list[Held], record: Path) -> None:
    """Writes what nobody could end to a file, a JSON document each, and then lets it go; no policy may be left.

    Raises:
        CommandError: the API server refuses it.
    """
    with record.open("x") as file:
        for one in left:
            file.write(json.dumps(cluster.find(one.path) or one.body) + "\n")
    for one in left:
        _release(cluster, one)


def _release(cluster: Cluster, one: Held) -> None:
    others = [name for name in one.body["metadata"]["finalizers"] if name != AUDIT_FINALIZER]
    deadline = time.monotonic() + 30
    while cluster.find(one.path) is not None:
        try:
            patch = {"metadata": {"finalizers": others}}
            cluster.request("PATCH", one.path, patch, content=_MERGE)
        except Refused as refused:  # a policy that is gone acts for a moment longer
            if refused.status != 403 or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _uninstall(helm: Helm, release: Release, progress: Progress) -> None:
    progress(f"the release {release.name}")
    try:
        helm.run("uninstall", release.name, f"--namespace={release.namespace}", "--ignore-not-found")
    except LabError as wrong:
        raise CommandError(str(wrong)) from wrong


def _granted(cluster: Cluster) -> Iterator[str]:
    """The paths of all that `interlock namespace opt-in` and `interlock runbook publish --grant` have made."""
    for kind in ("rolebindings", "roles"):
        for item in cluster.items(f"{_RBAC}/{kind}"):
            meta = item["metadata"]
            if _is_grant(meta["name"]):
                yield f"{_RBAC}/namespaces/{meta['namespace']}/{kind}/{meta['name']}"
    for kind in ("clusterrolebindings", "clusterroles"):
        for item in cluster.items(f"{_RBAC}/{kind}"):
            if _is_grant(item["metadata"]["name"]):
                yield f"{_RBAC}/{kind}/{item['metadata']['name']}"
    for namespace in opted_in(cluster):
        yield f"/api/v1/namespaces/{namespace}/resourcequotas/interlock"
        cluster.request(
            "PATCH",
            f"/api/v1/namespaces/{namespace}",
            {"metadata": {"labels": {OPT_IN_LABEL: None}}},
            content=_MERGE,
        )
    yield f"/api/v1/namespaces/{RUNNERS_NAMESPACE}"


def _is_grant(name: str) -> bool:
    return name.startswith("interlock-runner.") or name in (READER_ROLE, AGENTS_ROLE)


def delete(cluster: Cluster, path: str) -> None:
    """Deletes an object; one that is gone is no error."""
    try:
        cluster.request("DELETE", path)
    except Refused as refused:
        if refused.status != 404:
            raise


def _delete_if_served(cluster: Cluster, manifest: Manifest) -> None:
    try:
        path = cluster.path_of(manifest)
    except Refused as refused:
        if refused.status != 404:
            raise
        return
    delete(cluster, path)


def _closing() -> list[Manifest]:
    asked: Mapping[str, Any] = {
        "apiGroups": ["interlock.dev"],
        "apiVersions": ["*"],
        "resources": ["runbookexecutions"],
        "operations": ["CREATE"],
    }
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": CLOSED}}
    refusal = {"expression": "false", "message": "Interlock is being uninstalled", "reason": "Forbidden"}
    policy = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [asked]}, "validations": [refusal]}
    binding = {"policyName": CLOSED, "validationActions": ["Deny"]}
    return [
        {**group, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]
