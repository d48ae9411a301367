"""The stage: a lab with a shop, Interlock installed on it, its parts running under their own identities, and people."""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.cli.catalogue.content import complete
from interlock.cli.cluster import Cluster, Object, connect
from interlock.cli.demo.household import log_of
from interlock.cli.demo.trusting import Trusted, trust_kept
from interlock.cli.errors import CommandError, Refused
from interlock.cli.manifests import Manifest, apply_all, await_count
from interlock.cli.releases import CONTRACT_ONLY, definitions, helm_for, install_all, interlock
from interlock.cli.runbooks import catalogue, grants
from interlock.crds.names import AGENTS_ACCOUNT, AGENTS_NAMESPACE, OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from interlock.lab import Lab, LabError, lab_down, lab_up
from interlock.lab.kubectl import administrator
from interlock.lab.ports import free_port
from interlock.lab.shop import NAMESPACE, deploy_shop
from interlock.runbooks import rbac

ON_CALL, APPROVER = "alice", "bob"
NODES = 3
READY_SECONDS = 180.0
TOKEN_SECONDS = 24 * 3600
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """Everything that the demo plays on."""

    lab: Lab
    household: subprocess.Popen[bytes]
    agents_kubeconfig: Path
    database_url: str
    archive_url: str

    def person(self, name: str) -> Cluster:
        """The cluster as a person sees it."""
        return connect(kubeconfig=str(self.lab.client_certificate_kubeconfig(name)), namespace=NAMESPACE)

    def kubectl(self, kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What kubectl says to somebody."""
        command = [str(self.lab.kubectl), f"--kubeconfig={kubeconfig}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def demand_alive(self) -> None:
        """Raises CommandError with the last lines of its log if a part of Interlock has ended."""
        if self.household.poll() is None:
            return
        logs = [log_of(self.lab.directory, name) for name in ("household", "operator", "agents")]
        tails = "\n".join(f"{log.name}: {line}" for log in logs if log.exists() for line in _tail(log))
        raise CommandError(f"a part of Interlock has ended\n{tails}", f"The logs: {logs[0].parent}")


@contextmanager
def stage(
    directory: Path, *, keep: bool, progress: Progress, nodes: int = NODES, unvetted: bool = False
) -> Iterator[Stage]:
    """Sets everything up; takes everything down at the end unless it is to be kept.

    The operator runs what passed its vetting on this machine, or, `unvetted`, any runbook.

    Raises:
        CommandError: a part did not start; the message says why.
    """
    try:
        lab = lab_up(directory, nodes=nodes, owned=not keep, releases=(definitions(),), progress=progress)
    except LabError as wrong:
        raise CommandError(str(wrong)) from wrong
    except KeyboardInterrupt:
        lab_down(directory)
        raise
    household: subprocess.Popen[bytes] | None = None
    finished = False
    try:
        admin = connect(kubeconfig=str(lab.kubeconfig))
        trusted = trust_kept((item.runbook for item in catalogue()), lab.directory)
        _prepare(lab, admin, trusted, progress)
        household, made = _start(lab, admin, _belief(trusted, unvetted=unvetted), progress)
        yield made
        finished = True
    finally:
        if not (keep and finished):
            progress("taking everything down")
            _end(household)
            lab.stop()


def _belief(trusted: Trusted, *, unvetted: bool) -> dict[str, str]:
    settings = {"INTERLOCK_OPERATOR_TRUST_POLICY": str(trusted.policy)}
    return settings | ({"INTERLOCK_OPERATOR_ALLOW_UNVETTED": "true"} if unvetted else {})


def _prepare(lab: Lab, admin: Cluster, trusted: Trusted, progress: Progress) -> None:
    progress("installing Interlock: definitions, roles, policies, a cautious guardrail")
    install_all(helm_for("", str(lab.kubeconfig), progress), (definitions(), interlock(CONTRACT_ONLY)), _quiet)
    apply_all(admin, rbac.opt_in(NAMESPACE), _quiet)
    progress("deploying a shop: six services, whose team has opted in to remediation")
    try:
        deploy_shop(administrator(lab), wait=False)
    except LabError as wrong:
        raise CommandError(str(wrong)) from wrong
    progress(f"publishing {len(trusted.runbooks)} runbooks, each with its own account and no more rights than it needs")
    progress(f"{trusted.attested} of them passed their vetting on this machine: a key made for this lab attests that")
    apply_all(admin, [complete(runbook) for runbook in trusted.runbooks], _quiet)
    apply_all(admin, [*grants(trusted.runbooks, [NAMESPACE]), *_people()], _quiet)


def _people() -> list[Manifest]:
    """alice is on call: she may look and ask. bob may approve. Neither may do what a runbook does."""
    return [
        binding(ON_CALL, "interlock-requester", NAMESPACE),
        binding(ON_CALL, "view", NAMESPACE),
        binding(ON_CALL, "interlock-auditor", None),
        binding(APPROVER, "interlock-approver", NAMESPACE),
        binding(APPROVER, "view", NAMESPACE),
        binding(APPROVER, "interlock-auditor", None),
    ]


def binding(user: str, role: str, namespace: str | None) -> Manifest:
    """Binds a person to one of the roles, in a namespace or everywhere."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": f"demo.{user}.{role}"} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _start(
    lab: Lab, admin: Cluster, belief: dict[str, str], progress: Progress
) -> tuple[subprocess.Popen[bytes], Stage]:
    progress("starting the operator and the agents, each under its own identity")
    data = lab.directory / "data" / "interlock"
    data.mkdir(parents=True, exist_ok=True)
    token_file = data / "webhook-token"
    token_file.write_text(secrets.token_urlsafe(32))
    token_file.chmod(0o600)
    health, webhook = free_port(), free_port()
    identities = {
        "operator": _identity(lab, admin, SYSTEM_NAMESPACE, OPERATOR_ACCOUNT),
        "agents": _identity(lab, admin, AGENTS_NAMESPACE, AGENTS_ACCOUNT),
    }
    archive, database = f"sqlite:///{data / 'archive.db'}", f"sqlite:///{data / 'agents.db'}"
    settings = {
        "INTERLOCK_OPERATOR_KUBECONFIG": str(identities["operator"]),
        "INTERLOCK_OPERATOR_DATA_DIR": str(data),
        "INTERLOCK_OPERATOR_ARCHIVE_URL": archive,
        "INTERLOCK_OPERATOR_PROMETHEUS_URL": lab.prometheus_url,
        "INTERLOCK_OPERATOR_HEALTH_PORT": str(health),
        "INTERLOCK_OPERATOR_SHOW_SECONDS": "3",
        **belief,
        "INTERLOCK_AGENTS_KUBECONFIG": str(identities["agents"]),
        "INTERLOCK_AGENTS_DATABASE_URL": database,
        "INTERLOCK_AGENTS_PORT": str(webhook),
        "INTERLOCK_AGENTS_TOKEN_FILE": str(token_file),
        "INTERLOCK_AGENTS_PROMETHEUS_URL": lab.prometheus_url,
    }
    household = _household(lab.directory, settings)
    made = Stage(lab, household, identities["agents"], database, archive)
    try:
        _await_ready(made, {"operator": health, "agents": webhook})
        progress("waiting until the API server counts what is asked for in the shop: a quota caps storms")
        await_count(admin, NAMESPACE)
        lab.set_webhook(f"http://127.0.0.1:{webhook}/api/v1/alertmanager", token_file.read_text())
        _await_shop(lab)
    except BaseException:
        _end(household)
        raise
    return household, made


def _household(directory: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "interlock.cli.demo.household", str(directory)]
    with log_of(directory, "household").open("wb") as log:
        # A session of its own: Ctrl-C is for the demo, which then ends its household in order.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            env={**os.environ, **settings},
            start_new_session=True,
        )


def _await_ready(made: Stage, ports: dict[str, int]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for name, port in ports.items():
        while not _is_ready(port):
            made.demand_alive()
            if time.monotonic() > deadline:
                log = log_of(made.lab.directory, name)
                raise CommandError(f"the {name} was not ready in {READY_SECONDS:.0f} s\n" + "\n".join(_tail(log)))
            time.sleep(0.1)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _await_shop(lab: Lab) -> None:
    try:
        deploy_shop(administrator(lab))
    except LabError as wrong:
        raise CommandError(str(wrong)) from wrong


def _identity(lab: Lab, admin: Cluster, namespace: str, account: str) -> Path:
    """A kubeconfig with a token of a ServiceAccount, as its pod would have one."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    body: Object = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    try:
        token = admin.create(path, body)["status"]["token"]
    except Refused as refused:
        raise CommandError(f"no token of {namespace}/{account}: {refused.message}") from refused
    return lab.token_kubeconfig(token, account)


def _end(household: subprocess.Popen[bytes] | None) -> None:
    if household is None or household.poll() is not None:
        return
    household.send_signal(signal.SIGTERM)
    try:
        household.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(household.pid, signal.SIGKILL)
        household.wait()


def _tail(path: Path, lines: int = 12) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []


def _quiet(_: str) -> None:
    """The demo says in a line what many objects are."""
