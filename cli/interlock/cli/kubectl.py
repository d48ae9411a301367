"""`kubectl interlock`: what a person needs to decide, under the person's own kubeconfig identity."""

from typing import Annotated

import typer

from interlock.cli import amending, decisions, screen
from interlock.cli import limits as binding
from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.errors import CommandError
from interlock.cli.executions import Seen, read_execution
from interlock.cli.granting import demand_granted
from interlock.cli.journal_view import as_data, show_journal
from interlock.cli.lazy import Root
from interlock.cli.options import Context, Format, Kubeconfig, Namespace, connect
from interlock.cli.plan_view import show_plan
from interlock.cli.requests import fresh_name
from interlock.cli.runbooks import pinned
from interlock.cli.screen import Output, say
from interlock.crds.execution import TERMINAL, new_execution

HELP = """
Decide what Interlock may do, as yourself.

\b
    kubectl get runbookexecutions -A              what waits for a decision
    kubectl interlock plan NAME -n shop           what would be done, and why
    kubectl interlock approve NAME -n shop        shows the plan, then asks
    kubectl interlock journal NAME -n shop        what was done
    kubectl interlock confirm NAME -n shop        where a person is needed: or resume, or undo
    kubectl interlock amend NAME -n shop --set replicas=5
    kubectl interlock limits -n shop              what is used of what may be done, and what is held up

An approval holds for exactly the plan that you were shown: if the cluster changes before it starts, a new plan is
offered and you are asked again.
"""

app = typer.Typer(
    cls=Root,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

Name = Annotated[str, typer.Argument(help="Name of the execution.", metavar="NAME")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why; it is recorded.", metavar="TEXT")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def plan(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Shows what would be done, and why: each path before and after."""
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    if output is Output.json:
        screen.as_json(found.plan.model_dump(mode="json", by_alias=True, exclude_none=True))
    else:
        _show_plan(cluster, found)


@app.command()
def approve(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    comment: Comment = "",
    yes: Yes = False,
) -> None:
    """Shows the plan, asks, and approves exactly that plan."""
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    decisions.demand_offered(found)
    _show_plan(cluster, found)
    _demand_granted(cluster, found)
    if not yes:
        _ask(f"Approve this plan as {cluster.whoami()}?")
    who = decisions.decide(cluster, found, "Approve", found.plan.digest, comment)
    say(f"approved by {who}: {found.plan.digest}")
    say(f"watch it: interlock execution watch {found.named}")


@app.command("break-glass")
def break_glass(
    name: Name,
    *,
    reason: Annotated[str, typer.Option("--comment", "-m", help="Why nobody else can approve.", metavar="TEXT")],
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    yes: Yes = False,
) -> None:
    """Approves your own request, where the plan is of low risk and nobody else is there.

    Takes the verb breakglass (the role interlock-break-glass). It raises an alarm, and stays in the record for ever.
    """
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    decisions.demand_offered(found)
    _show_plan(cluster, found)
    _demand_granted(cluster, found)
    if not yes:
        _ask(f"Break the glass as {cluster.whoami()}, approving your own request? An alarm is raised.")
    who = decisions.decide(cluster, found, "BreakGlass", found.plan.digest, reason)
    say(f"approved by {who}, who had asked: {found.plan.digest}")


@app.command()
def deny(
    name: Name, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = "", comment: Comment = ""
) -> None:
    """Denies the plan that is offered; the execution ends."""
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    decisions.demand_offered(found)
    who = decisions.decide(cluster, found, "Deny", found.plan.digest, comment)
    say(f"denied by {who}: {found.plan.digest}")


@app.command()
def confirm(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    comment: Comment = "",
    yes: Yes = False,
) -> None:
    """Says that the step that waits for a person has been done."""
    _answer("Confirm", name, (context, kubeconfig, namespace), comment, yes)


@app.command()
def resume(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    comment: Comment = "",
    yes: Yes = False,
) -> None:
    """Lets an execution go on from the step at which it waits for a person."""
    _answer("Resume", name, (context, kubeconfig, namespace), comment, yes)


@app.command()
def undo(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    comment: Comment = "",
    yes: Yes = False,
) -> None:
    """Has an execution that waits for a person put back what it did."""
    _answer("Undo", name, (context, kubeconfig, namespace), comment, yes)


@app.command()
def cancel(
    name: Name, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = "", comment: Comment = ""
) -> None:
    """Stops an execution; what it did is undone by its runbook's policy."""
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    who = decisions.cancel(cluster, found, comment)
    say(f"cancelled by {who}")


@app.command()
def amend(
    name: Name,
    values: Annotated[list[str], typer.Option("--set", help="What differs; repeatable.", metavar="NAME=VALUE")],
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; by default as before.", metavar="TEXT")] = "",
    cancel_: Annotated[bool, typer.Option("--cancel", help="Cancel the old one first, if it has not ended.")] = False,
    output: Format = Output.table,
) -> None:
    """Asks anew, as yourself, with other parameters: a new execution that says which one it amends."""
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    runbook = amending.runbook_of(cluster, found)
    spec = amending.amended(found, runbook, values, reason, cluster.whoami())
    demand_granted(cluster, runbook, spec.target.namespace)
    place = found.execution.namespace
    body = new_execution(name=fresh_name(runbook, spec.target), namespace=place, spec=spec)
    cluster.create(executions_path(place), body, dry_run=True)
    ended = amending.make_room(cluster, found, cancel=cancel_)
    made = cluster.create(executions_path(place), body)
    if output is Output.json:
        screen.as_json(made)
        return
    say(f"asked for: {place}/{body['metadata']['name']}")
    say(f"it amends {found.execution.key}, which has ended as {ended}; somebody else approves it")
    say(f"its plan, once there is one: kubectl interlock plan {body['metadata']['name']} -n {place}")
    say(f"watch it: interlock execution watch {body['metadata']['name']} -n {place}")


@app.command()
def journal(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
    whole: Annotated[bool, typer.Option("--whole", help="Show all details of each entry.")] = False,
) -> None:
    """Shows what was done, and verifies the chain that makes a change of the record visible."""
    found = read_execution(connect(context, kubeconfig, namespace), name)
    if output is Output.json:
        screen.as_json(as_data(found))
        holds = found.broken_at() is None
    else:
        holds = show_journal(found, whole=whole)
        if found.phase in TERMINAL and found.execution.status:
            say(f"ended as {found.phase}: {found.execution.status.message}".rstrip(": "))
    if not holds:
        raise typer.Exit(1)


@app.command()
def limits(
    *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = "", output: Format = Output.table
) -> None:
    """Shows what binds a namespace now: guardrails, what is used of them, and what they hold up."""
    cluster = connect(context, kubeconfig, namespace)
    bodies = binding.guardrails(cluster, cluster.namespace)
    waiting = list(binding.held(cluster, cluster.namespace))
    if output is Output.json:
        screen.as_json({"guardrails": bodies, "held": [dict(zip(HELD, row, strict=True)) for row in waiting]})
        return
    screen.table(("guardrail", "mode", "limit", "used", "frees up"), binding.rows(bodies), "no guardrail binds it")
    say()
    screen.table(HELD, waiting, "nothing is held up")


HELD = ("execution", "reason", "message")


def _show_plan(cluster: Cluster, found: Seen) -> None:
    runbook = pinned(cluster, found.execution.spec.runbook)
    show_plan(found, runbook)
    if runbook is None:
        say("What steps wait for, and what a failure means, is not shown: you may not read the runbook that was asked")
        say("for (that takes interlock-auditor, bound everywhere), or it is not published with that content any more.")


def _demand_granted(cluster: Cluster, found: Seen) -> None:
    """Raises CommandError where what was granted when the plan was made is granted no more, as far as one may know."""
    runbook = pinned(cluster, found.execution.spec.runbook)
    if runbook is not None:
        demand_granted(cluster, runbook, found.execution.spec.target.namespace)


def _answer(verdict: decisions.Verdict, name: str, place: tuple[str, str, str], comment: str, yes: bool) -> None:
    cluster = connect(*place)
    found = read_execution(cluster, name)
    asked = decisions.question(found)
    show_journal(found)
    say()
    possible = [(word.lower(), decisions.MEANINGS[word]) for word in asked.verdicts]
    screen.fields([("asked about", asked.step), ("because", asked.message), *possible])
    decisions.demand_possible(found, asked, verdict)
    if not yes:
        _ask(f"{verdict} {found.execution.key} as {cluster.whoami()}?")
    who = decisions.decide(cluster, found, verdict, found.journal_head(), comment)
    say(f"{verdict} by {who}: {found.journal_head()}")


def _ask(question: str) -> None:
    """Raises CommandError unless a person types yes."""
    try:
        answer = screen.console().input(f"\n{question} Type yes: ")
    except EOFError as ended:
        say()
        raise CommandError("nobody answered, so nothing was decided", "Answer, or use --yes.") from ended
    if answer.strip().lower() != "yes":
        raise CommandError("not approved, nothing was decided", "To end the execution for good: kubectl interlock deny")


def main() -> None:
    """The entry point; kubectl finds it as kubectl-interlock on the PATH."""
    app(prog_name="kubectl interlock")
