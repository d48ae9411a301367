"""Operators as processes of their own, each with a credential of its own, so that the audit log tells who did what."""

import base64
import http.client
import json
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.support.identity import Answer, Identity, Json
from tests.support.installation import Installation
from tests.support.scene import Scene, open_namespace, operator_environment, runbook
from tests.support.waiting import PATIENCE, eventually

from interlock.crds.names import OPERATOR_ACCOUNT, SHARD_LABEL, SYSTEM_NAMESPACE
from interlock.crds.runbook import Runbook

EMPTY: Mapping[str, str] = MappingProxyType({})
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases"


@dataclass
class Running:
    """One operator process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    credential: str

    @property
    def text(self) -> str:
        """What it has logged."""
        return self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def ended(self, seconds: float = PATIENCE) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(timeout=seconds)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of its health port."""
        named = re.compile(r"metrics on port (\d+)")
        port = eventually(f"{self.name} to name its port", lambda: named.search(self.text))
        connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """A metric without labels, or the sum over its labels."""
        _, text = self.get("/metrics")
        values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, flags=re.MULTILINE)
        return sum(float(value) for value in values)

    def leads(self) -> bool:
        """Whether it leads."""
        return self.metric("interlock_operator_leading") == 1


@dataclass
class Fleet:
    """Operators of shards that nobody else works in."""

    installation: Installation
    directory: Path
    shard: str = field(default_factory=lambda: f"t-{secrets.token_hex(4)}")
    _running: list[Running] = field(default_factory=list)

    def start(
        self,
        name: str,
        *,
        shard: str | None = None,
        kubeconfig: Path | None = None,
        command: Sequence[str] = (sys.executable, "-m", "interlock.operator"),
        more: Mapping[str, str] = EMPTY,
        **settings: str,
    ) -> Running:
        """Starts an operator of the fleet's shard, or of another; `more` is further environment."""
        credential = ""
        if kubeconfig is None:
            token = self.token()
            credential = credential_of(token)
            kubeconfig = self.installation.lab.token_kubeconfig(token, f"{name}-{secrets.token_hex(4)}")
        shard = self.shard if shard is None else shard
        overrides = {f"INTERLOCK_OPERATOR_{key.upper()}": value for key, value in settings.items()}
        environment = {
            **operator_environment(kubeconfig, self.directory / "data"),
            "INTERLOCK_OPERATOR_SHARD": shard,
            "INTERLOCK_OPERATOR_IDENTITY": name,
            **more,
            **overrides,
        }
        log = self.directory / f"{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
        running = Running(name, process, log, credential)
        self._running.append(running)
        return running

    def token(self, bound_to: Json | None = None) -> str:
        """A token of the operator's account with an identifier of its own."""
        path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{OPERATOR_ACCOUNT}/token"
        spec: Json = {"expirationSeconds": 36000, **({"boundObjectRef": bound_to} if bound_to else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(_demand(self.admin.post(path, body)).body["status"]["token"])

    @property
    def admin(self) -> Identity:
        """cluster-admin."""
        return self.installation.admin

    def scene(self) -> Scene:
        """A scene in a new namespace of the fleet's shard."""
        name = f"test-{secrets.token_hex(4)}"
        open_namespace(self.installation, name)
        self.move(name, self.shard)
        return Scene.prepare(self.installation, name, self.directory / "data" / "archive.db")

    def move(self, namespace: str, shard: str) -> None:
        """Labels a namespace with another shard."""
        patch = {"metadata": {"labels": {SHARD_LABEL: shard}}}
        _demand(self.admin.patch(f"/api/v1/namespaces/{namespace}", patch))

    def writes(self, namespace: str, credential: str | None = None, *, dry_runs: bool = False) -> list[Json]:
        """Writes in a namespace that the API server has done: to workloads by runners, or all by one credential."""
        return [
            event
            for event in self.audit()
            if event["verb"] in {"create", "update", "patch", "delete"}
            and event.get("objectRef", {}).get("namespace") == namespace
            and event["responseStatus"]["code"] < 300
            and (dry_runs or "dryRun" not in event["requestURI"])
            and (_by_runner(event) if credential is None else _credential(event) == credential)
        ]

    def audit(self) -> Iterator[Json]:
        """The audit log, request by request."""
        for line in self.installation.lab.audit_log.read_text().splitlines():
            event = json.loads(line)
            if event["stage"] == "ResponseComplete":
                yield event

    def lease(self) -> Json:
        """The Lease of the fleet's shard."""
        return _demand(self.admin.get(f"{LEASES}/{OPERATOR_ACCOUNT}-{self.shard}")).body

    def stop(self) -> None:
        """Kills what still runs."""
        for running in self._running:
            running.process.kill()
            running.process.wait()


@contextmanager
def fleet(installation: Installation, directory: Path) -> Iterator[Fleet]:
    """A fleet that is gone afterwards."""
    made = Fleet(installation, directory)
    try:
        yield made
    finally:
        made.stop()


def gated(family: str) -> Runbook:
    """Writes thrice, with a wait for the label `go` between each two."""
    steps: list[Json] = [
        {"name": "first", "action": "scale", "with": {"replicas": "2"}},
        _gate(1),
        {"name": "second", "action": "patch", "with": {"merge": "metadata: {labels: {team: sre}}"}},
        _gate(2),
        {"name": "third", "action": "patch", "with": {"merge": "metadata: {labels: {tier: gold}}"}},
    ]
    return runbook(family, steps)


def _gate(number: int) -> Json:
    until = {"until": f"target.metadata.labels.?go.orValue('') >= '{number}'"}
    return {"name": f"gate{number}", "action": "wait", "with": until}


def open_gate(scene: Scene, number: int) -> None:
    """Lets the execution past a gate."""
    scene.change({"metadata": {"labels": {"go": str(number)}}})


def at_step(scene: Scene, step: str) -> bool:
    """Whether the execution is at this step."""
    return getattr(scene.execution().status, "step", "") == step


def credential_of(token: str) -> str:
    """The identifier by which the audit log knows a token."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"JTI={claims['jti']}"


def _credential(event: Json) -> str:
    return str((event["user"].get("extra") or {}).get("authentication.kubernetes.io/credential-id", [""])[0])


def _by_runner(event: Json) -> bool:
    runner: str = event["user"]["username"]
    return runner.startswith("system:serviceaccount:interlock-runners:")


def _demand(answer: Answer) -> Answer:
    assert answer.ok, answer
    return answer
