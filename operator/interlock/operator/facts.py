"""What the gates and the steps judge, read from the cluster now: runbook, target, namespace, guardrails, conditions."""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import JsonValue, ValidationError

from interlock.crds.attestation import Verdict
from interlock.crds.execution import Earned, Plan, RunbookExecution
from interlock.crds.guardrail import Guardrail, matching
from interlock.crds.runbook import Runbook
from interlock.crds.types import API_VERSION, rfc3339
from interlock.operator.api import Api, Object
from interlock.operator.checks import Checks
from interlock.operator.core.autonomy import demanded, earned
from interlock.operator.core.claims import claim_of, replicas_of
from interlock.operator.core.gates import REQUEST_GATES, Case, objection, stopped_by
from interlock.operator.core.ledger import Horizon
from interlock.operator.core.limits import Asked, Finding, Totals
from interlock.operator.errors import ApiError, Forbidden
from interlock.operator.grants import Grants
from interlock.operator.ledgers import Ledgers
from interlock.operator.look import Observer, View
from interlock.operator.planning import parameters
from interlock.operator.prepared import Condition, StepRefused, Subject
from interlock.operator.session import Clock, Session
from interlock.operator.trust import Trust

log = logging.getLogger(__name__)

RUNBOOKS_KEPT = 256
UNKNOWN = Verdict("NoAttestation", "there is no such runbook")


class Facts:
    """Reads with the operator's own account, which sees opted-in namespaces and no Secrets."""

    def __init__(
        self, api: Api, observer: Observer, checks: Checks, ledgers: Ledgers, *, trust: Trust, clock: Clock
    ) -> None:
        self._api = api
        self._observer = observer
        self._checks = checks
        self._grants = Grants(api)
        self._ledgers = ledgers
        self._trust = trust
        self._clock = clock
        self._runbooks: OrderedDict[str, Runbook] = OrderedDict()

    async def case(self, session: Session) -> Case:
        """What the gates judge."""
        execution = session.execution
        runbook, error = await self._runbook(session)
        session.memory.runbook = runbook or session.memory.runbook
        await self.guardrails(session)
        target = execution.spec.target
        case = Case(
            execution=execution.key,
            namespace=execution.namespace,
            spec=execution.spec,
            runbook=runbook,
            runbook_error=error,
            namespace_labels=await self._labels(target.namespace),
            guardrails=session.guardrails,
            target=await self._find_target(execution),
            ungranted="",
            unmet=(),
            limits=(),
            vetted=await self._trust.judge(runbook) if runbook else UNKNOWN,
            allow_unvetted=self._trust.allow_unvetted,
        )
        if runbook is None or case.target is None or objection(REQUEST_GATES, case) is not None:
            return case
        if session.state.plan is None and (ungranted := await self._grants.missing(runbook, target.namespace)):
            return replace(case, ungranted=ungranted)
        view = self.view(session, runbook, case.target["metadata"]["uid"])
        view.read["target"] = dict(case.target)
        session.view = view
        limits = await self._limits(session, runbook, case.target)
        return replace(case, unmet=await self._unmet(runbook, view), limits=limits)

    def view(self, session: Session, runbook: Runbook, target_uid: str) -> View:
        """What expressions see from now on."""
        given: dict[str, JsonValue] = {
            "parameters": parameters(session.execution, runbook),
            "now": rfc3339(self._clock()),
        }
        return View(self._observer, session.execution.spec.target, target_uid, given)

    def subject(self, session: Session) -> Subject:
        """What the steps of an execution that has begun share from now on.

        Raises:
            StepRefused: there is no plan, or its runbook is not known.
        """
        plan, runbook = session.plan, session.memory.runbook
        if plan is None or runbook is None:
            raise StepRefused(f"{session.execution.key} has no plan, or its runbook is not published any more")
        view, outputs = self.view(session, runbook, plan.target_uid), session.state.outputs()
        values = parameters(session.execution, runbook)
        return Subject(session.execution, runbook, values, plan.target_uid, plan.made_at, view, outputs)

    async def _find_target(self, execution: RunbookExecution) -> Object | None:
        try:
            return await self._observer.find_target(execution.spec.target)
        except Forbidden as error:
            log.warning("%s: the target cannot be read: %s", execution.key, error)
            return None

    async def _labels(self, namespace: str | None) -> dict[str, str]:
        if namespace is None:
            return {}
        found = await self._api.find("v1", "Namespace", None, namespace)
        return dict((found or {"metadata": {}})["metadata"].get("labels") or {})

    async def _unmet(self, runbook: Runbook, view: View) -> list[str]:
        """The preconditions that do not hold, each with its message and why."""
        conditions = {p.name: Condition(p.expression) for p in runbook.spec.preconditions}
        failing = await self._checks.failing(conditions, view)
        messages = {p.name: p.message for p in runbook.spec.preconditions}
        return [f"{messages[name]} ({reason})" for name, reason in failing.items()]

    async def _limits(self, session: Session, runbook: Runbook, target: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What stands against a start already now; nobody is asked twice, nor for what never starts."""
        never = session.observed or session.execution.spec.dry_run or runbook.spec.type == "Handover"
        if session.state.plan is not None or never:
            return ()
        return await self._ledgers.against(await self.asked(session, runbook, target, None))

    async def autonomy(self, session: Session, runbook: Runbook) -> Earned | None:
        """The track record that stands for an approval, where every guardrail allows that and it is long enough."""
        demand = demanded(runbook, session.guardrails)
        if demand is None:
            return None
        own = await self._ledgers.own(session.execution.namespace)
        return earned(demand, runbook.digest(), own, self._clock())

    async def asked(self, session: Session, runbook: Runbook, target: Mapping[str, Any], plan: Plan | None) -> Asked:
        """What a start would take, and all that binds it; how much it touches is known once there is a plan."""
        claim = claim_of(session.execution, runbook, target, plan)
        radii = [g.spec.blast_radius for g in session.guardrails if g.spec.blast_radius is not None]
        totals = Totals(
            replicas=await self._replicas(session.execution.namespace)
            if claim.replicas and any(radius.replicas_percent for radius in radii)
            else None,
            nodes=len(await self._api.list("v1", "Node", None))
            if claim.nodes and any(radius.nodes_percent for radius in radii)
            else None,
        )
        autonomy = demanded(runbook, session.guardrails) if plan and plan.autonomy else None
        return Asked(claim, session.guardrails, session.horizon, totals, autonomy)

    async def _replicas(self, namespace: str) -> int:
        kinds = ("Deployment", "StatefulSet")
        listed = [await self._api.list("apps/v1", kind, namespace) for kind in kinds]
        return sum(replicas_of(workload) for workloads in listed for workload in workloads)

    async def _runbook(self, session: Session) -> tuple[Runbook | None, str]:
        """The runbook as it is published now, or why there is none; read once a pass."""
        if session.published is None:
            session.published = await self._read_runbook(session.execution.spec.runbook.name)
        return session.published

    async def _read_runbook(self, name: str) -> tuple[Runbook | None, str]:
        body = await self._api.find(API_VERSION, "Runbook", None, name)
        if body is None:
            return None, "is not published"
        try:
            return Runbook.from_object(body), ""
        except ValidationError as error:
            return None, f"is not understood by this operator: {error.errors()[0]['msg']}"

    async def remember_runbook(self, session: Session) -> None:
        """The runbook of an execution that this process has not seen yet: the pinned content and no other."""
        if session.memory.runbook is not None or not session.execution.journal:
            return
        pinned = session.execution.spec.runbook.digest
        if pinned not in self._runbooks:
            runbook, error = await self._runbook(session)
            if runbook is None or runbook.digest() != pinned:
                raise ApiError(
                    0, f"{session.execution.key}: runbook {error or 'has another content'}; publish it again"
                )
            self._remember(pinned, runbook)
        session.memory.runbook = self._runbooks[pinned]

    def _remember(self, digest: str, runbook: Runbook) -> None:
        """What a digest stands for never changes, so it need not be read again."""
        self._runbooks[digest] = runbook
        if len(self._runbooks) > RUNBOOKS_KEPT:
            self._runbooks.popitem(last=False)

    async def guardrails(self, session: Session) -> tuple[Guardrail, ...]:
        """The guardrails that select this execution, which the session then knows."""
        known = [Guardrail.from_object(body) for body in await self._api.list(API_VERSION, "Guardrail", None)]
        risk = session.memory.runbook.spec.risk if session.memory.runbook else "High"
        family = session.execution.spec.runbook.family
        session.horizon = Horizon.of(known)
        session.guardrails = matching(known, namespace=session.execution.namespace, family=family, risk=risk)
        return session.guardrails

    async def stopped(self, session: Session) -> str:
        """Which guardrail's stop switch is on, or nothing; it binds every write, also of what has begun."""
        return stopped_by(await self.guardrails(session))

    async def failing(self, conditions: Mapping[str, Condition], view: View) -> dict[str, str]:
        """The conditions that do not hold, by name, each with why."""
        return await self._checks.failing(conditions, view)
