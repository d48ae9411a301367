"""One fault on its way: broken, noticed, diagnosed, asked for, approved, cured, calm; with the time of each."""

import time
from dataclasses import dataclass, field

from interlock.cli import decisions
from interlock.cli.cluster import Cluster
from interlock.cli.drill.cases import ESCALATE, Case
from interlock.cli.errors import Refused
from interlock.cli.executions import Seen
from interlock.crds.execution import TERMINAL


@dataclass
class Exercise:
    """A case, and what has become of it."""

    case: Case
    times: dict[str, float] = field(default_factory=dict)
    asked: list[Seen] = field(default_factory=list)
    """Every execution of the namespace, the oldest first."""
    alerts: set[str] = field(default_factory=set)
    """Every alert that has fired."""
    fires: bool = False

    @property
    def namespace(self) -> str:
        """Where it takes place."""
        return self.case.namespace

    def is_about(self, item: Seen) -> bool:
        """Whether an execution is about this case: in its namespace, or on a cluster-scoped object of its own."""
        target = item.execution.spec.target
        return self.namespace in (target.namespace, item.execution.namespace) or (
            target.namespace is None and target.name.startswith(self.namespace)
        )

    def note(self, what: str) -> None:
        """Remembers when this was first seen."""
        self.times.setdefault(what, time.monotonic())

    def between(self, first: str, last: str) -> float | None:
        """Seconds from one to the other; None where one of them was not seen."""
        if first not in self.times or last not in self.times:
            return None
        return self.times[last] - self.times[first]

    def sees_alerts(self, names: set[str]) -> None:
        """What fires in the namespace now."""
        self.fires = bool(names)
        self.alerts |= names
        if names:
            self.note("alert")
        elif "end" in self.times:
            self.note("calm")

    def sees_executions(self, found: list[Seen]) -> None:
        """What is asked for in the namespace now."""
        here = [item for item in found if self._matters(item)]
        self.asked = sorted(here, key=lambda item: item.execution.created_at)
        if self.asked:
            self.note("proposal")
        if self.asked and all(item.phase in TERMINAL for item in self.asked):
            self.note("end")

    def _matters(self, item: Seen) -> bool:
        target = item.execution.spec.target
        if self.case.refused == family(item) and item.phase in ("Refused", "NotNeeded"):
            return False
        return family(item) != ESCALATE or f"{target.kind}/{target.name}" not in self.case.besides

    @property
    def offered(self) -> list[Seen]:
        """The plans that wait for a person."""
        return [item for item in self.asked if item.phase == "AwaitingApproval"]

    def approve(self, person: Cluster) -> None:
        """Agrees to every plan that is offered, whatever it is: what is wrong shows in the end."""
        for item in self.offered:
            try:
                decisions.decide(person, item, "Approve", item.plan.digest, "the drill")
            except Refused:  # the plan has changed meanwhile: the next look shows the new one
                continue
            self.note("approval")

    @property
    def over(self) -> bool:
        """Whether nothing more is to come: asked, ended and, where all that was wrong is cured, calm."""
        stays_loud = bool(self.case.besides) or not self._cured
        return "end" in self.times and ("calm" in self.times or stays_loud)

    @property
    def _cured(self) -> bool:
        return bool(self.asked) and self.asked[-1].phase == "Succeeded"

    def wrong(self) -> list[str]:
        """What is not as the case says, in words; nothing where all is well."""
        if not self.asked:
            return [f"nothing was asked for; alerts: {', '.join(sorted(self.alerts)) or 'none'}"]
        if len(self.asked) > 1:
            told = ", ".join(f"{family(item)} ({item.phase})" for item in self.asked)
            return [f"asked {len(self.asked)} times: {told}"]
        return list(self._differences(self.asked[0]))

    def _differences(self, item: Seen) -> list[str]:
        spec = item.execution.spec
        status = item.execution.status
        asked = {name: spec.parameters.get(name) for name in self.case.parameters}
        pairs = (
            ("runbook", family(item), self.case.runbook),
            ("target", f"{spec.target.kind}/{spec.target.name}", self.case.target),
            ("parameters", asked, dict(self.case.parameters)),
            ("phase", item.phase, self.case.ends),
        )
        found = [f"{what} {seen!r}, not {wanted!r}" for what, seen, wanted in pairs if seen != wanted]
        if self.case.says not in spec.reason.summary:
            found.append(f"does not say {self.case.says!r}")
        why = f"{status.reason}: {status.message}" if status and status.message else ""
        return [*found, f"{spec.reason.summary} {why}"] if found else found


def family(item: Seen) -> str:
    """The family of the runbook that is asked for."""
    return item.execution.spec.runbook.name.rpartition("-")[0]
