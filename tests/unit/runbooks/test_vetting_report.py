"""What a vetting says for CI and for signatures: it passed only if everything was tried and nothing was found."""

import xml.etree.ElementTree as ET

from interlock.crds.attestation import STATEMENT_TYPE
from interlock.runbooks.loading import load_catalogue
from interlock.runbooks.vetting.report import Conditions, Trial, Vetted, junit, statement

RUNBOOK = next(item.runbook for item in load_catalogue() if item.runbook.spec.family == "rollback-deployment")
UNDER = Conditions("simulated", 0.1, "Minimal", "1.34.2", "0.1.0", "2026-03-01T12:00:00.000Z")
GOOD = Trial("image-not-found", "Cure", 12.34, kills=7)
BAD = Trial("image-not-found-undo", "Undo", 3, ("undo: Deployment/web /spec/replicas is 2, and was 1",))


def test_a_statement_is_about_exactly_this_runbook() -> None:
    made = statement(Vetted(RUNBOOK, (GOOD,)), UNDER)
    assert made.type == STATEMENT_TYPE
    assert made.subject[0].name == RUNBOOK.metadata.name
    assert f"sha256:{made.subject[0].digest.sha256}" == RUNBOOK.digest()
    assert made.predicate.passed
    assert made.predicate.time_scale == 0.1
    trial, permissions = made.predicate.scenarios
    assert (trial.name, trial.kind, trial.duration_seconds, trial.kills) == ("image-not-found", "Cure", 12.3, 7)
    assert (permissions.name, permissions.result) == ("permissions", "Passed")


def test_one_finding_is_enough_to_fail() -> None:
    for vetted in (Vetted(RUNBOOK, (GOOD, BAD)), Vetted(RUNBOOK, (GOOD,), ("superfluous: nothing needed to get",))):
        assert not vetted.passed
        assert statement(vetted, UNDER).predicate.result == "Failed"
        assert not statement(vetted, UNDER).predicate.passed


def test_what_was_not_tried_has_not_passed() -> None:
    assert not Vetted(RUNBOOK, ()).passed


def test_junit_tells_what_failed_and_what_was_left_out() -> None:
    root = ET.fromstring(junit([Vetted(RUNBOOK, (GOOD, BAD), left_out=("oom-killed",))]))
    (suite,) = root
    counts = {name: suite.get(name) for name in ("name", "tests", "failures", "skipped")}
    assert counts == {"name": RUNBOOK.metadata.name, "tests": "4", "failures": "1", "skipped": "1"}
    failure = suite.find("testcase[@name='image-not-found-undo']/failure")
    assert failure is not None
    assert failure.get("message") == BAD.findings[0]
    assert suite.find("testcase[@name='oom-killed']/skipped") is not None
