"""The worst value that a parameter allows is still survivable: what is at the bound fits, what is beyond does not."""

import pytest
from tests.unit.runbooks.test_catalogue import CATALOGUE

from interlock.crds.parameters import ParameterRefused, parse_parameters

# By runbook: what all of them need beside, then of each parameter the texts that fit and those that do not.
_CONTAINER = (("app", "a" * 63), ("App", "../app", "a" * 64, ""))
_REVISION = (("0", "1000000"), ("-1", "1000001", "last"))
BOUNDS: dict[str, tuple[dict[str, str], dict[str, tuple[tuple[str, ...], tuple[str, ...]]]]] = {
    "attach-pull-secret": ({}, {"secret": (("registry.partners", "a" * 253), ("../other", "a" * 254))}),
    "fix-probe": ({}, {"container": _CONTAINER}),
    "raise-cpu-limit": (
        {"container": "app", "cpu": "1"},
        {"container": _CONTAINER, "cpu": (("8", "8000m", "10m"), ("9", "8001m", "10000m", "0", "9m"))},
    ),
    "raise-hpa-max": ({}, {"maxReplicas": (("2", "100"), ("1", "101"))}),
    "raise-memory-limit": (
        {"container": "app", "memory": "1Gi"},
        {
            "container": _CONTAINER,
            "memory": (("512Mi", "12288Mi", "15999Mi", "16Gi"), ("17Gi", "16000Mi", "17408Mi", "0Mi", "1Ti", "16G")),
        },
    ),
    "raise-quota": (
        {"resource": "pods", "hard": "40"},
        {
            "resource": (("pods", "requests.memory"), ("count/runbookexecutions.interlock.dev", "requests.storage")),
            "hard": (("40", "64Gi", "999999Ti"), ("0", "1e9", "1000000", "-1")),
        },
    ),
    "remove-taint": ({}, {"key": (("team.example/dedicated", "dedicated"), ("a b", "/dedicated", ""))}),
    "restore-replicas": ({}, {"replicas": (("1", "50"), ("0", "51"))}),
    "rollback-daemonset": ({}, {"toRevision": _REVISION}),
    "rollback-deployment": ({}, {"toRevision": _REVISION}),
    "rollback-statefulset": ({}, {"toRevision": _REVISION}),
    "scale-deployment": ({}, {"replicas": (("1", "20"), ("0", "21"))}),
}


@pytest.mark.parametrize("family", BOUNDS)
def test_the_worst_value_is_survivable(family: str) -> None:
    declared = CATALOGUE[family].runbook.spec.parameters
    beside, bounds = BOUNDS[family]
    assert set(bounds) == {parameter.name for parameter in declared}
    for name, (fit, do_not) in bounds.items():
        for text in fit:
            assert parse_parameters(declared, {**beside, name: text})
        for text in do_not:
            with pytest.raises(ParameterRefused):
                parse_parameters(declared, {**beside, name: text})


def test_every_parameter_of_the_catalogue_has_its_bounds_tried() -> None:
    assert set(BOUNDS) == {family for family, loaded in CATALOGUE.items() if loaded.runbook.spec.parameters}
