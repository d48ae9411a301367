"""One trial from an empty namespace to its findings: set up, broken, asked for, approved, and looked at afterwards."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from interlock.cli.vetting import judging
from interlock.cli.vetting.arranging import Arrangement
from interlock.cli.vetting.audit import Request
from interlock.cli.vetting.borrowing import Borrowed
from interlock.cli.vetting.changes import Objects
from interlock.cli.vetting.looking import NotSeen, until
from interlock.cli.vetting.operators import REFUTED, Operator
from interlock.cli.vetting.stage import TRIALS, Person, Stage
from interlock.crds.cel import ExpressionError
from interlock.crds.execution import (
    TERMINAL,
    Plan,
    Reason,
    RunbookExecution,
    RunbookExecutionSpec,
    RunbookRef,
    new_execution,
)
from interlock.crds.names import (
    AUDIT_FINALIZER,
    OPT_IN_LABEL,
    RUNNERS_NAMESPACE,
    SHARD_LABEL,
    SYSTEM_NAMESPACE,
    runner_account,
)
from interlock.crds.runbook import Check, Runbook
from interlock.crds.types import API_VERSION
from interlock.operator.api import Object
from interlock.operator.errors import ApiError, Conflict, Forbidden, Invalid
from interlock.runbooks import rbac
from interlock.runbooks.scenario import Scenario
from interlock.runbooks.vetting.report import Trial, Way

_AFTER_SECONDS = 20.0
_REFUTED_SECONDS = 30.0
"""So long a verification may hold before the cure: what fails over and over looks well in between."""
_LAPS = 6
"""So often the patience of all waiting begins anew for an execution that moves."""


@dataclass(frozen=True)
class Play:
    """What is to be tried."""

    runbook: Runbook
    scenario: Scenario
    name: str
    way: Way
    kill: bool = False
    """Whether the operator is killed whenever something has become durable."""
    twice: bool = False

    @property
    def is_cluster_scoped(self) -> bool:
        """Whether its execution lives in the system namespace, which belongs to the default shard."""
        return self.runbook.spec.scope == "Cluster"


@dataclass
class _Asked:
    """One execution on its way."""

    name: str
    plan: Plan | None = None
    before: Objects = field(default_factory=dict)
    """The scenario's objects as they were when the plan was offered."""
    decided: set[str] = field(default_factory=set)
    version: str = ""
    """As it was last seen."""
    proven: RunbookExecution | None = None
    """A temporary measure while it held."""
    findings: list[str] = field(default_factory=list)
    """What was found of it then."""


class Playing:
    """Carries one trial out, in a namespace of its own."""

    def __init__(self, stage: Stage, play: Play) -> None:
        self._stage = stage
        self._play = play
        self.operator: Operator | None = None
        """One that serves only this trial and is started anew when it dies; None where another serves all."""
        self.namespace = f"{TRIALS}{secrets.token_hex(4)}"
        self._arrangement = Arrangement(stage.admin, stage.evaluator, play.runbook, play.scenario, self.namespace)
        self._scenario = self._arrangement.scenario
        self._place = SYSTEM_NAMESPACE if play.is_cluster_scoped else self.namespace
        self._target = self._arrangement.target
        self._objects = self._arrangement.objects
        self._eyes = self._arrangement.eyes
        taken = play.scenario.takes_a_standing_node
        self._borrowed = Borrowed(stage.admin, play.scenario.target.name) if taken else None
        self._outside: list[Object] = []
        """What it set up that does not go with its namespace: the runner's account, and who may mint its tokens."""
        self._findings: list[str] = []
        self._heard = 0
        """How many requests of others there were before it."""

    @property
    def shard(self) -> str:
        """Whose operator carries it out: its own where that is killed, which cluster-scoped targets cannot have."""
        return self.namespace if self._play.kill and not self._play.is_cluster_scoped else self._stage.shard

    async def carry_out(self) -> Trial:
        """What came of it; never raises for what is the runbook's or the scenario's fault."""
        began = time.monotonic()
        try:
            await self._set_up()
            await self._break()
            await self._ask_and_judge()
        except (NotSeen, ApiError, ExpressionError) as error:
            self._findings.append(str(error))
        kills = max(0, self.operator.lives - 1) if self.operator else 0
        return Trial(self._play.name, self._play.way, time.monotonic() - began, tuple(self._findings), kills)

    async def clear(self) -> None:
        """Takes down what it set up, as far as that is possible; nobody waits until it is gone."""
        if self._borrowed is not None:
            with contextlib.suppress(ApiError):
                await self._borrowed.give_back()
        with contextlib.suppress(ApiError):
            for api_version, kind, name in self._arrangement.brought:
                path = await self._stage.admin.path(api_version, kind, self.namespace, name)
                if f"/namespaces/{self.namespace}/" not in path:
                    await self._stage.admin.delete(path)
            # First it is no namespace of ours any more: an operator that reads all of those meets none that is going.
            label = {"metadata": {"labels": {OPT_IN_LABEL: None}}}
            await self._stage.admin.merge_patch(f"/api/v1/namespaces/{self.namespace}", label)
            for manifest in reversed(self._outside):
                await self._stage.remove(manifest)
            await self._stage.admin.delete(f"/api/v1/namespaces/{self.namespace}")

    async def _set_up(self) -> None:
        if self._borrowed is not None:
            await self._borrowed.take()
        self._heard = len(self._stage.witness.all())
        manifests = rbac.opt_in(self.namespace)
        if shard := self.shard:
            manifests[0]["metadata"]["labels"][SHARD_LABEL] = shard
        scope = None if self._play.is_cluster_scoped else self.namespace
        manifests += rbac.grants_for_family([self._play.runbook], [scope])
        for manifest in manifests:
            applied = await self._stage.apply(manifest)
            if applied["metadata"].get("namespace") == RUNNERS_NAMESPACE and scope is not None:
                self._outside.append(manifest)
        await self._arrangement.set_up()

    async def _break(self) -> None:
        await self._arrangement.do_harm()
        if self._play.way != "Control":
            for precondition in self._play.runbook.spec.preconditions:
                await self._eyes.wait(f"precondition {precondition.name}", precondition.expression)
        verification = self._play.runbook.spec.verification
        if self._play.way == "Cure" and verification is not None:
            await self._refute(verification.checks)

    async def _refute(self, checks: Sequence[Check]) -> None:
        """Finds fault with a verification that holds all the time before anything is done."""
        try:
            await until("its verification to be false", partial(self._may_be_false, checks), _REFUTED_SECONDS)
        except NotSeen:
            self._findings.append("cure: its verification holds before anything is done, so it proves nothing")

    async def _may_be_false(self, checks: Sequence[Check]) -> bool:
        """Whether a check is false, or may be: of a measurement, or of what a step has found."""
        for check in checks:
            try:
                if check.expression is None or not await self._eyes.holds(check.expression):
                    return True
            except ExpressionError:
                return True
        return False

    async def _ask_and_judge(self) -> None:
        before = await self._look()
        asked = [_Asked(name, before=before) for name in self._names()]
        await asyncio.gather(*(self._ask(one) for one in asked))
        ended = await asyncio.gather(*(self._follow(one) for one in asked))
        seen = [await self._seen(one, end) for one, end in zip(asked, ended, strict=True)]
        match self._play.way:
            case "Control":
                self._findings += judging.refused(seen[0], self._scenario.refused_by or "")
            case "Undo":
                self._findings += judging.undone(seen[0])
            case "Cure":
                self._findings += self._judge_cure(asked, seen)
                if not any(one.proven for one in asked):
                    await self._expect()

    def _names(self) -> list[str]:
        if self._play.way == "Undo":
            return [f"{self.namespace}{REFUTED}"]
        return [self.namespace, *([f"{self.namespace}-twin"] if self._play.twice else [])]

    def _judge_cure(self, asked: list[_Asked], seen: list[judging.Seen]) -> Iterator[str]:
        if any(one.proven is not None for one in asked):  # a temporary measure, judged while it held
            yield from (found for one in asked for found in one.findings)
            yield from (found for end in seen if end.acted for found in judging.reverted(end))
        elif len(seen) == 1:
            yield from judging.cured(seen[0])
        else:
            yield from judging.one_of(seen)

    async def _seen(self, one: _Asked, execution: RunbookExecution) -> judging.Seen:
        steps = one.plan.steps if one.plan else []
        return judging.Seen(
            runbook=self._play.runbook,
            execution=execution,
            plan=one.plan,
            before=one.before,
            after=await self._look_at(one.plan) if one.plan else await self._look(),
            requests=self._requests(),
            plurals={s.object.kind: await self._plural(s.object.api_version, s.object.kind) for s in steps if s.object},
            key=self._stage.redaction_key.read_bytes(),
        )

    async def _expect(self) -> None:
        """What the scenario says must hold afterwards."""
        for expected in self._scenario.after:
            try:
                await self._eyes.wait(f"after, {expected.name}", expected.expression, _AFTER_SECONDS)
            except NotSeen as missing:
                self._findings.append(str(missing))

    async def _look(self) -> Objects:
        return {key: await self._eyes.find(*place) for key, place in self._objects.items()}

    async def _ask(self, one: _Asked) -> None:
        spec = RunbookExecutionSpec(
            runbook=RunbookRef(name=self._play.runbook.metadata.name, digest=self._play.runbook.digest()),
            target=self._target,
            parameters=self._scenario.parameters,
            reason=Reason(summary=f"vetting: {self._play.name}"),
            requested_by=self._stage.asks.name,
        )
        body = new_execution(name=one.name, namespace=self._place, spec=spec)
        path = await self._stage.admin.path(API_VERSION, "RunbookExecution", self._place)

        async def admitted() -> Object | None:
            try:
                return await self._stage.asks.api.create(path, body)
            except Conflict as there:
                if "quota" not in str(there):
                    return body
                raise

        await until(f"the request {one.name} to be admitted", admitted)

    async def _follow(self, one: _Asked) -> RunbookExecution:
        """The execution when it has ended, with people doing what they have to on the way."""

        async def seen() -> RunbookExecution | None:
            if self.operator is not None:
                await self.operator.revive()
            found = await self._execution(one.name)
            one.version = found.resource_version
            phase = found.status.phase if found.status else None
            if phase in TERMINAL:
                return None if AUDIT_FINALIZER in found.finalizers else found
            await self._act(one, found)
            return None

        for _ in range(_LAPS):  # dead operators make it slow; one that does not move at all will not end
            before = one.version
            try:
                return await until(f"{one.name} to end", seen)
            except NotSeen:
                if one.version == before:
                    raise
        raise NotSeen(f"{one.name} moves, and does not end")

    async def _execution(self, name: str) -> RunbookExecution:
        return RunbookExecution.from_object(
            await self._stage.admin.get(API_VERSION, "RunbookExecution", self._place, name)
        )

    async def _act(self, one: _Asked, found: RunbookExecution) -> None:
        status = found.status
        if status is None:
            return
        if status.phase == "AwaitingApproval" and status.plan is not None and status.plan.digest not in one.decided:
            one.plan, one.before = status.plan, await self._look_at(status.plan)
            await self._decide(found, "Approve", status.plan.digest)
            one.decided.add(status.plan.digest)
        elif status.phase == "AwaitingPerson" and (head := f"sha256:{status.journal[-1].hash}") not in one.decided:
            if not _is_asked_by_the_runbook(found, self._play.runbook):
                raise NotSeen(f"{one.name} needs a person: {status.message}")
            await self._decide(found, "Confirm", head)
            one.decided.add(head)
        elif status.phase == "Reverting" and one.proven is None:
            one.proven = found
            one.findings += judging.cured(await self._seen(one, found))
            await self._expect()
            await self._cancel(found)

    async def _look_at(self, plan: Plan) -> Objects:
        """The scenario's objects and those that the plan names."""
        named = {
            f"{step.object.kind}/{step.object.name}": (step.object.api_version, step.object.kind, step.object.name)
            for step in plan.steps
            if step.object is not None
        }
        return {key: await self._eyes.find(*place) for key, place in {**self._objects, **named}.items()}

    async def _decide(self, found: RunbookExecution, verdict: str, subject: str) -> None:
        who: Person = self._stage.approves
        decision = {"by": who.name, "subject": subject, "verdict": verdict}
        first = not found.spec.decisions
        path = "/spec/decisions" if first else "/spec/decisions/-"
        operation = {"op": "add", "path": path, "value": [decision] if first else decision}
        await self._write(found, [operation])

    async def _cancel(self, found: RunbookExecution) -> None:
        value = {"by": self._stage.approves.name, "reason": "seen: the measure holds"}
        await self._write(found, [{"op": "add", "path": "/spec/cancelled", "value": value}])

    async def _write(self, found: RunbookExecution, operations: list[dict[str, Any]]) -> None:
        path = await self._stage.admin.path(API_VERSION, "RunbookExecution", self._place, found.name)
        try:
            await self._stage.approves.api.json_patch(path, operations)
        except (Forbidden, Invalid, Conflict) as refused:
            now = await self._execution(found.name)  # it has moved on: what was decided on is not offered any more
            if now.status == found.status:
                raise NotSeen(f"{found.name}: {refused}") from refused

    def _requests(self) -> list[Request]:
        scope = None if self._play.is_cluster_scoped else self.namespace
        account = runner_account(self._play.runbook.spec.family, scope)
        if self._play.scenario.takes_a_standing_node:  # whose name is nobody's own, but nobody else is tried meanwhile
            return self._stage.witness.requests(account, "", self._heard)
        return self._stage.witness.requests(account, self.namespace)

    async def _plural(self, api_version: str, kind: str) -> str:
        return (await self._stage.admin.path(api_version, kind, None)).rpartition("/")[2]


def _is_asked_by_the_runbook(found: RunbookExecution, runbook: Runbook) -> bool:
    """Whether a step waits for a person because its author wrote so."""
    asked = next((e.step for e in reversed(found.journal) if e.event == "PersonNeeded"), None) or ""
    return any(s.name == asked.partition(".")[0] and s.action == "manual" for s in runbook.spec.steps)
