"""Steps without an engine: each test plans, acts, probes and undoes by itself, under the runner's own token.

The operator's account reads, the runbook's account acts, and the API server judges both, as in an installation.
"""

import secrets
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import JsonValue
from tests.support.identity import Identity, Json
from tests.support.installation import Installation
from tests.support.scene import deployment, open_namespace, settled
from tests.support.waiting import eventually

from interlock.crds.celprocess import Evaluator
from interlock.crds.execution import Reason, RunbookExecution, RunbookExecutionSpec, RunbookRef, Target
from interlock.crds.names import RUNNERS_NAMESPACE
from interlock.crds.runbook import Runbook, Step
from interlock.operator.api import Api
from interlock.operator.core.nodes import Node
from interlock.operator.look import Observer, View
from interlock.operator.prepared import Acted, Prepared, Probe, Settled, Subject, Waiting, marks_of, undo_marker
from interlock.operator.runner import Runners
from interlock.operator.steps import Steps

MADE_AT = "2026-01-01T00:00:00.000Z"
PERMISSIONS: list[Json] = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]},
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "create", "delete"]},
]
FOR_NODES: list[Json] = [
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
]


def runbook(family: str, *, cluster: bool = False) -> Runbook:
    """One that may do what any step of these tests does; its own step is never carried out."""
    kind = {"apiVersion": "v1", "kind": "Node"} if cluster else {"apiVersion": "apps/v1", "kind": "Deployment"}
    return Runbook.model_validate(
        {
            "metadata": {"name": f"{family}-1.0.0"},
            "spec": {
                "family": family,
                "version": "1.0.0",
                "title": "Steps under test",
                "risk": "High",
                "scope": "Cluster" if cluster else "Namespaced",
                "targets": [kind],
                "permissions": FOR_NODES if cluster else PERMISSIONS,
                "allowedPaths": ["/spec/**", "/metadata/labels/**", "/metadata/annotations/**"],
                "steps": [{"name": "wait", "action": "wait", "with": {"until": "true"}}],
                "verification": {"checks": [{"name": "true", "expression": "true"}]},
            },
        }
    )


@dataclass
class Stage:
    """One execution's steps, and the owner of what they act on."""

    installation: Installation
    namespace: str
    steps: Steps
    api: Api
    book: Runbook
    target: Target
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    workloads: str = ""
    """Where the pods are; not where the execution is if its target is a node."""

    @property
    def admin(self) -> Identity:
        """The owner of the namespace's workloads."""
        return self.installation.admin

    @property
    def execution(self) -> RunbookExecution:
        """As the engine hands it to the steps."""
        spec = RunbookExecutionSpec(
            runbook=RunbookRef(name=self.book.metadata.name, digest=self.book.digest()),
            target=self.target,
            reason=Reason(summary="a test"),
            requested_by="alice",
        )
        return RunbookExecution(
            name="fix", namespace=self.namespace, uid=self.uid, resource_version="1", created_at=MADE_AT, spec=spec
        )

    def subject(self, outputs: Mapping[str, JsonValue] | None = None) -> Subject:
        """A new look; with outputs it is a step's turn, without them the plan is made."""
        view = View(Observer(self.api), self.target, None, {"parameters": {}, "now": MADE_AT})
        return Subject(self.execution, self.book, {}, "", MADE_AT, view, outputs)

    def node(self, action: str, arguments: Mapping[str, str] | None = None, **step: Any) -> Node:
        """One step."""
        body = {"name": "act", "action": action, "with": dict(arguments or {}), **step}
        return Node("act", Step.model_validate(body))

    async def plan(self, action: str, arguments: Mapping[str, str] | None = None, **step: Any) -> Prepared:
        """What a step would do, while the plan is made."""
        return await self.steps.prepare(self.subject(), self.node(action, arguments, **step), attempt=1)

    async def again(self, action: str, arguments: Mapping[str, str] | None = None, **step: Any) -> Prepared:
        """What it would do when its turn has come, once more."""
        return await self.steps.prepare(self.subject({}), self.node(action, arguments, **step), attempt=2)

    async def act(self, ready: Prepared) -> Acted | Waiting:
        """Sends the effect."""
        return await self.steps.act(self.execution, ready)

    async def probe(self, ready: Prepared) -> Probe:
        """Whether it happened, as a new leader finds out."""
        return await self.steps.probe(ready.intent, marks_of(self.execution, "act"))

    async def prepare_undo(self, ready: Prepared) -> Prepared | None:
        """What would take it back."""
        return await self.steps.prepare_undo(self.execution, "act", ready.intent)

    async def probe_undo(self, back: Prepared | None) -> Probe:
        """Whether that happened, as a new leader finds out."""
        assert back is not None
        return await self.steps.probe(back.intent, undo_marker(self.execution, "act").__eq__)

    async def undo(self, ready: Prepared) -> Prepared | None:
        """Undoes it, and probes that."""
        back = await self.prepare_undo(ready)
        if back is not None:
            assert await self.probe_undo(back) == "not"
            await self.act(back)
            assert await self.probe_undo(back) == "happened"
        return back

    async def settle(self, ready: Prepared, action: str, arguments: Mapping[str, str], **step: Any) -> Settled:
        """What followed it, once it has come to its end."""
        deadline = time.monotonic() + 60
        while True:
            came = await self.steps.settle(self.subject({}), self.node(action, arguments, **step), ready.intent)
            if isinstance(came, Settled):
                return came
            if time.monotonic() > deadline:
                raise TimeoutError(came.message)

    # --- what the owner does ---

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Where an object of the namespace is served."""
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return f"{base}/namespaces/{self.workloads or self.namespace}/{plural}" + (f"/{name}" if name else "")

    def web(self) -> Json:
        """The Deployment as it is now."""
        return self.admin.get(self.path("apps/v1", "deployments", "web")).body

    def deploy(self, body: Json) -> None:
        """Creates a Deployment and waits until its controller is done with it."""
        answer = self.admin.post(self.path("apps/v1", "deployments"), body)
        assert answer.ok, answer
        path = self.path("apps/v1", "deployments", body["metadata"]["name"])
        eventually("the Deployment to settle", lambda: settled(self.admin.get(path).body))

    def change(self, patch: Json, suffix: str = "") -> None:
        """Changes the Deployment."""
        answer = self.admin.patch(self.path("apps/v1", "deployments", "web") + suffix, patch)
        assert answer.ok, answer

    def pods(self, app: str = "web") -> list[Json]:
        """The pods of a Deployment."""
        found: list[Json] = self.admin.get(self.path("v1", f"pods?labelSelector=app%3D{app}")).body["items"]
        return found

    def budget(self, minimum: int) -> None:
        """A PodDisruptionBudget for the Deployment's pods, in force."""
        name = self.path("policy/v1", "poddisruptionbudgets", "web")
        spec = {"minAvailable": minimum, "selector": {"matchLabels": {"app": "web"}}}
        body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}
        answer = self.admin.request("PATCH", f"{name}?fieldManager=t&force=true", body, "application/apply-patch+yaml")
        assert answer.ok, answer

        def seen() -> bool:
            live = self.admin.get(name).body
            return bool(live.get("status", {}).get("observedGeneration") == live["metadata"]["generation"])

        eventually("the budget to be in force", seen)


@asynccontextmanager
async def staged(installation: Installation, namespace: str, book: Runbook, target: Target) -> AsyncIterator[Stage]:
    """Steps for one target."""
    api = await Api.connect(installation.operator_kubeconfig, 30)
    runners = Runners(api)
    async with Evaluator() as evaluator:
        steps = Steps(api, runners, evaluator, b"a key of the operator's", lambda: None)
        yield Stage(installation, namespace, steps, api, book, target)
    await runners.close()
    await api.close()


@pytest.fixture
async def stage(installation: Installation) -> AsyncIterator[Stage]:
    """A namespace with a Deployment `web` of two pods, whose runner may do what these steps do."""
    namespace, book = f"test-{secrets.token_hex(4)}", runbook("steps")
    open_namespace(installation, namespace)
    installation.opt_in(namespace, [book])
    grant(installation, f"steps.{namespace}", book.spec.permissions, namespace)
    target = Target(api_version="apps/v1", kind="Deployment", namespace=namespace, name="web")
    async with staged(installation, namespace, book, target) as made:
        made.deploy(deployment("web", replicas=2))
        yield made
    installation.admin.delete(f"/api/v1/namespaces/{namespace}")


def grant(installation: Installation, account: str, rules: Sequence[Any], namespace: str | None) -> None:
    """Returns when the last of the runner's rights is in force."""
    user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{account}"
    rule = rules[-1]
    resource = ".".join(filter(None, (rule.resources[0], rule.api_groups[0])))
    installation.wait_for_right(user, rule.verbs[0], resource, namespace)
