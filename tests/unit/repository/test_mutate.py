"""Every policy that is shipped is one whose rules are neutralised, by tests that exist."""

import json
import re
from pathlib import Path

from tools.mutate import TESTS, chosen, met, rules

from interlock.crds.manifests import chart

ENFORCEMENT = Path(__file__).parents[2] / "cluster" / "enforcement"


def test_each_policy_and_definition_has_its_tests() -> None:
    assert {rule.name for rule in rules()} == set(TESTS)
    assert all((ENFORCEMENT / f"test_{name}.py").is_file() for names in TESTS.values() for name in names)


def test_a_rule_points_at_its_own_expression_and_no_two_at_one() -> None:
    every = list(rules())
    assert len({(rule.name, rule.pointer) for rule in every}) == len(every)
    assert [rule for rule in every if rule.stands_in(rule.manifest) != rule.expression] == []


def test_no_rule_of_a_definition_is_left_out() -> None:
    text = "".join(path.read_text() for path in (chart("crds") / "templates").glob("*.yaml"))
    assert sum(rule.name.endswith(".interlock.dev") for rule in rules()) == len(
        re.findall(r"^ *(?:- )?rule:", text, re.M)
    )


def test_shards_share_all_rules_and_none_twice() -> None:
    parts = [str(rule) for part in (1, 2, 3) for rule in chosen(["--shard", f"{part}/3"])]
    assert sorted(parts) == sorted(str(rule) for rule in rules())
    assert {rule.name for rule in chosen(["--only", "ledgers.interlock.dev"])} == {"ledgers.interlock.dev"}


def test_the_audit_log_tells_which_tests_have_met_a_rule() -> None:
    failure = [{"policy": "interlock-create", "binding": "interlock-create", "expressionIndex": "2"}]
    refused = {
        "userAgent": "tests/cluster/enforcement/test_requests.py%3A%3Atest_asks%5Bin%20vain%5D%20%28call%29",
        "annotations": {"validation.policy.admission.k8s.io/validation_failure": json.dumps(failure)},
    }
    lines = [json.dumps(event) for event in (refused, refused, {"userAgent": "kubectl"}, {**refused, "userAgent": "x"})]
    test = "tests/cluster/enforcement/test_requests.py::test_asks[in vain]"
    (rule,) = [rule for rule in rules() if (rule.name, rule.index) == ("interlock-create", 2)]
    assert met(lines, [rule]) == {(rule.name, rule.pointer): [test]}


def test_of_a_definition_those_come_first_that_nothing_else_refused() -> None:
    (rule,) = [rule for rule in rules() if rule.message == "status is never removed"]
    about = {"resource": "runbookexecutions", "apiGroup": "interlock.dev"}
    lines = [
        json.dumps(
            {
                "userAgent": f"{test}%20%28call%29",
                "objectRef": about,
                "responseStatus": {"message": "; ".join(f"Invalid value: {said}" for said in words)},
            }
        )
        for test, words in (("both", (rule.message, "another")), ("one", (rule.message,)), ("none", ("another",)))
    ]
    assert met(lines, [rule]) == {(rule.name, rule.pointer): ["one", "both"]}
