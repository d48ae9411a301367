"""What came of a vetting: per trial what was found, per runbook a verdict, and both for people, CI and signatures."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interlock.crds.attestation import ScenarioOutcome, Statement, Vetting, statement_of
from interlock.crds.runbook import Runbook
from interlock.crds.trust import Substrate

Way = Literal["Cure", "Undo", "Control"]
"""What is tried: that it cures, that it undoes (a Cure whose verification is made to fail), that it leaves alone."""


@dataclass(frozen=True)
class Trial:
    """One trial of a runbook and what was found; it passed if nothing was."""

    name: str
    way: Way
    seconds: float
    findings: tuple[str, ...] = ()
    kills: int = 0
    """Operators killed on the way."""

    @property
    def passed(self) -> bool:
        """Whether all was as it must be."""
        return not self.findings


@dataclass(frozen=True)
class Conditions:
    """Under what was vetted."""

    substrate: Substrate
    time_scale: float
    permissions: Literal["Minimal", "OwnRecord"]
    """Whose record of the runners' requests was compared: the API server's audit log, or the runner client's own."""
    kubernetes: str
    interlock: str
    finished_at: str
    """RFC 3339, UTC."""


@dataclass(frozen=True)
class Vetted:
    """What was found of one runbook."""

    runbook: Runbook
    trials: tuple[Trial, ...]
    permissions: tuple[str, ...] = ()
    """Where declared permissions and used ones differ."""
    left_out: tuple[str, ...] = ()
    """Scenarios that need another substrate than there was."""

    @property
    def passed(self) -> bool:
        """Whether it may be signed: everything was tried, and nothing found."""
        return bool(self.trials) and all(trial.passed for trial in self.trials) and not self.permissions

    @property
    def findings(self) -> tuple[str, ...]:
        """All that was found, each with the trial that it was found in."""
        tried = (f"{trial.name}: {found}" for trial in self.trials for found in trial.findings)
        return (*tried, *(f"permissions: {found}" for found in self.permissions))


def statement(vetted: Vetted, under: Conditions) -> Statement:
    """What is signed about a runbook."""
    outcomes = [_outcome(trial.name, trial.way, trial.findings, trial.seconds, trial.kills) for trial in vetted.trials]
    outcomes.append(_outcome("permissions", "Permissions", vetted.permissions))
    predicate = Vetting(
        result="Passed" if vetted.passed else "Failed",
        scenarios=outcomes,
        substrate=under.substrate,
        time_scale=under.time_scale,
        permissions=under.permissions,
        kubernetes=under.kubernetes,
        interlock=under.interlock,
        finished_at=under.finished_at,
    )
    return statement_of(vetted.runbook, predicate)


def _outcome(name: str, kind: str, findings: Sequence[str], seconds: float = 0, kills: int = 0) -> ScenarioOutcome:
    result: Literal["Passed", "Failed"] = "Failed" if findings else "Passed"
    return ScenarioOutcome(name=name, kind=kind, result=result, duration_seconds=round(seconds, 1), kills=kills)


def junit(all_vetted: Sequence[Vetted]) -> str:
    """The result as JUnit XML: a suite for each runbook, a case for each trial."""
    root = ET.Element("testsuites")
    for vetted in all_vetted:
        suite = ET.SubElement(root, "testsuite", name=vetted.runbook.metadata.name)
        for trial in vetted.trials:
            _case(suite, vetted, trial.name, trial.findings, trial.seconds)
        _case(suite, vetted, "permissions", vetted.permissions, 0)
        for name in vetted.left_out:
            case = ET.SubElement(suite, "testcase", classname=vetted.runbook.spec.family, name=name)
            ET.SubElement(case, "skipped", message="needs real kubelets")
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("skipped", str(len(vetted.left_out)))
        suite.set("time", f"{sum(trial.seconds for trial in vetted.trials):.1f}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, vetted: Vetted, name: str, findings: Sequence[str], seconds: float) -> None:
    attributes = {"classname": vetted.runbook.spec.family, "name": name, "time": f"{seconds:.1f}"}
    case = ET.SubElement(suite, "testcase", attributes)
    if findings:
        ET.SubElement(case, "failure", message=findings[0]).text = "\n".join(findings)
