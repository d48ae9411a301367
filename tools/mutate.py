"""Whether each admission rule is shown to matter: neutralised, one at a time, it must make a test fail.

Run as `python -m tools.mutate [--only POLICY] [--every N]`. One lab stays up for all of it: the rule is replaced by
`true` on the running API server, the tests of its policy are run until the first fails, and the rule is put back. They
must pass while no rule is neutralised, or what they notice would prove nothing.
"""

import argparse
import copy
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.identity import Identity, path_of
from tests.support.installation import install

from interlock.cli.manifests import shipped
from interlock.cli.releases import definitions
from interlock.lab import lab_up

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
    "interlock-emergency-stop": ("runners",),
    "interlock-emergency-stop-stays": ("on_call",),
    "interlock-runbooks": ("runbooks",),
    "interlock-audit-heads": ("audit",),
    "interlock-audit-retention": ("audit",),
    "interlock-ledgers": ("ledgers",),
}
"""The files of tests/cluster/enforcement that are about a policy."""
LAB = "INTERLOCK_TEST_LAB"
_SETTLE_SECONDS = 3.0
"""A changed policy acts a moment later, and says nowhere when."""


@dataclass(frozen=True)
class Rule:
    """One validation of one policy."""

    policy: Mapping[str, Any]
    index: int

    @property
    def name(self) -> str:
        """The policy's name."""
        return str(self.policy["metadata"]["name"])

    def __str__(self) -> str:
        words = self.policy["spec"]["validations"][self.index]["expression"].split()
        return f"{self.name}[{self.index}] {' '.join(words)[:80]}"

    def neutralised(self) -> dict[str, Any]:
        """The policy with this rule always true."""
        changed = copy.deepcopy(dict(self.policy))
        changed["spec"]["validations"][self.index]["expression"] = "true"
        return changed


def rules(only: str) -> Iterator[Rule]:
    """Every validation that is shipped, or those of one policy."""
    for manifest in shipped("install"):
        if manifest["kind"] == "ValidatingAdmissionPolicy" and only in ("", manifest["metadata"]["name"]):
            yield from (Rule(manifest, index) for index in range(len(manifest["spec"]["validations"])))


def noticed(admin: Identity, rule: Rule, lab: Path) -> bool:
    """Whether a test fails while the rule is neutralised.

    Raises:
        RuntimeError: the tests could not be run.
    """
    _put(admin, rule.neutralised())
    try:
        return not passes(rule.name, lab)
    finally:
        _put(admin, dict(rule.policy))


def passes(policy: str, lab: Path) -> bool:
    """Whether the tests of a policy pass on a lab as it stands.

    Raises:
        RuntimeError: the tests could not be run.
    """
    files = [f"tests/cluster/enforcement/test_{name}.py" for name in TESTS[policy]]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *files]
    with tempfile.TemporaryDirectory() as base:
        environment = os.environ | {LAB: str(lab)}
        done = subprocess.run([*command, f"--basetemp={base}/pt"], env=environment, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])
    return done.returncode == 0


def _put(admin: Identity, policy: dict[str, Any]) -> None:
    answer = admin.apply(policy)
    if not answer.ok:
        raise RuntimeError(f"{path_of(policy)}: {answer}")
    time.sleep(_SETTLE_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Says of each rule whether a test noticed; the exit status tells whether all were."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("--only", default="", metavar="POLICY", help="the rules of one policy")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth rule, as a sample")
    options = parser.parse_args(arguments)
    chosen = list(rules(options.only))[:: options.every]
    survived = []
    with tempfile.TemporaryDirectory() as directory:
        lab = lab_up(Path(directory) / "lab", monitoring=False, releases=(definitions(),), owner_pid=os.getpid())
        try:
            admin = install(lab).admin
            sound: set[str] = set()
            for rule in chosen:
                if rule.name not in sound and not passes(rule.name, lab.directory):
                    raise RuntimeError(f"the tests of {rule.name} fail while no rule is neutralised")
                sound.add(rule.name)
                found = noticed(admin, rule, lab.directory)
                survived += [] if found else [rule]
                print(f"{'noticed ' if found else 'SURVIVED'} {rule}", flush=True)
        finally:
            lab.stop()
    print(f"{len(chosen) - len(survived)} of {len(chosen)} rules noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
