"""What vetting plays on: a cluster with the contract in force, operators under trial, and its own two identities.

One asks and one approves, as nobody may approve what they asked for; both are ServiceAccounts of vetting's own.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kubernetes.aio import client, config

from interlock.cli.errors import CommandError, UsageError
from interlock.cli.releases import CONTRACT_ONLY, definitions, helm_for, install_all, interlock
from interlock.cli.vetting.audit import Witness, audited_request, own_request
from interlock.cli.vetting.operators import Operator, Terms
from interlock.cli.vetting.owning import apply, remove
from interlock.crds.celprocess import Evaluator
from interlock.crds.names import OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from interlock.crds.trust import Substrate
from interlock.lab import LabError, lab_up
from interlock.lab.kubeconfig import token_user, write_kubeconfig
from interlock.lab.tools import Progress
from interlock.operator.api import Api, Object
from interlock.operator.errors import ApiError
from interlock.operator.transport import Transport

ASKS, APPROVES = "asks", "approves"
_RBAC = "rbac.authorization.k8s.io"
_ROLES = {ASKS: "interlock-requester", APPROVES: "interlock-approver"}
REAL_NODES = 2
"""One that is taken out of service, and one that goes on."""
TRIALS = "vet-"
"""How the namespaces begin in which trials take place."""
_REQUEST_SECONDS = 30.0
_TOKEN_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Person:
    """Somebody who asks or approves."""

    name: str
    api: Api


@dataclass(frozen=True)
class Stage:
    """Everything that trials are carried out on."""

    admin: Api
    asks: Person
    approves: Person
    evaluator: Evaluator
    """Evaluates what scenarios wait for, in the time scale of the operators under trial."""
    witness: Witness
    kubeconfig: Path
    directory: Path
    redaction_key: Path
    record: Path
    """Where the operators write down what their runners ask for."""
    time_scale: float
    kubernetes: str
    shard: str
    """Where trials take place. The default shard only where no other operator runs: executions about cluster-scoped
    targets belong to it."""

    @property
    def permissions(self) -> Literal["Minimal", "OwnRecord"]:
        """Whose record permissions are compared with."""
        return "OwnRecord" if self.witness.path == self.record else "Minimal"

    async def apply(self, manifest: Object, namespace: str = "") -> Object:
        """Applies an object as the administrator; raises ApiError."""
        return await apply(self.admin, manifest, namespace)

    async def remove(self, manifest: Object) -> None:
        """Deletes an object of such a manifest; raises ApiError."""
        await remove(self.admin, manifest)

    def operator(self, shard: str, *, mortal: bool = False) -> Operator:
        """An operator for a shard, not started yet."""
        folder = self.directory / f"operator-{shard or 'default'}"
        folder.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "KUBECONFIG": str(self.kubeconfig),
            "DATA_DIR": str(folder),
            "REDACTION_KEY": str(self.redaction_key),
            "ALLOW_UNVETTED": "true",
            "SHARD": shard,
            "IDENTITY": f"vetting-{shard or 'default'}",
            "LEASE_SECONDS": "30",
            "POLL_SECONDS": "0.3",
            "DRIFT_SECONDS": "5",
            "WORKERS": "16",
            "HEALTH_PORT": "0",
        }
        named = {f"INTERLOCK_OPERATOR_{name}": value for name, value in settings.items()}
        return Operator(named, folder / "operator.log", Terms(self.time_scale, self.record, mortal))


@asynccontextmanager
async def own_lab(directory: Path, time_scale: float, substrate: Substrate, progress: Progress) -> AsyncIterator[Stage]:
    """A stage on a lab that is brought up for it and taken down after it.

    Raises:
        CommandError: the lab does not start, or Interlock cannot be installed on it.
    """
    try:
        lab = await asyncio.to_thread(
            lab_up,
            directory / "lab",
            real_nodes=REAL_NODES if substrate == "kubelet" else 0,
            monitoring=False,
            releases=(definitions(),),
            progress=progress,
        )
    except LabError as wrong:
        raise CommandError(str(wrong)) from wrong
    try:
        progress("installing roles and policies")
        helm = helm_for("", str(lab.kubeconfig), progress)
        await asyncio.to_thread(install_all, helm, (definitions(), interlock(CONTRACT_ONLY)), lambda _: None)
        async with standing(lab.kubeconfig, directory, time_scale, audit_log=lab.audit_log, shard="") as stage:
            yield stage
    finally:
        await asyncio.to_thread(lab.stop)


@asynccontextmanager
async def standing(
    kubeconfig: Path | None,
    directory: Path,
    time_scale: float,
    *,
    audit_log: Path | None,
    shard: str,
    context: str = "",
) -> AsyncIterator[Stage]:
    """A stage on a cluster where the contract is in force; without its audit log, by the runner client's own record.

    Raises:
        CommandError: the caller may not set it up.
    """
    configuration = await configuration_of(kubeconfig, context)
    async with AsyncExitStack() as stack:
        admin = Api(configuration, Transport(configuration, _REQUEST_SECONDS))
        stack.push_async_callback(admin.close)
        evaluator = await stack.enter_async_context(Evaluator(time_scale=time_scale))
        record = directory / "requests.jsonl"
        record.touch(mode=0o600)
        witness = Witness(record, own_request) if audit_log is None else Witness(audit_log, audited_request)
        stack.callback(witness.close)
        key = directory / "redaction.key"
        key.write_bytes(secrets.token_bytes(32))
        try:
            people = await stack.enter_async_context(_people(admin))
            token = await _token(admin, SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)
            version = str((await admin.request("GET", "/version"))["gitVersion"])
        except ApiError as error:
            raise CommandError(
                f"vetting cannot be set up: {error}", "It takes the rights of the cluster's owner."
            ) from error
        operators = _operator_kubeconfig(directory, configuration, token)
        yield Stage(
            admin,
            people[ASKS],
            people[APPROVES],
            evaluator,
            witness,
            operators,
            directory,
            key,
            record,
            time_scale,
            version.removeprefix("v").partition("+")[0].partition("-")[0],
            shard,
        )


def _operator_kubeconfig(directory: Path, configuration: client.Configuration, token: str) -> Path:
    authority = Path(configuration.ssl_ca_cert or "").read_bytes()
    path = directory / "operator.kubeconfig"
    return write_kubeconfig(path, configuration.host, authority, "operator", token_user(token))


async def configuration_of(kubeconfig: Path | None, context: str = "") -> client.Configuration:
    """How to reach the cluster of a kubeconfig's context; raises UsageError where there is none."""
    configuration = client.Configuration()
    try:
        await config.load_kube_config(
            config_file=str(kubeconfig) if kubeconfig else None,
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except (config.ConfigException, OSError) as error:
        raise UsageError(f"--context: {error}", "See `kubectl config get-contexts`.") from error
    return configuration


@asynccontextmanager
async def _people(admin: Api) -> AsyncIterator[dict[str, Person]]:
    """The two identities, with their rights everywhere for as long as the context lasts."""
    namespace = f"interlock-vetting-{secrets.token_hex(4)}"
    manifests = _identities(namespace)
    try:
        for manifest in manifests:
            await apply(admin, manifest)
        tokens = {name: await _token(admin, namespace, name) for name in _ROLES}
        yield {
            name: Person(f"system:serviceaccount:{namespace}:{name}", admin.with_token(token))
            for name, token in tokens.items()
        }
    finally:
        with contextlib.suppress(ApiError):
            for manifest in reversed(manifests):
                await remove(admin, manifest)


def _identities(namespace: str) -> list[dict[str, Any]]:
    manifests: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}]
    for name, role in _ROLES.items():
        manifests += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"{namespace}.{name}"},
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
        ]
    return manifests


async def _token(admin: Api, namespace: str, account: str) -> str:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOKEN_SECONDS},
    }
    path = await admin.path("v1", "ServiceAccount", namespace, account, "token")
    return str((await admin.create(path, body))["status"]["token"])
