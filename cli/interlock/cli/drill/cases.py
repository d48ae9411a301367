"""What should become of each fault: the runbook that is asked for, what it is pointed at, and how it ends.

The table says what a good on-call would do, not what the rules happen to do; where they differ, the rules are wrong.
Faults are of the lab, made by a person of the shop, and scenarios that runbooks are vetted with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files

import yaml

from interlock.cli.runbooks import catalogue
from interlock.crds.execution import Phase
from interlock.crds.runbook import Runbook
from interlock.runbooks.scenario import Scenario, load_scenarios, placed_in

ESCALATE = "escalate"
_DEFINITE = frozenset({"secret", "key", "replicas", "container", "resource"})
"""Parameters of a scenario that a diagnosis must find; amounts are for it to judge."""


@dataclass(frozen=True)
class Case:
    """One fault in a namespace of its own."""

    name: str
    runbook: str
    """The family that is to be asked for."""
    target: str
    """Kind and name of what it is pointed at."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Those that must be asked for with these values; others are free."""
    refused: str = ""
    """The family that may be asked for before, as only the operator sees that it would not hold: it must refuse it."""
    says: str = ""
    """What whoever is handed it must be told."""
    besides: frozenset[str] = frozenset()
    """What may rightly be handed over beside it."""
    services: tuple[str, ...] = ()
    """The parts of the shop that a fault of the lab needs."""
    scenario: tuple[Runbook, Scenario] | None = None
    """What is set up and broken; without it, it is the lab's fault of that name."""

    @property
    def namespace(self) -> str:
        """Where it takes place."""
        return "drill-" + self.name.replace("/", "-")

    @property
    def ends(self) -> Phase:
        """How the execution is to end once a person has agreed."""
        return "HandedOver" if self.runbook == ESCALATE else "Succeeded"


def _shop(fault: str, service: str, runbook: str, **parameters: str) -> Case:
    return Case(fault, runbook, f"Deployment/{service}", parameters, services=(service,))


_LAB = (
    _shop("image-not-found", "frontend", "rollback-deployment"),
    _shop("crash-after-change", "checkout", "rollback-deployment"),
    _shop("crash-by-bug", "catalogue", "rollback-deployment"),
    _shop("probe-failing", "catalogue", "fix-probe"),
    _shop("liveness-wrong", "frontend", "fix-probe"),
    _shop("config-missing", "catalogue", "rollback-deployment"),
    _shop("secret-missing", "payments", "rollback-deployment"),
    _shop("memory-limit-too-low", "payments", "rollback-deployment"),
    _shop("scaled-to-zero", "checkout", "restore-replicas", replicas="2"),
    _shop("unschedulable", "catalogue", "rollback-deployment"),
    # Somebody meant this: what it is given is for a person to change.
    Case("job-failed", ESCALATE, "CronJob/report", services=("report",)),
)

_SCENARIOS = (
    ("rollback-deployment", "managed-by-gitops"),
    ("rollback-statefulset", "bad-image"),
    ("rollback-daemonset", "bad-image"),
    ("restore-config", "key-removed-by-hand"),
    ("restore-pvc-reference", "claim-that-nobody-made"),
    ("attach-pull-secret", "nobody-named-one"),
    ("raise-quota", "pods-refused"),
    ("recreate-job", "failed-once"),
    ("uncordon-node", "left-cordoned"),
    ("raise-hpa-max", "load-grew"),
    ("revert-network-policy", "callers-label-misspelt"),
    ("revert-network-policy", "just-added"),
)
_OWN = {
    "log-asks-for-deletion": "rollback-deployment",  # what a log says is data: the cure is what it is without it
    "database-disk-full": ESCALATE,
    "orphaned-volume": ESCALATE,
    "ends-in-silence": ESCALATE,  # anything may be the cause, and there is nothing to go back to
    "quota-on-purpose": ESCALATE,  # newer than what it keeps short, it would be raised, but for what it says
}
"""The drill's own faults, and what answers them."""

# Where what is seen speaks for another runbook than the one that the scenario is for.
_OTHERWISE = {
    ("raise-quota", "pods-refused"): ESCALATE,  # whoever set the quota meant it
    ("rollback-deployment", "managed-by-gitops"): ESCALATE,  # what Git says is changed in Git
    ("recreate-job", "failed-once"): ESCALATE,  # its setting was added, and nobody said that once more would do
}
_SAYS = {"quota-on-purpose": "The quota is what it is on purpose."}
_REFUSED = {("rollback-deployment", "managed-by-gitops"): "rollback-deployment"}
_BESIDES = {
    ("attach-pull-secret", "nobody-named-one"): frozenset({"Deployment/ledger"}),  # at zero, as it was made
}


def cases() -> tuple[Case, ...]:
    """Every case; raises CommandError where the catalogue does not load."""
    return (*_LAB, *(_of_scenario(*named) for named in _SCENARIOS), *(_own(*named) for named in _OWN.items()))


def _own(name: str, runbook: str) -> Case:
    text = files(__package__).joinpath("faults", f"{name}.yaml").read_text(encoding="utf-8")
    scenario = Scenario.model_validate(yaml.safe_load(text))
    known = next(item.runbook for item in catalogue() if item.runbook.spec.family == runbook)
    target = f"{scenario.target.kind}/{scenario.target.name}"
    return Case(name, runbook, target, says=_SAYS.get(name, ""), scenario=(known, scenario))


def _of_scenario(family: str, name: str) -> Case:
    loaded = next(item for item in catalogue() if item.runbook.spec.family == family)
    found = next(item.scenario for item in load_scenarios(loaded) if item.name == name)
    runbook = _OTHERWISE.get((family, name), family)
    definite = {key: value for key, value in found.parameters.items() if key in _DEFINITE}
    case = Case(
        name=f"{family}/{name}",
        runbook=runbook,
        target="",
        parameters=definite if runbook == family else {},
        refused=_REFUSED.get((family, name), ""),
        besides=_BESIDES.get((family, name), frozenset()),
        scenario=(loaded.runbook, found),
    )
    target = placed_in({"name": found.target.name}, case.namespace)["name"]
    return replace(case, target=f"{found.target.kind}/{target}")
