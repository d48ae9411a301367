from typing import Any

from tests.unit.operator.test_limits import START, Books, claim, guardrail

from interlock.operator.core.shown import shown

EVERYTHING: dict[str, Any] = {
    "budgets": [{"per": "Namespace", "limit": 2, "windowSeconds": 3600}],
    "concurrency": [{"per": "Cluster", "limit": 4}],
    "coolDownSeconds": 300,
    "breaker": {"failures": 2, "windowSeconds": 86400},
    "blastRadius": {"replicasPercent": 20},
    "freezes": [{"schedule": "0 12 * * *", "durationSeconds": 7200}, {"schedule": "61 * * * *", "durationSeconds": 60}],
    "gitOps": "Refuse",
}


def test_limits_and_what_is_used_of_them_stand_in_a_line() -> None:
    rail = guardrail(**EVERYTHING)
    books = Books([guardrail()])
    assert books.start(claim("1")) is None
    status = shown(rail, {"shop": books.own["shop"], "": books.shared}, START, 7)
    assert status.limits == (
        "2 starts in 1 h per Namespace; 4 at once per Cluster; cool-down 5 min; breaker at 2 failures in 1 d;"
        " 20 % of replicas; freeze 0 12 * * * UTC for 2 h; freeze 61 * * * * UTC for 1 min; nothing that Git manages"
    )
    assert status.use == (
        "frozen, frees up at 2026-01-01T14:00:00Z; 1/2 shop: 2 starts in 1 h per Namespace; 1/4: 4 at once per Cluster"
    )
    assert [(use.used, use.allowed, use.frees_at) for use in status.uses] == [
        (1, 2, "2026-01-01T13:01:00Z"),
        (1, 4, None),
    ]
    assert status.trouble == "freeze cannot be read, so nothing starts: 61 * * * * in UTC: Bad minute"
    assert status.observed_generation == 7


def test_the_most_used_come_first_and_no_line_is_too_long() -> None:
    rail = guardrail(budgets=[{"per": "Target", "limit": 9, "windowSeconds": 3600}])
    books = Books([rail])
    for number in range(60):
        books.start(claim(str(number), target=f"Deployment.apps/{'x' * 100}-{number % 50}"))
        books.end(str(number))
    status = shown(rail, {"shop": books.own["shop"]}, START, 1)
    assert [use.used for use in status.uses] == [2] * 10 + [1] * 22
    assert len(status.use) == 256
