import pytest

from interlock.crds.guardrail import Guardrail, matching


def guardrail(name: str, **selector: list[str]) -> Guardrail:
    return Guardrail.model_validate({"name": name, "spec": {"selector": selector}})


EVERYTHING = guardrail("everything")
SHOP = guardrail("shop", namespaces=["shop", "bar"])
RISKY = guardrail("risky", risks=["High"])
BOTH = guardrail("both", namespaces=["shop"], families=["scale-web"])


@pytest.mark.parametrize(
    ("namespace", "family", "risk", "names"),
    [
        ("shop", "scale-web", "Low", ["both", "everything", "shop"]),
        ("shop", "other", "High", ["everything", "risky", "shop"]),
        ("dev", "scale-web", "Low", ["everything"]),
    ],
)
def test_a_guardrail_selects_by_all_that_it_names(namespace: str, family: str, risk: str, names: list[str]) -> None:
    found = matching([SHOP, RISKY, EVERYTHING, BOTH], namespace=namespace, family=family, risk=risk)
    assert [guardrail.name for guardrail in found] == names


def test_by_default_a_person_must_agree() -> None:
    assert (EVERYTHING.spec.mode, EVERYTHING.spec.approvals, EVERYTHING.spec.stop) == ("Propose", 1, False)
