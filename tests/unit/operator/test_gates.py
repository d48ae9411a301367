import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import pytest
from tests.unit.operator.making import TARGET, digest, request, runbook

from interlock.crds.attestation import Reason, Verdict
from interlock.crds.guardrail import Guardrail, GuardrailSpec
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE, PAUSED_VALUE
from interlock.operator.core import gates
from interlock.operator.core.gates import HOLD_GATES, REQUEST_GATES, Case, Objection, objection
from interlock.operator.core.limits import LASTING, Finding
from interlock.operator.core.measures import Reason as Limit

RUNBOOK = runbook(
    parameters=[{"name": "replicas", "description": "How many.", "type": "integer", "minimum": 1, "maximum": 9}]
)
PARAMETERS = {"replicas": "3"}
OPEN = Case(
    execution="shop/scale-1",
    namespace="shop",
    spec=request(RUNBOOK, parameters=PARAMETERS),
    runbook=RUNBOOK,
    runbook_error="",
    namespace_labels={OPT_IN_LABEL: OPT_IN_VALUE},
    guardrails=(),
    target={"metadata": {"name": "web", "uid": "1b3c"}},
    ungranted="",
    unmet=(),
    limits=(),
    vetted=Verdict("Trusted", "3 scenarios passed"),
    allow_unvetted=False,
)


def case(**changes: Any) -> Case:
    """One to which no gate objects, but for what is changed."""
    return dataclasses.replace(OPEN, **changes)


def asking(**changes: Any) -> Case:
    """One that asks for something else."""
    return case(spec=request(RUNBOOK, **{"parameters": PARAMETERS, **changes}))


def guardrail(name: str, **spec: Any) -> Guardrail:
    return Guardrail(name=name, spec=GuardrailSpec(**spec))


def says(found: Objection | None, reason: str, *words: str, verdict: str = "Refused") -> None:
    """Asserts that a gate objects, for this reason and in these words."""
    assert found is not None
    assert (found.verdict, found.reason) == (verdict, reason)
    for word in words:
        assert word in found.message


@pytest.mark.parametrize("gate", [*REQUEST_GATES, *HOLD_GATES], ids=lambda gate: gate.__name__)
def test_every_gate_lets_pass_what_is_in_order(gate: Callable[[Case], Objection | None]) -> None:
    assert gate(OPEN) is None


def test_runbook_exists() -> None:
    missing = case(runbook=None, runbook_error="is not published")
    says(gates.runbook_exists(missing), "RunbookUnknown", "scale-web-1.0.0", "is not published")


def test_runbook_is_pinned() -> None:
    other = asking(runbook={"name": "scale-web-1.0.0", "digest": digest(1)})
    says(gates.runbook_is_pinned(other), "DigestDiffers", RUNBOOK.digest())


def test_runbook_is_active() -> None:
    retired = RUNBOOK.model_copy(update={"spec": RUNBOOK.spec.model_copy(update={"state": "Retired"})})
    says(gates.runbook_is_active(case(runbook=retired)), "RunbookRetired", "scale-web-1.0.0")
    assert gates.runbook_is_pinned(case(runbook=retired)) is None, "retiring does not change the digest"


def test_runbook_is_vetted() -> None:
    for reason in get_args(Reason):
        found = gates.runbook_is_vetted(case(vetted=Verdict(reason, "why")))
        if reason == "Trusted":
            assert found is None
        else:
            says(found, "RunbookNotVetted", f"{reason}: why")


def test_a_lab_may_do_without_vetting_but_not_run_what_is_revoked() -> None:
    assert gates.runbook_is_vetted(case(vetted=Verdict("KeyUnknown", "why"), allow_unvetted=True)) is None
    revoked = case(vetted=Verdict("DigestRevoked", "why"), allow_unvetted=True)
    says(gates.runbook_is_vetted(revoked), "RunbookNotVetted", "DigestRevoked")


@pytest.mark.parametrize("labels", [{}, {OPT_IN_LABEL: "disabled"}, {"other": OPT_IN_VALUE}])
def test_namespace_opted_in(labels: dict[str, str]) -> None:
    says(gates.namespace_opted_in(case(namespace_labels=labels)), "NotOptedIn", "shop", OPT_IN_LABEL)


def test_a_paused_namespace_holds_and_refuses_nothing() -> None:
    paused = case(namespace_labels={OPT_IN_LABEL: PAUSED_VALUE})
    assert objection(REQUEST_GATES, paused) is None
    says(objection(HOLD_GATES, paused), "NamespacePaused", "shop", f"{OPT_IN_LABEL}={OPT_IN_VALUE}")
    assert objection(HOLD_GATES, OPEN) is None


def test_target_in_place() -> None:
    says(gates.target_in_place(asking(target={**TARGET, "namespace": "bank"})), "TargetElsewhere", "bank", "shop")
    says(gates.target_in_place(asking(target={**TARGET, "kind": "StatefulSet"})), "TargetKindDiffers", "Deployment")
    old = {**TARGET, "apiVersion": "apps/v1beta1"}
    says(gates.target_in_place(asking(target=old)), "TargetKindDiffers", "apps/v1beta1")


def test_runner_granted() -> None:
    says(
        gates.runner_granted(case(ungranted="scale-web.shop may not patch deployments")), "NotGranted", "may not patch"
    )


def test_target_exists() -> None:
    says(gates.target_exists(case(target=None)), "TargetNotFound", "Deployment shop/web")


@pytest.mark.parametrize(
    ("parameters", "word"),
    [({"replicas": "10"}, "1 to 9"), ({}, "must be given"), ({"replicas": "3", "image": "x"}, "image is unknown")],
)
def test_parameters_fit(parameters: dict[str, str], word: str) -> None:
    says(gates.parameters_fit(asking(parameters=parameters)), "ParameterRefused", word)


def test_fault_is_proven() -> None:
    found = gates.fault_is_proven(case(unmet=["all pods are ready", "x" * 2000]))
    says(found, "PreconditionNotMet", "all pods are ready; xxx", verdict="NotNeeded")
    assert found is not None
    assert len(found.message) <= 1000


def test_not_stopped() -> None:
    rails = (guardrail("calm"), guardrail("freeze", stop=True, message="year-end"))
    says(gates.not_stopped(case(guardrails=rails)), "Stopped", "freeze", "year-end")
    assert gates.not_stopped(case(guardrails=rails[:1])) is None


@pytest.mark.parametrize("reason", get_args(Limit))
def test_within_limits(reason: Limit) -> None:
    found = gates.within_limits(case(limits=[Finding(reason, "guardrail calm: no more")]))
    if reason in LASTING:
        says(found, reason, "guardrail calm")
    else:
        assert found is None, "it may be over when somebody approves"


def test_the_first_gate_that_objects_speaks() -> None:
    nothing_right = case(
        spec=request(RUNBOOK, target={**TARGET, "namespace": "bank"}, runbook={"name": "x-1", "digest": digest(1)}),
        namespace_labels={},
        ungranted="may not",
        target=None,
        unmet=["no fault"],
        limits=[Finding("BudgetExhausted", "no more")],
        vetted=Verdict("NoAttestation", "nobody"),
    )
    left = list(REQUEST_GATES)
    reasons = []
    while (found := objection(left, nothing_right)) is not None:
        reasons.append(found.reason)
        left = left[next(i for i, gate in enumerate(left) if gate(nothing_right) == found) + 1 :]
    assert reasons == [
        "DigestDiffers",
        "RunbookNotVetted",
        "NotOptedIn",
        "TargetElsewhere",
        "NotGranted",
        "TargetNotFound",
        "ParameterRefused",
        "PreconditionNotMet",
        "BudgetExhausted",
    ]
    assert objection(REQUEST_GATES, OPEN) is None


def test_without_a_runbook_only_its_absence_is_said() -> None:
    missing = case(runbook=None, runbook_error="is not published", vetted=False, unmet=["x"])
    says(objection(REQUEST_GATES, missing), "RunbookUnknown")
    assert all(
        gate(missing) is None
        for gate in (gates.runbook_is_pinned, gates.runbook_is_active, gates.target_in_place, gates.parameters_fit)
    )
