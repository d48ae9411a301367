"""The story, scene by scene: a mistake, an alert, a diagnosis, a request, a person's yes, a verified cure."""

from interlock.agents.incidents import IncidentDetail
from interlock.cli import decisions, screen
from interlock.cli.cluster import Cluster, runbooks_path
from interlock.cli.demo.narrator import Narrator
from interlock.cli.demo.stage import APPROVER, ON_CALL, Stage
from interlock.cli.demo.world import await_, firing, incident, proposal
from interlock.cli.errors import CommandError
from interlock.cli.executions import Seen, read_execution
from interlock.cli.follow import follow
from interlock.cli.incident_view import show_causes
from interlock.cli.journal_view import show_journal
from interlock.cli.plan_view import show_plan
from interlock.cli.runbooks import pinned
from interlock.crds.execution import TERMINAL
from interlock.lab import LabError
from interlock.lab.faults import change, find_fault, person
from interlock.lab.shop import NAMESPACE

FAULT = "crash-after-change"
CURE = "rollback-deployment"
"""The family that answers it."""


def tell(stage: Stage, narrator: Narrator, *, yes: bool) -> bool:
    """Plays all scenes; returns whether the shop was cured.

    Raises:
        CommandError: something that was waited for did not come.
    """
    approver = stage.person(APPROVER)
    _mistake(stage, narrator)
    _alert(stage, narrator)
    found = _incident(stage, narrator)
    asked = _request(stage, narrator, approver, found)
    _limits(stage, narrator, asked)
    planned = _plan(stage, narrator, approver, asked)
    if not _approval(narrator, approver, planned, yes=yes):
        return False
    cured = _cure(stage, narrator, planned)
    if cured:
        _calm(stage, narrator, found.id)
    _record(stage, narrator, planned)
    return cured


def _mistake(stage: Stage, narrator: Narrator) -> None:
    fault = find_fault(FAULT)
    narrator.chapter("A developer makes a mistake")
    narrator.tell(f"dana {fault.does}.")
    narrator.note("fault")
    for line in fault.breaks:
        narrator.command("dana", f"kubectl -n {NAMESPACE} {' '.join(line)}")
    try:
        for said in change(person(stage.lab, fault), fault.breaks, NAMESPACE):
            narrator.shows(said)
    except LabError as wrong:
        raise CommandError(str(wrong)) from wrong


def _alert(stage: Stage, narrator: Narrator) -> None:
    narrator.chapter("Prometheus notices")
    alert = await_(stage, "an alert to fire", lambda: next(iter(firing(stage)), None))
    narrator.note("alert")
    narrator.happens(f"FIRING  {alert.name}  {alert.what}, for {alert.age:.1f} s", "red")
    narrator.shows(alert.summary)
    narrator.shows("Alertmanager sends it to the agents' webhook.", "dim")


def _incident(stage: Stage, narrator: Narrator) -> IncidentDetail:
    narrator.chapter("The agents look, and find the cause")
    opened = await_(stage, "an incident", lambda: incident(stage))
    narrator.happens(f"incident {opened.id}: {opened.title} ({opened.target})")

    def diagnosed() -> IncidentDetail | None:
        found = incident(stage, opened.id)
        return found if found and found.hypotheses and found.executions else None

    found = await_(stage, "a diagnosis and a proposal", diagnosed, 90)
    narrator.happens(f"{len(found.evidence)} pieces of evidence read, {len(found.alerts)} alerts in one incident:")
    show_causes(found, most=1)
    narrator.tell("No model was asked: rules come first. Every claim cites what was read, and where.")
    return found


def _request(stage: Stage, narrator: Narrator, approver: Cluster, found: IncidentDetail) -> Seen:
    narrator.chapter("The agents ask for a runbook; it is all that they can do")

    def requested() -> Seen | None:
        now = incident(stage, found.id)
        if now is not None and now.state in ("escalated", "recorded"):
            raise CommandError(f"incident {now.id} is {now.state} without a request: {now.reason}")
        return proposal(approver)

    asked = await_(stage, "a RunbookExecution", requested)
    narrator.note("proposal")
    spec = asked.execution.spec
    narrator.happens(f"RunbookExecution {asked.execution.key}")
    narrator.shows(f"runbook {spec.runbook.name} on {spec.target}, asked by {spec.requested_by}")
    await_(stage, "the runbook's standing", lambda: approver.get(runbooks_path(spec.runbook.name)).get("status"))
    _shows(stage, narrator, "get", "runbooks", spec.runbook.name)
    return asked


def _limits(stage: Stage, narrator: Narrator, asked: Seen) -> None:
    narrator.tell("Could they do it themselves? With the agents' own credentials:")
    target, name = asked.execution.spec.target, asked.execution.name
    patch = '[{"op":"add","path":"/spec/cancelled","value":{"by":"me"}}]'
    for words in (
        ("-n", NAMESPACE, "rollout", "undo", f"deployment/{target.name}"),
        ("-n", NAMESPACE, "patch", "runbookexecution", name, "--type=json", "-p", patch),
    ):
        done = stage.kubectl(stage.agents_kubeconfig, *words)
        if done.returncode == 0:
            raise CommandError(f"the agents were allowed to: kubectl {' '.join(words)}", "See interlock doctor.")
        narrator.command("agents", f"kubectl {' '.join(words[:5])}")
        narrator.shows(done.stderr.strip().splitlines()[-1], "red")


def _plan(stage: Stage, narrator: Narrator, approver: Cluster, asked: Seen) -> Seen:
    narrator.chapter("The operator plans it: the API server's own dry run says what would change")
    name = asked.execution.name

    def offered() -> Seen | None:
        found = read_execution(approver, name)
        if found.phase in TERMINAL:
            message = found.execution.status.message if found.execution.status else ""
            raise CommandError(f"it ended as {found.phase} before it could be approved: {message}")
        return found if found.phase == "AwaitingApproval" else None

    planned = await_(stage, "a plan", offered)
    narrator.note("plan")
    narrator.happens("the plan waits for a person")
    narrator.command(APPROVER, f"kubectl interlock plan {planned.named}")
    show_plan(planned, pinned(approver, planned.execution.spec.runbook))
    return planned


def _approval(narrator: Narrator, approver: Cluster, planned: Seen, *, yes: bool) -> bool:
    narrator.chapter(f"A person decides: you are {APPROVER}")
    narrator.tell("Whoever asks cannot approve, and an approval holds for exactly this plan.")
    narrator.command(APPROVER, f"kubectl interlock approve {planned.named}")
    agreed = yes or _types_yes()
    verdict: decisions.Verdict = "Approve" if agreed else "Deny"
    decisions.decide(approver, planned, verdict, planned.plan.digest, "the demo" if yes else "typed by a person")
    narrator.note("approval")
    narrator.happens(f"{verdict} by {APPROVER}: {planned.plan.digest}", "green" if agreed else "red")
    if not agreed:
        narrator.tell("Denied: nothing is done, and the record says so.")
        follow(approver, planned.execution.name)
    return agreed


def _types_yes() -> bool:
    try:
        answer = screen.console().input(f"\nApprove this plan as {APPROVER}? Type yes: ")
    except EOFError as ended:
        screen.say()
        way_out = "Type yes, or let the demo do it: interlock demo --yes (make demo YES=1)"
        raise CommandError("nobody is there to approve", way_out) from ended
    return answer.strip().lower() == "yes"


def _cure(stage: Stage, narrator: Narrator, planned: Seen) -> bool:
    narrator.chapter("The runbook acts: intent before each effect, outcome after it")
    narrator.tell(f"As {ON_CALL}, who is on call, sees it: interlock execution watch {planned.named}")
    phase = follow(stage.person(ON_CALL), planned.execution.name)
    narrator.note("cure")
    narrator.happens(
        f"it ended as {phase}, {narrator.between('approval', 'cure')} after the approval", screen.tone(phase)
    )
    return phase == "Succeeded"


def _calm(stage: Stage, narrator: Narrator, identifier: str) -> None:
    narrator.chapter("The alert resolves, and the incident with it")
    await_(stage, "the alerts to resolve", lambda: not firing(stage), 90)
    narrator.note("calm")
    narrator.happens("no alert fires any more", "green")

    def resolved() -> IncidentDetail | None:
        found = incident(stage, identifier)
        return found if found and found.state in ("resolved", "escalated") else None

    found = await_(stage, "the incident to end", resolved, 90)
    narrator.happens(f"incident {found.id}: {found.state}. {found.reason}", screen.tone(found.state))


def _record(stage: Stage, narrator: Narrator, planned: Seen) -> None:
    narrator.chapter("The record")
    narrator.command(ON_CALL, f"kubectl interlock journal {planned.named}")
    show_journal(read_execution(stage.person(ON_CALL), planned.execution.name))
    for kind in ("runbookexecutions", "deployments"):
        _shows(stage, narrator, "get", kind, "-n", NAMESPACE)


def _shows(stage: Stage, narrator: Narrator, *words: str) -> None:
    """What kubectl says to whoever is on call."""
    narrator.command(ON_CALL, f"kubectl {' '.join(words)}")
    narrator.shows(stage.kubectl(stage.lab.client_certificate_kubeconfig(ON_CALL), *words).stdout.rstrip())


def times(narrator: Narrator) -> None:
    """What took how long."""
    narrator.chapter("How long it took")
    rows = (
        ("fault to alert", "fault", "alert"),
        ("alert to proposal", "alert", "proposal"),
        ("proposal to plan", "proposal", "plan"),
        ("approval to verified cure", "approval", "cure"),
        ("alert to verified cure, your reading included", "alert", "cure"),
        ("verified cure to resolved alert", "cure", "calm"),
    )
    screen.fields([(f"  {label}", narrator.between(first, last)) for label, first, last in rows])
