"""Executions as the command line reads them: one by its name, with a complaint that helps where there is none."""

from dataclasses import dataclass

from pydantic import ValidationError

from interlock.cli.cluster import Cluster, Object, executions_path
from interlock.cli.errors import CommandError, Refused
from interlock.crds.execution import Plan, RunbookExecution
from interlock.crds.journal import broken_at, genesis, head
from interlock.crds.names import AUDIT_FINALIZER


@dataclass(frozen=True)
class Seen:
    """An execution, and the object that it was read from."""

    execution: RunbookExecution
    body: Object

    @property
    def phase(self) -> str:
        """Where it stands."""
        return self.execution.status.phase if self.execution.status else "Pending"

    @property
    def plan(self) -> Plan:
        """The plan that is or was offered; raises CommandError where there is none."""
        status = self.execution.status
        if status is None or status.plan is None:
            why = f" ({status.reason}: {status.message})" if status and status.reason else ""
            way_out = "Watch it: interlock execution watch " + self.named
            raise CommandError(f"{self.execution.key} has no plan; it is {self.phase}{why}", way_out)
        return status.plan

    @property
    def named(self) -> str:
        """How to name it in a command."""
        return f"{self.execution.name} -n {self.execution.namespace}"

    @property
    def start(self) -> str:
        """What the journal's chain starts from."""
        return genesis(self.execution.uid, self.execution.spec.request_digest())

    def journal_head(self) -> str:
        """The digest that stands for the whole journal."""
        return head(self.start, self.execution.journal)

    def broken_at(self) -> int | None:
        """The first journal entry that the chain does not bear out, or None."""
        return broken_at(self.start, self.execution.journal)


def is_held(body: Object) -> bool:
    """Whether an execution still carries the operator's finalizer: it is not archived yet."""
    return AUDIT_FINALIZER in (body["metadata"].get("finalizers") or ())


def read_execution(cluster: Cluster, name: str) -> Seen:
    """The execution of that name in the cluster's namespace.

    Raises:
        CommandError: there is none, or it is not one that this version understands.
    """
    try:
        return seen(cluster.get(executions_path(cluster.namespace, name)))
    except Refused as refused:
        if refused.status == 404:
            way_out = f"See `interlock execution list -n {cluster.namespace}`, or look in all namespaces with -A."
            raise CommandError(f"there is no execution {name} in namespace {cluster.namespace}", way_out) from refused
        raise


def seen(body: Object) -> Seen:
    """An execution from its object.

    Raises:
        CommandError: it is not one that this version understands.
    """
    try:
        return Seen(RunbookExecution.from_object(body), body)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        name = body["metadata"]["name"]
        way_out = "The cluster's definitions and this command line differ in version: see `interlock doctor`."
        raise CommandError(f"execution {name}: {where}: {first['msg']}", way_out) from wrong
