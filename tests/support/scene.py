"""A stage for one execution: a Deployment, runbooks for it, people who ask and approve."""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.identity import JSON_PATCH, Answer, Identity, Json
from tests.support.installation import API, Installation
from tests.support.waiting import PATIENCE, eventually

from interlock.crds.execution import (
    TERMINAL,
    Plan,
    Reason,
    RunbookExecution,
    RunbookExecutionSpec,
    RunbookExecutionStatus,
    RunbookRef,
    Target,
)
from interlock.crds.execution import new_execution as execution_object
from interlock.crds.journal import Entry
from interlock.crds.names import SHARD_LABEL
from interlock.crds.runbook import Runbook
from interlock.operator.archive import Archive, ArchivedExecution

DEPLOYMENTS = "/apis/apps/v1/namespaces"


def operator_environment(kubeconfig: Path, data: Path) -> dict[str, str]:
    """The environment of an operator with short waits."""
    return {
        **os.environ,
        "INTERLOCK_OPERATOR_KUBECONFIG": str(kubeconfig),
        "INTERLOCK_OPERATOR_DATA_DIR": str(data),
        "INTERLOCK_OPERATOR_ALLOW_UNVETTED": "true",
        "INTERLOCK_OPERATOR_LEASE_SECONDS": "3",
        "INTERLOCK_OPERATOR_POLL_SECONDS": "0.2",
        "INTERLOCK_OPERATOR_DRIFT_SECONDS": "1",
        "INTERLOCK_OPERATOR_HEALTH_PORT": "0",
    }


def runbook(
    family: str,
    steps: Sequence[Json],
    *,
    checks: Sequence[Json] = ({"name": "always", "expression": "true"},),
    **spec: Any,
) -> Runbook:
    """A runbook for Deployments with what the test is about; all else as small as it can be.

    Published runbooks are immutable and the lab is shared, so the version is made from the content.
    """
    content = repr((steps, checks, sorted(spec.items())))
    version = f"1.0.{zlib.crc32(content.encode())}"
    return Runbook.model_validate(
        {
            "metadata": {"name": f"{family}-{version}"},
            "spec": {
                "family": family,
                "version": version,
                "title": family,
                "risk": "Low",
                "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
                "permissions": [
                    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
                    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list"]},
                ],
                "allowedPaths": ["/spec/replicas", "/spec/template/**", "/metadata/labels/**"],
                "steps": list(steps),
                "verification": {"checks": list(checks), "withinSeconds": 30},
                **spec,
            },
        }
    )


def scaling(family: str = "test-scale", **spec: Any) -> Runbook:
    """Sets the replicas to a parameter."""
    return runbook(
        family,
        [{"name": "scale", "action": "scale", "with": {"replicas": "${parameters.replicas}"}}],
        parameters=[{"name": "replicas", "description": "n", "type": "integer", "minimum": 0, "maximum": 9}],
        **spec,
    )


def signalled(label: str) -> str:
    """CEL that is true once the label is set on the target."""
    return f"target.metadata.labels.?{label}.orValue('') == 'yes'"


def waiting(label: str, **step: Any) -> Json:
    """A step of the label's name that ends when somebody sets it on the target: see `Scene.signal`."""
    return {"name": label, "action": "wait", "with": {"until": signalled(label)}, **step}


def labelling(name: str, *, on: str = "web", **step: Any) -> Json:
    """A step that sets the label `by` on a Deployment to the Deployment's name."""
    place = {"apiVersion": "apps/v1", "kind": "Deployment", "name": on}
    return {
        "name": name,
        "action": "patch",
        "with": {**place, "merge": f"metadata: {{labels: {{by: '{on}'}}}}"},
        **step,
    }


def happened(execution: RunbookExecution, *kinds: str) -> list[tuple[str, str | None]]:
    """The journal's entries of these kinds, each with its step, in their order."""
    return [(entry.event, entry.step) for entry in execution.journal if entry.event in kinds]


def deployment(name: str, *, image: str = "app.example/web:1", replicas: int = 1) -> Json:
    """A Deployment whose pods become ready."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 10,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image, "env": [{"name": "MODE", "value": "on"}]}]},
            },
        },
    }


def settled(live: Json) -> bool:
    """Whether a Deployment's controller is done with it: until then its status moves, and writes lose races."""
    status = live.get("status") or {}
    done = any(c.get("reason") == "NewReplicaSetAvailable" for c in status.get("conditions") or ())
    observed = status.get("observedGeneration") == live["metadata"]["generation"]
    return done and observed and status.get("availableReplicas") == live["spec"]["replicas"]


def open_namespace(installation: Installation, name: str, *, shard: str = "") -> None:
    """Makes a namespace that lets itself be remediated, by the operators of this shard."""
    labels = {"interlock.dev/remediation": "enabled"} | ({SHARD_LABEL: shard} if shard else {})
    body = {"metadata": {"name": name, "labels": labels}}
    answer = installation.admin.post("/api/v1/namespaces", body)
    assert answer.ok, answer


@dataclass
class Scene:
    """One namespace with a Deployment `web` that has settled."""

    installation: Installation
    namespace: str
    archive: Path
    requester: Identity
    approver: Identity

    @classmethod
    def prepare(
        cls, installation: Installation, namespace: str, archive: Path, *, image: str = "app.example/web:1"
    ) -> "Scene":
        """With nothing in it but the people's rights and the Deployment."""
        requester, approver = installation.person("erin"), installation.person("bob")
        installation.bind("erin", "interlock-requester", namespace)
        installation.bind("bob", "interlock-approver", namespace)
        scene = cls(installation, namespace, archive, requester, approver)
        scene.create(deployment("web", image=image))
        eventually("the Deployment to settle", lambda: settled(scene.workload()))
        return scene

    @property
    def admin(self) -> Identity:
        """The owner of the namespace's workloads."""
        return self.installation.admin

    def create(self, body: Json) -> Json:
        """Creates a Deployment."""
        answer = self.admin.post(f"{DEPLOYMENTS}/{self.namespace}/deployments", body)
        assert answer.ok, answer
        return answer.body

    def workload(self, name: str = "web") -> Json:
        """A Deployment as it is now."""
        return self.admin.get(f"{DEPLOYMENTS}/{self.namespace}/deployments/{name}").body

    def change(self, patch: Json, name: str = "web") -> Json:
        """Changes a Deployment as its owner would."""
        answer = self.admin.patch(f"{DEPLOYMENTS}/{self.namespace}/deployments/{name}", patch)
        assert answer.ok, answer
        return answer.body

    def signal(self, *labels: str) -> None:
        """Sets labels for which steps wait: see `waiting`."""
        self.change({"metadata": {"labels": dict.fromkeys(labels, "yes")}})

    def use(self, *runbooks: Runbook) -> None:
        """Publishes runbooks under a version of this namespace's own and grants them here."""
        self.installation.opt_in(self.namespace, runbooks)

    def request(
        self,
        book: Runbook,
        parameters: dict[str, str] | None = None,
        *,
        name: str = "fix",
        digest: str | None = None,
        target: str = "web",
        kind: tuple[str, str] = ("apps/v1", "Deployment"),
        dry_run: bool = False,
    ) -> Answer:
        """Asks for a runbook as the requester."""
        spec = RunbookExecutionSpec(
            runbook=RunbookRef(name=book.metadata.name, digest=digest or book.digest()),
            target=Target(api_version=kind[0], kind=kind[1], namespace=self.namespace, name=target),
            parameters=parameters or {},
            reason=Reason(summary="a test"),
            requested_by=self.requester.name,
            dry_run=dry_run,
        )
        return self.requester.post(self.path(), execution_object(name=name, namespace=self.namespace, spec=spec))

    def ask(self, book: Runbook, parameters: dict[str, str] | None = None, **details: Any) -> None:
        """Publishes and grants a runbook here, and asks for it; it must be taken."""
        self.use(book)
        answer = self.request(book, parameters, **details)
        assert answer.ok, answer

    def offered(self, name: str = "fix") -> Plan:
        """The plan, once it is offered."""
        status = self.reaches("AwaitingApproval", name=name).status
        assert status is not None
        assert status.plan is not None
        return status.plan

    def approve(self, name: str = "fix") -> None:
        """Waits for the offer and approves it."""
        self.offered(name)
        answer = self.decide(name=name)
        assert answer.ok, answer

    def ends(self, *phases: str, name: str = "fix") -> RunbookExecutionStatus:
        """The status, once it has ended so."""
        status = self.reaches(*phases, name=name).status
        assert status is not None
        return status

    def path(self, name: str = "") -> str:
        """Where executions are served."""
        return f"{API}/namespaces/{self.namespace}/runbookexecutions" + (f"/{name}" if name else "")

    def execution(self, name: str = "fix") -> RunbookExecution:
        """An execution as it is now."""
        answer = self.admin.get(self.path(name))
        assert answer.ok, answer
        return RunbookExecution.from_object(answer.body)

    def happens(self, event: str, step: str | None = None, *, name: str = "fix", seconds: float = PATIENCE) -> Entry:
        """The first journal entry of this kind, once it is there."""

        def look() -> Entry | None:
            return next((e for e in self.execution(name).journal if e.event == event and step in (None, e.step)), None)

        return eventually(f"{event} {step or ''} of {name}", look, seconds)

    def reaches(self, *phases: str, name: str = "fix", seconds: float = PATIENCE) -> RunbookExecution:
        """Waits for one of the phases; fails at once if it ends in another."""

        def look() -> RunbookExecution | None:
            found = self.execution(name)
            phase = found.status.phase if found.status else None
            if phase in TERMINAL and phase not in phases:
                raise AssertionError(f"ended as {phase}: {found.status}")
            return found if phase in phases else None

        try:
            return eventually(f"{name} to be {' or '.join(phases)}", look, seconds)
        except TimeoutError as waited:
            found = self.execution(name)
            last = [(e.at, e.event, e.step, e.details().get("message")) for e in found.journal[-8:]]
            raise TimeoutError(f"{waited}; it is {found.status and found.status.phase}: {last}") from None

    def decide(self, verdict: str = "Approve", *, by: Identity | None = None, name: str = "fix") -> Answer:
        """Decides on the plan that is offered now."""
        who = by or self.approver
        status = self.execution(name).status
        assert status is not None
        assert status.plan is not None
        decision = {"by": who.name, "subject": status.plan.digest, "verdict": verdict}
        return self.append_decision(decision, who, name)

    def answer(self, verdict: str, *, by: Identity | None = None, name: str = "fix") -> Answer:
        """Decides, as a person who is awaited, on the head of the journal as it is now."""
        who = by or self.approver
        head = f"sha256:{self.execution(name).journal[-1].hash}"
        return self.append_decision({"by": who.name, "subject": head, "verdict": verdict}, who, name)

    def cancel(self, name: str = "fix") -> None:
        """Cancels as the approver."""
        cancelled = {"spec": {"cancelled": {"by": self.approver.name, "reason": "enough"}}}
        answer = self.approver.patch(self.path(name), cancelled)
        assert answer.ok, answer

    def append_decision(self, decision: Json, who: Identity, name: str = "fix") -> Answer:
        """Adds a decision as a person would."""
        first = not self.execution(name).spec.decisions
        value: object = [decision] if first else decision
        path = "/spec/decisions" if first else "/spec/decisions/-"
        return who.patch(self.path(name), [{"op": "add", "path": path, "value": value}], JSON_PATCH)

    def archived(self, uid: str) -> ArchivedExecution:
        """The archived execution, once it is there."""
        archive = Archive(f"sqlite:///{self.archive}")
        try:
            return eventually(f"{uid} to be archived", lambda: archive.get(uid))
        finally:
            archive.close()
