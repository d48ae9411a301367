"""Whether each rule that the API server enforces is shown to matter: neutralised, one at a time, a test must fail.

Rules are the validations of the admission policies and those of the definitions. Run as `python -m tools.mutate [--only
NAME]… [--every N] [--shard I/N]`. One lab stays up for all of it. All tests must pass while no rule is neutralised, at
the beginning and at the end, or what they notice would prove nothing. Each rule is then replaced by `true` on the
running API server. What each refused to which test its audit log says: those few are asked first, and only where they
notice nothing all that are about the policy or definition.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.identity import JSON_PATCH, Identity, path_of
from tests.support.installation import install

from interlock.cli.releases import definitions
from interlock.crds.manifests import documents
from interlock.lab import Lab, lab_up

TESTS: Mapping[str, tuple[str, ...]] = {
    "interlock-create": ("requests",),
    "interlock-quota": ("limits",),
    "interlock-update": ("decisions", "history", "requests"),
    "interlock-status": ("agents", "history", "runbooks"),
    "interlock-guardrails": ("guardrails",),
    "interlock-guardrail-default": ("on_call",),
    "interlock-agents": ("agents", "requests"),
    "interlock-bindings": ("agents",),
    "interlock-operator": ("operator", "history", "runners"),
    "interlock-runners": ("runners",),
    "interlock-runners-workloads": ("runners", "jobs"),
    "interlock-runners-jobs": ("jobs",),
    "interlock-runners-copies": ("copies",),
    "interlock-emergency-stop": ("runners",),
    "interlock-emergency-stop-stays": ("on_call",),
    "interlock-runbooks": ("runbooks",),
    "interlock-audit-heads": ("audit",),
    "interlock-audit-retention": ("audit",),
    "interlock-ledgers": ("ledgers",),
    "auditheads.interlock.dev": ("audit",),
    "guardrails.interlock.dev": ("ledgers", "limits"),
    "ledgers.interlock.dev": ("ledgers",),
    "runbookexecutions.interlock.dev": ("phases", "history", "decisions", "requests", "limits"),
    "runbooks.interlock.dev": ("runbooks", "requests"),
}
"""The files of tests/cluster/enforcement that are about a policy or a definition."""
LAB = "INTERLOCK_TEST_LAB"
_FAILURES = "validation.policy.admission.k8s.io/validation_failure"
_FEW = 4
_SETTLE_SECONDS = 3.0
"""A changed policy acts a moment later, and says nowhere when."""


@dataclass(frozen=True)
class Rule:
    """One validation of one policy or definition."""

    manifest: Mapping[str, Any]
    pointer: str
    """Where its expression stands, as a JSON pointer."""
    expression: str
    index: int
    """Its number among those of the same list."""
    message: str
    """What it says; empty where that is an expression of its own."""

    @property
    def name(self) -> str:
        """The policy's or definition's name."""
        return str(self.manifest["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.name}[{self.index}] {' '.join(self.expression.split())[:80]}"

    def stands_in(self, document: Mapping[str, Any]) -> str:
        """The expression in its place."""
        found: Any = document
        for part in self.pointer.split("/")[1:]:
            found = found[int(part)] if isinstance(found, list) else found[part]
        return str(found)


def rules(only: Sequence[str] = ()) -> Iterator[Rule]:
    """Every validation that is shipped, or those of some policies and definitions."""
    for manifest in (*documents("install"), *documents("crds")):
        if only and manifest["metadata"]["name"] not in only:
            continue
        if manifest["kind"] == "ValidatingAdmissionPolicy":
            for index, found in enumerate(manifest["spec"]["validations"]):
                yield Rule(manifest, _place(index), found["expression"], index, found.get("message", ""))
        elif manifest["kind"] == "CustomResourceDefinition":
            schema = manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            yield from _of_schema(manifest, schema, "/spec/versions/0/schema/openAPIV3Schema")


def _place(index: int) -> str:
    return f"/spec/validations/{index}/expression"


def _of_schema(manifest: Mapping[str, Any], schema: Mapping[str, Any], pointer: str) -> Iterator[Rule]:
    """The rules of a schema and of all that is in it."""
    for index, found in enumerate(schema.get("x-kubernetes-validations", ())):
        place = f"{pointer}/x-kubernetes-validations/{index}/rule"
        yield Rule(manifest, place, found["rule"], index, found.get("message", ""))
    for name, inner in schema.get("properties", {}).items():
        yield from _of_schema(manifest, inner, f"{pointer}/properties/{name}")
    if isinstance(inner := schema.get("items"), dict):
        yield from _of_schema(manifest, inner, f"{pointer}/items")


Met = Mapping[tuple[str, str], Sequence[str]]
"""By name and pointer of the rule: the tests that it refused something to, those first that nothing else refused."""


def met(lines: Iterable[str], every: Sequence[Rule]) -> Met:
    """What an audit log says; of several rules of policies that refuse one request it names one."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for line in lines:
        event = json.loads(line)
        if not (test := unquote(event.get("userAgent", "")).rpartition(" (")[0]):
            continue
        said = str((event.get("responseStatus") or {}).get("message", ""))
        for rule in (*_of_policies(event), *_of_definition(event, said, every)):
            others = said.count("Invalid value")
            tests = found.setdefault(rule, {})
            tests[test] = min(others, tests.get(test, others))
    return {rule: sorted(tests, key=tests.__getitem__) for rule, tests in found.items()}


def _of_policies(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for failure in json.loads((event.get("annotations") or {}).get(_FAILURES, "[]")):
        yield failure["policy"], _place(int(failure["expressionIndex"]))


def _of_definition(event: Mapping[str, Any], said: str, every: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    about = event.get("objectRef") or {}
    name = f"{about.get('resource')}.{about.get('apiGroup')}"
    yield from (
        (rule.name, rule.pointer) for rule in every if rule.name == name and rule.message and rule.message in said
    )


def noticed(admin: Identity, rule: Rule, lab: Path, tests: Sequence[str]) -> str:
    """The test that fails while the rule is neutralised: one of these, or any that is about its policy; or none.

    Raises:
        RuntimeError: the tests could not be run.
    """
    _put(admin, rule, rule.expression, "true")
    time.sleep(_SETTLE_SECONDS)
    try:
        return (failing(tests[:_FEW], lab) if tests else "") or failing(files_of(rule.name), lab)
    finally:
        _put(admin, rule, "true", rule.expression)


def files_of(*policies: str) -> list[str]:
    """The test files that are about these policies, each once."""
    names = dict.fromkeys(name for policy in policies for name in TESTS[policy])
    return [f"tests/cluster/enforcement/test_{name}.py" for name in names]


def failing(tests: Sequence[str], lab: Path) -> str:
    """The first of these tests that fails on a lab as it stands; empty if all pass.

    Raises:
        RuntimeError: the tests could not be run.
    """
    options = ["-q", "-x", "--tb=no", "-n", "0", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    with tempfile.TemporaryDirectory() as base:
        environment = os.environ | {LAB: str(lab)}
        done = subprocess.run([*command, f"--basetemp={base}/pt"], env=environment, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])
    said = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout.decode(), re.MULTILINE)
    return "" if done.returncode == 0 else said[1].removeprefix("tests/cluster/enforcement/") if said else "a test"


def _put(admin: Identity, rule: Rule, old: str, new: str) -> None:
    path = path_of(dict(rule.manifest))
    answer = admin.get(path)
    if not answer.ok or rule.stands_in(answer.body) != old:  # a patch's own test does not compare escaped text
        raise RuntimeError(f"{rule}: does not stand where it is looked for: {answer.message}")
    answer = admin.patch(path, [{"op": "replace", "path": rule.pointer, "value": new}], JSON_PATCH)
    if not answer.ok:
        raise RuntimeError(f"{rule}: {answer}")


def _demand_sound(tests: Sequence[str], lab: Path) -> None:
    if unsound := failing(tests, lab):
        raise RuntimeError(f"{unsound} fails while no rule is neutralised")


def survivors(chosen: Sequence[Rule], lab: Lab) -> list[Rule]:
    """The rules that no test misses; says of each what became of it."""
    admin, survived, files = install(lab).admin, [], files_of(*(rule.name for rule in chosen))
    _demand_sound(files, lab.directory)
    with (lab.directory / "logs" / "audit.log").open() as log:
        tests = met(log, chosen)
    for rule in chosen:
        found = noticed(admin, rule, lab.directory, tests.get((rule.name, rule.pointer), ()))
        survived += [] if found else [rule]
        print(f"{'noticed ' if found else 'SURVIVED'} {rule}" + (f" by {found}" if found else ""), flush=True)
    time.sleep(_SETTLE_SECONDS)
    _demand_sound(files, lab.directory)
    return survived


def chosen(arguments: Sequence[str] | None) -> list[Rule]:
    """The rules that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="of this policy or definition")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth rule, as a sample")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the Ith of N parts, to share the work")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(TESTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(TESTS)}")
    part, _, parts = options.shard.partition("/")
    return list(rules(options.only))[:: options.every][int(part) - 1 :: int(parts)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Says of each rule whether a test noticed; the exit status tells whether all were."""
    asked = chosen(arguments)
    with tempfile.TemporaryDirectory() as directory:
        lab = lab_up(Path(directory) / "lab", monitoring=False, releases=(definitions(),), owner_pid=os.getpid())
        try:
            survived = survivors(asked, lab)
        finally:
            lab.stop()
    print(f"{len(asked) - len(survived)} of {len(asked)} rules noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
