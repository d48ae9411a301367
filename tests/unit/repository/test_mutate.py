"""Every policy that is shipped is one whose rules are neutralised, by tests that exist."""

from pathlib import Path

from tools.mutate import TESTS, rules

ENFORCEMENT = Path(__file__).parents[2] / "cluster" / "enforcement"


def test_each_policy_has_its_tests() -> None:
    assert {rule.name for rule in rules("")} == set(TESTS)
    assert all((ENFORCEMENT / f"test_{name}.py").is_file() for names in TESTS.values() for name in names)


def test_a_neutralised_rule_is_the_only_difference() -> None:
    for rule in rules("interlock-create"):
        changed = rule.neutralised()
        differing = [
            index
            for index, (old, new) in enumerate(
                zip(rule.policy["spec"]["validations"], changed["spec"]["validations"], strict=True)
            )
            if old != new
        ]
        assert differing == [rule.index]
