"""Limits on Ledgers: whatever comes in whatever order, nothing exceeds them, and what they say about time is true."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.making import digest, runbook

from interlock.crds.execution import Target
from interlock.crds.guardrail import Guardrail, matching
from interlock.crds.ledger import MAX_COUNTS, MAX_HOLDS, Claim, Count, LedgerSpec
from interlock.operator.core import ledger as core
from interlock.operator.core.autonomy import demanded
from interlock.operator.core.ledger import Horizon
from interlock.operator.core.limits import Asked, Finding, Totals, findings, strictest
from interlock.operator.core.measures import NEVER, uses

START = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
EMPTY = LedgerSpec()
PROVEN = runbook(preconditions=[{"name": "broken", "expression": "target.spec.paused", "message": "it is not"}])


def guardrail(name: str = "calm", **spec: Any) -> Guardrail:
    return Guardrail.model_validate({"name": name, "spec": spec})


def claim(uid: str, **changes: Any) -> Claim:
    plain = {
        "uid": uid,
        "execution": f"fix-{uid}",
        "namespace": "shop",
        "target": "Deployment.apps/web",
        "family": "restart",
        "risk": "Low",
        "requester": "alice",
        "digest": digest(1),
    }
    return Claim.model_validate({**plain, **changes})


@dataclass
class Books:
    """Ledgers as the operator keeps them, and beside them what truly happened when."""

    guardrails: Sequence[Guardrail]
    totals: Totals = field(default_factory=Totals)
    now: datetime = START
    own: dict[str, LedgerSpec] = field(default_factory=dict)
    shared: LedgerSpec = EMPTY
    started: list[tuple[datetime, Claim]] = field(default_factory=list)
    running: dict[str, Claim] = field(default_factory=dict)

    def asked(self, of: Claim) -> Asked:
        selecting = matching(self.guardrails, namespace=of.namespace, family=of.family, risk=of.risk)
        return Asked(of, selecting, Horizon.of(self.guardrails), self.totals)

    def against(self, of: Claim) -> tuple[Finding, ...]:
        return findings(self.asked(of), self.own.get(of.namespace, EMPTY), self.shared, self.now)

    def start(self, of: Claim) -> Finding | None:
        if found := strictest(self.against(of)):
            return found
        horizon = Horizon.of(self.guardrails)
        self.shared = core.taken(self.shared, of, self.now, horizon, shared=True)
        self.own[of.namespace] = core.taken(self.own.get(of.namespace, EMPTY), of, self.now, horizon, shared=False)
        if of.uid not in self.running:
            self.started.append((self.now, of))
            self.running[of.uid] = of
        return None

    def end(self, uid: str, phase: Any = "Succeeded") -> None:
        of = self.running.pop(uid)
        self.own[of.namespace] = core.released(self.own[of.namespace], uid, phase, self.now)
        self.shared = core.let_go(self.shared, uid)

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


NAMES = {"namespace": ["shop", "bank"], "target": ["a", "b"], "family": ["restart", "scale"], "requester": ["x", "y"]}
SHARING = {"Namespace": "namespace", "Target": "target", "Family": "family", "Requester": "requester"}


def share(scope: str, one: Claim, other: Claim) -> bool:
    if scope == "Target" and one.namespace != other.namespace:
        return False
    return scope == "Cluster" or getattr(one, SHARING[scope]) == getattr(other, SHARING[scope])


@given(st.data())
def test_no_order_of_events_exceeds_a_limit(data: st.DataObject) -> None:
    rail = guardrail(
        selector={"families": data.draw(st.sampled_from([[], ["restart"]]))},
        budgets=[
            {
                "per": data.draw(st.sampled_from(["Cluster", *SHARING])),
                "limit": data.draw(st.integers(0, 3)),
                "windowSeconds": data.draw(st.sampled_from([60, 90, 600])),
            }
        ],
        concurrency=[
            {
                "per": data.draw(st.sampled_from(["Cluster", "Namespace", "Family", "Requester"])),
                "limit": data.draw(st.integers(1, 3)),
            }
        ],
    )
    books = Books([rail])
    for number in range(data.draw(st.integers(1, 30))):
        books.wait(seconds=data.draw(st.sampled_from([0, 1, 15, 29.5, 31, 59])))
        match data.draw(st.sampled_from(["starts", "starts", "starts again", "ends"])):
            case "starts":
                traits = {name: data.draw(st.sampled_from(values)) for name, values in NAMES.items()}
                books.start(claim(str(number), **traits))
            case "starts again" if books.running:
                again = books.running[data.draw(st.sampled_from(sorted(books.running)))]
                before = books.own[again.namespace], books.shared
                assert books.start(again) is None, "what is held already is not asked for again"
                assert (books.own[again.namespace], books.shared) == before
            case "ends" if books.running:
                books.end(data.draw(st.sampled_from(sorted(books.running))))
        _hold_laws(books, rail)


def _hold_laws(books: Books, rail: Guardrail) -> None:
    [budget], [concurrency] = rail.spec.budgets, rail.spec.concurrency
    window = timedelta(seconds=budget.window_seconds)
    selected = [(at, c) for at, c in books.started if not rail.spec.selector.families or c.family == "restart"]
    for at, one in selected:
        within = [c for other, c in selected if at <= other < at + window and share(budget.per, one, c)]
        assert len(within) <= budget.limit
    running = [c for _, c in selected if c.uid in books.running]
    for one in running:
        assert sum(share(concurrency.per, one, other) for other in running) <= concurrency.limit
    targets = [(c.namespace, c.target) for c in books.running.values()]
    assert len(targets) == len(set(targets)), "one at a time on one target"
    holding = {hold.uid for own in books.own.values() for hold in own.holds}
    assert holding == set(books.running) == {hold.uid for hold in books.shared.holds}


def budget(per: str = "Namespace", limit: int = 1, seconds: int = 3600) -> dict[str, Any]:
    return {"per": per, "limit": limit, "windowSeconds": seconds}


@given(st.lists(st.integers(0, 900), min_size=1, max_size=6), st.integers(1, 3))
def test_it_frees_up_exactly_when_it_says(waits: list[int], limit: int) -> None:
    books = Books([guardrail(budgets=[budget(limit=limit)])])
    for number, seconds in enumerate(waits):
        books.wait(seconds=seconds)
        if books.start(claim(str(number))) is None:
            books.end(str(number))
    [*found] = books.against(claim("next"))
    if found:
        assert found[0].frees_at is not None
        books.now = found[0].frees_at - timedelta(microseconds=1)
        assert books.against(claim("next"))
        books.now = found[0].frees_at
        assert not books.against(claim("next"))


def test_a_refusal_names_guardrail_limit_use_and_when_it_frees_up() -> None:
    books = Books([guardrail("payday", budgets=[budget(limit=2)])])
    for uid in "12":
        assert books.start(claim(uid)) is None
        books.end(uid)
    found = books.start(claim("3"))
    assert found is not None
    assert found.reason == "BudgetExhausted"
    assert found.message == (
        "guardrail payday: 2 starts in 1 h per Namespace; 2 of 2 used by shop; frees up at 2026-01-01T13:01:00Z"
    )


def test_the_strictest_wins() -> None:
    rails = [guardrail("long", budgets=[budget(seconds=86400)]), guardrail("short", budgets=[budget(seconds=60)])]
    books = Books([*rails, guardrail("never", budgets=[budget("Target", 0)])])
    found = books.start(claim("1"))
    assert found is not None
    assert "never frees up by itself" in found.message
    books.guardrails = rails
    assert books.start(claim("1")) is None
    books.end("1")
    found = books.start(claim("2"))
    assert found is not None
    assert "guardrail long" in found.message


def test_what_a_guardrail_does_not_select_uses_nothing_of_it() -> None:
    books = Books([guardrail(selector={"risks": ["High"]}, budgets=[budget("Cluster")])])
    for uid in "123":
        assert books.start(claim(uid, target=uid)) is None
    assert books.start(claim("4", target="4", risk="High")) is None
    assert books.start(claim("5", target="5", risk="High")) is not None
    assert books.start(claim("6", target="6")) is None


def reason(found: Finding | None) -> str | None:
    return found.reason if found else None


def test_one_at_a_time_on_one_target() -> None:
    books = Books([])
    assert books.start(claim("1")) is None
    found = books.start(claim("2"))
    assert found == Finding("TargetBusy", "fix-1 is being carried out on the same target")
    assert books.start(claim("3", target="Deployment.apps/api")) is None
    books.end("1", "Failed")
    assert books.start(claim("2")) is None


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Undone", "Cancelled"])
def test_a_target_cools_down_however_it_ended(phase: str) -> None:
    books = Books([guardrail(coolDownSeconds=300)])
    assert books.start(claim("1")) is None
    books.wait(seconds=3600)
    books.end("1", phase)
    found = books.start(claim("2", family="scale"))
    assert found is not None
    assert found.reason == "CoolingDown"
    assert "guardrail calm: cool-down of 5 min per Target" in found.message
    assert books.start(claim("3", target="Deployment.apps/api")) is None
    books.wait(seconds=300)
    assert reason(books.start(claim("2"))) == "CoolingDown"
    books.wait(seconds=60)
    assert books.start(claim("2")) is None


@pytest.mark.parametrize(("phase", "opens"), [("Failed", True), ("Undone", True), ("Succeeded", False)])
def test_the_breaker_opens_when_the_same_cure_fails_on_the_same_target(phase: str, opens: bool) -> None:
    books = Books([guardrail(breaker={"failures": 2, "windowSeconds": 3600})])
    for uid in "12":
        assert books.start(claim(uid)) is None
        books.end(uid, phase)
    found = books.start(claim("3"))
    assert reason(found) == ("BreakerOpen" if opens else None)
    if found:
        assert found.is_final
        assert "breaker at 2 failures of restart in 1 h per Target; 2 of 2 used" in found.message
        assert books.start(claim("4", family="scale")) is None, "another cure may help"
        assert books.start(claim("5", target="Deployment.apps/api")) is None


def test_the_breaker_opens_when_the_same_cure_is_repeated() -> None:
    books = Books([guardrail(breaker={"repeats": 3, "windowSeconds": 3600})])
    for uid in "123":
        assert books.start(claim(uid)) is None
        books.end(uid)
    assert reason(books.start(claim("4"))) == "BreakerOpen"
    books.wait(seconds=3660)
    assert books.start(claim("4")) is None


def test_what_is_touched_at_once_is_counted_over_all_executions() -> None:
    books = Books([guardrail(blastRadius={"replicasPercent": 50})], Totals(replicas=10))
    assert books.start(claim("1", target="a", replicas=3)) is None
    assert reason(books.start(claim("2", target="b", replicas=3))) == "BlastRadiusReached"
    assert books.start(claim("3", target="c", replicas=2)) is None
    books.end("1")
    assert books.start(claim("2", target="b", replicas=3)) is None


@pytest.mark.parametrize("totals", [Totals(nodes=3), Totals(nodes=None)])
def test_what_alone_touches_too_much_never_starts(totals: Totals) -> None:
    books = Books([guardrail(blastRadius={"nodesPercent": 30})], totals)
    found = books.start(claim("1", nodes=1))
    assert found is not None
    assert (found.reason, found.frees_at) == ("BlastRadiusReached", NEVER)
    assert books.start(claim("2", nodes=0)) is None


def test_a_freeze_binds_what_has_not_started_and_says_until_when() -> None:
    freezes = [{"schedule": "0 12 * * *", "durationSeconds": 7200, "reason": "lunch"}]
    books = Books([])
    assert books.start(claim("1")) is None
    books.guardrails = [guardrail(freezes=freezes)]
    for uid in "12":
        found = books.start(claim(uid, target=uid))
        assert found is not None
        assert found.message == ("guardrail calm: frozen by 0 12 * * * UTC (lunch); frees up at 2026-01-01T14:00:00Z")


def test_a_freeze_that_cannot_be_read_binds() -> None:
    books = Books([guardrail(freezes=[{"schedule": "61 12 * * *", "durationSeconds": 7200}])])
    found = books.start(claim("1"))
    assert found is not None
    assert "frozen, as nobody can tell: 61 12 * * * in UTC: Bad minute" in found.message


def test_a_full_ledger_refuses_and_always_has_room_for_the_ends() -> None:
    books = Books([guardrail(budgets=[budget("Target", limit=1000, seconds=86400)])])
    past = [
        Count(at=core.bucket(START), what="Started", family="restart", risk="Low", target=f"past-{number}")
        for number in range(MAX_COUNTS - 2 * MAX_HOLDS)
    ]
    books.own["shop"] = LedgerSpec(counts=past)
    number = 0
    while (found := books.start(claim(str(number), target=str(number)))) is None:
        assert number < 2 * MAX_COUNTS, "it is never full"
        if number > MAX_HOLDS / 2:
            books.end(str(number))
        books.wait(seconds=61)
        number += 1
    assert found.reason == "LedgerFull"
    assert found.frees_at is not None
    for uid in list(books.running):
        books.wait(seconds=61)
        books.end(uid, "Failed")
    LedgerSpec.model_validate(books.own["shop"].model_dump())
    books.now = found.frees_at + timedelta(hours=3)
    assert books.start(claim("later")) is None


def test_so_many_at_most_hold_something() -> None:
    books = Books([])
    for number in range(MAX_HOLDS):
        assert books.start(claim(str(number), target=str(number))) is None
    assert reason(books.start(claim("more", target="more"))) == "LedgerFull"


def test_what_no_guardrail_reaches_back_to_is_forgotten() -> None:
    books = Books([])
    for number in range(400):
        assert books.start(claim(str(number))) is None
        books.end(str(number))
        books.wait(seconds=61)
    assert len(books.own["shop"].counts) < 80


def test_a_track_record_is_of_one_digest_and_lost_on_a_failure() -> None:
    books, month = Books([guardrail(mode="Auto", autonomy={"successes": 3, "withinDays": 30})]), timedelta(days=30)
    for uid in "123":
        books.start(claim(uid))
        books.end(uid)
        books.wait(days=1)
    books.start(claim("4", digest=digest(2)))
    books.end("4", "Failed")
    books.start(claim("5"))
    books.end("5", "Cancelled")
    assert core.successes(books.own["shop"], digest(1), month, books.now) == 3
    books.wait(days=27)
    assert core.successes(books.own["shop"], digest(1), month, books.now) == 2
    books.start(claim("6"))
    books.end("6", "Undone")
    assert core.successes(books.own["shop"], digest(1), month, books.now) == 0


def test_what_is_withdrawn_was_never_taken() -> None:
    books = Books([guardrail(budgets=[budget("Cluster", 2)])])
    horizon = Horizon.of(books.guardrails)
    books.shared = core.taken(books.shared, claim("1"), books.now, horizon, shared=True)
    once = books.shared
    twice = core.taken(once, claim("2"), books.now, horizon, shared=True)
    assert core.withdrawn(twice, "2", shared=True) == once
    assert core.withdrawn(once, "1", shared=True) == EMPTY
    assert core.withdrawn(once, "2", shared=True) == once


def test_another_version_of_an_api_names_the_same_target() -> None:
    names = {
        core.target_name(Target(api_version=version, kind="Deployment", namespace="shop", name="web"))
        for version in ("apps/v1", "apps/v1beta1")
    }
    assert names == {"Deployment.apps/web"}
    assert core.target_name(Target(api_version="v1", kind="Node", name="n1")) == "Node/n1"


def test_what_is_used_is_shown_by_whom() -> None:
    rails = [
        guardrail(budgets=[budget("Target", 3), budget("Requester", 5)], concurrency=[{"per": "Namespace", "limit": 2}])
    ]
    books = Books(rails)
    books.start(claim("1", target="a"))
    books.end("1")
    books.start(claim("2", target="b"))
    shown = {(m.limit, m.of, m.used) for m in uses(rails[0], {"shop": books.own["shop"], "": books.shared}, books.now)}
    assert shown == {
        ("3 starts in 1 h per Target", "a", 1),
        ("3 starts in 1 h per Target", "b", 1),
        ("2 at once per Namespace", "shop", 1),
        ("5 starts in 1 h per Requester", "alice", 2),
    }


rails = st.builds(
    lambda **spec: guardrail("drawn", **spec),
    selector=st.sampled_from([{}, {"families": ["restart"]}, {"namespaces": ["bank"]}]),
    mode=st.just("Auto"),
    autonomy=st.builds(lambda n: {"successes": n}, st.integers(1, 3)),
    budgets=st.lists(st.builds(budget, st.sampled_from(["Cluster", *SHARING]), st.integers(0, 2)), max_size=2),
    coolDownSeconds=st.sampled_from([0, 60]),
    breaker=st.none() | st.just({"repeats": 2, "windowSeconds": 600}),
)


@given(st.lists(rails, max_size=3), rails, st.integers(0, 3))
def test_one_guardrail_more_only_tightens(present: list[Guardrail], more: Guardrail, starts: int) -> None:
    """Whoever may only add guardrails can loosen nothing."""
    books = Books(())
    for number in range(starts):
        books.start(claim(str(number)))
        books.end(str(number))
    books.guardrails = present
    before = {(f.reason, f.message) for f in books.against(claim("next"))}
    demand = demanded(PROVEN, books.asked(claim("next")).guardrails)
    books.guardrails = [*present, more]
    assert before <= {(f.reason, f.message) for f in books.against(claim("next"))}
    stricter = demanded(PROVEN, books.asked(claim("next")).guardrails)
    if present and demand is None and books.asked(claim("next")).guardrails != (more,):
        assert stricter is None
    if demand is not None and stricter is not None:
        assert stricter.successes >= demand.successes
