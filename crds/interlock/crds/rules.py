"""What the API server enforces beyond types: the CEL rules of each kind.

A rule here cannot see who asks; that is the admission policies' part. What can be said without the user stands here,
because a policy can be unbound and a CustomResourceDefinition cannot. Phases and their graph are those of `execution`,
so the API server and the operator can never disagree about them.

Two traps shape the rules. A rule with `oldSelf` below the root is skipped when the old or the new value is absent, so
first writes and removals are judged at the root. And `has()` must be compared for optional fields, since adding and
removing are changes too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from interlock.crds.execution import FIRST_PHASES, STARTED, TERMINAL, TRANSITIONS, RunbookExecutionSpec
from interlock.crds.runbook import (
    REFUSED_GROUPS,
    REFUSED_RESOURCES,
    REFUSED_SUBRESOURCES,
    REFUSED_VERBS,
    RunbookSpec,
)

PLAN_BYTES = 8192
APPROVED_ONLY = frozenset({"Approved", "Succeeded", "Undone", "HandedOver"}) | STARTED
"""Phases that no execution may be in without the approvals of exactly its plan."""
UNDENIED = APPROVED_ONLY - {"Approved"}
"""Phases that a denial of the plan keeps from being entered; what is only approved may still be denied."""


@dataclass(frozen=True)
class Rule:
    """One condition on the part of an object at `path` (dotted, `[]` for items), and the way out when it fails."""

    path: str
    rule: str
    message: str

    def validation(self) -> dict[str, str]:
        """As the API server takes it."""
        return {"rule": self.rule, "message": self.message}


@dataclass(frozen=True)
class Keyed:
    """A list whose items are told apart by some of their fields: a second one with the same keys is refused."""

    path: str
    keys: tuple[str, ...]


def listed(words: Iterable[str]) -> str:
    """A CEL list of strings, in a stable order."""
    return "[" + ", ".join(f"'{word}'" for word in sorted(words)) + "]"


def unchanged(model: type[BaseModel], *, but: frozenset[str]) -> str:
    """CEL that holds when every field of `model` on the wire is as it was, except those in `but`."""
    parts = []
    for name, field in sorted(model.model_fields.items()):
        wire = field.alias or name
        if wire in but:
            continue
        same = f"self.{wire} == oldSelf.{wire}"
        always_present = field.is_required() or field.default is not None
        parts.append(
            same if always_present else f"has(self.{wire}) == has(oldSelf.{wire}) && (!has(self.{wire}) || {same})"
        )
    return " && ".join(parts)


def _keys_are_words(path: str) -> Rule:
    return Rule(
        path, "self.all(key, key.matches('^[A-Za-z][A-Za-z0-9]{0,62}$'))", "names are letters and digits, at most 63"
    )


def _graph(transitions: Mapping[str, frozenset[str]]) -> str:
    edges = " : ".join(
        f"oldSelf.phase == '{old}' ? self.phase in {listed(new)}" for old, new in sorted(transitions.items())
    )
    return f"self.phase == oldSelf.phase || ({edges} : false)"


_SPEC = (
    Rule(
        "spec",
        unchanged(RunbookExecutionSpec, but=frozenset({"decisions", "cancelled"})),
        "spec is immutable apart from decisions and cancelled: create a new execution",
    ),
    Rule(
        "spec",
        "oldSelf.decisions.all(old, self.decisions.exists(new, new == old))",
        "decisions are append-only: add yours with a JSON patch to /spec/decisions/-",
    ),
    Rule(
        "spec",
        "!has(oldSelf.cancelled) || (has(self.cancelled) && self.cancelled == oldSelf.cancelled)",
        "cancelled is set once: neither changed nor taken back",
    ),
    _keys_are_words("spec.parameters"),
)

_PLAN_SIZE = (
    "self.steps.map(s, size(s.name) + size(s.note)"
    " + (has(s.object) ? size(s.object.name) : 0)"
    " + (has(s.item) ? size(bytes(s.item)) : 0) + (has(s.bounds) ? size(bytes(s.bounds)) : 0)"
    " + (has(s.deferred) ? s.deferred.map(p, size(bytes(p))).sum() : 0)"
    " + s.changes.map(c, size(bytes(c.path)) + (has(c.before) ? size(bytes(c.before)) : 0)"
    " + (has(c.after) ? size(bytes(c.after)) : 0)).sum()).sum()"
    " + self.verification.map(v, size(bytes(v))).sum()"
)

_PLAN = (
    Rule(
        "status.plan",
        f"{_PLAN_SIZE} <= {PLAN_BYTES}",
        f"a plan has at most {PLAN_BYTES} bytes: nobody can judge a larger one; split the runbook",
    ),
    Rule(
        "status",
        "oldSelf.phase in ['Pending', 'Planning'] || self.phase == 'Planning'"
        " || (has(self.plan) == has(oldSelf.plan) && (!has(self.plan) || self.plan == oldSelf.plan))",
        "the plan is frozen once it is offered: go back to Planning to offer another",
    ),
    Rule(
        "status",
        "self.phase != 'AwaitingApproval' || has(self.plan)",
        "AwaitingApproval offers a plan: set status.plan",
    ),
    Rule(
        "status.plan",
        "self.quorum >= 1 || has(self.autonomy)",
        "status.plan.quorum is at least 1, but for a plan whose autonomy is earned",
    ),
    Rule(
        "status",
        "self.phase != 'HandedOver' || !has(self.plan) || self.plan.quorum >= 1",
        "a hand-over is always taken by a person",
    ),
)

_APPROVALS = (
    Rule(
        "",
        f"!has(self.status) || !(self.status.phase in {listed(APPROVED_ONLY)}) || (has(self.status.plan)"
        " && self.spec.decisions.filter(d, d.subject == self.status.plan.digest && (d.by != self.spec.requestedBy"
        " ? d.verdict == 'Approve' : d.verdict == 'BreakGlass' && self.status.plan.risk == 'Low'))"
        ".size() >= self.status.plan.quorum)",
        "this phase needs status.plan.quorum approvals, by others than the requester, of exactly status.plan.digest;"
        " only where the plan's risk is Low does BreakGlass of the requester count as one",
    ),
    Rule(
        "",
        f"!has(self.status) || !(self.status.phase in {listed(UNDENIED)}) || !has(self.status.plan)"
        " || !self.spec.decisions.exists(d, d.verdict == 'Deny' && d.subject == self.status.plan.digest)",
        "a denied plan does not start, and a started one is cancelled rather than denied: set spec.cancelled",
    ),
    Rule(
        "",
        "!has(self.status) || !has(self.spec.cancelled)"
        f" || !(self.status.phase in {listed(STARTED | {'Approved', 'HandedOver'})})"
        " || (has(oldSelf.status) && (oldSelf.status.phase == self.status.phase"
        f" || oldSelf.status.phase in {listed(STARTED)}))",
        "spec.cancelled is set: what has not started does not start; end it as Cancelled",
    ),
    Rule(
        "",
        f"!has(self.status) || !self.spec.dryRun || !(self.status.phase in {listed(APPROVED_ONLY)})",
        "a dry run ends as Planned: create another execution without dryRun to act",
    ),
)

_PHASES = (
    Rule("", "!has(oldSelf.status) || has(self.status)", "status is never removed"),
    Rule(
        "",
        f"has(oldSelf.status) || !has(self.status) || self.status.phase in {listed(FIRST_PHASES)}",
        f"the first phase is one of {', '.join(sorted(FIRST_PHASES))}",
    ),
    Rule(
        "",
        "has(oldSelf.status) || !has(self.status) || self.status.journal.size() > 0",
        "the first status carries the first entry of the journal",
    ),
    Rule(
        "status",
        f"!(oldSelf.phase in {listed(TERMINAL)}) || self == oldSelf",
        "a finished execution is final: write everything together with the last phase",
    ),
    Rule("status", _graph(TRANSITIONS), "no such transition: docs/reference/crds.md lists where each phase may go"),
    Rule(
        "status",
        "self.replans == oldSelf.replans"
        " + (self.phase == 'Planning' && oldSelf.phase in ['AwaitingApproval', 'Approved'] ? 1 : 0)",
        "replans counts each way back from AwaitingApproval or Approved to Planning, and nothing else",
    ),
)

STALE_WRITER = "stale writer"
"""How the refusal of an old fence begins, by which its writer knows that it must step down."""
_FENCE = (
    Rule(
        "status.fence",
        "self.epoch >= oldSelf.epoch",
        f"{STALE_WRITER}: a leader of a later epoch has written; step down",
    ),
    Rule(
        "status.fence",
        "self.epoch > oldSelf.epoch || self.holder == oldSelf.holder",
        f"{STALE_WRITER}: another holder owns this epoch; step down",
    ),
)

_SIXTEEN = "[" + ", ".join(map(str, range(16))) + "]"
_JOURNAL = (
    Rule(
        "status",
        # Two nested walks over 16 numbers are the indices 0 to 255: CEL before 1.33 has no index in comprehensions.
        # The first looks whether there is so much at all: each look at the journal costs the API server some time.
        f"{_SIXTEEN}.all(h, 16 * h >= self.journal.size() || {_SIXTEEN}.all(l, 16 * h + l >= self.journal.size()"
        " || self.journal[16 * h + l].seq == 16 * h + l))",
        "entry n of the journal has seq n",
    ),
    Rule(
        "status",
        "oldSelf.journal.all(old, old.seq < self.journal.size() && self.journal[old.seq] == old)",
        "the journal is append-only: entries are neither changed nor removed nor reordered",
    ),
    Rule(
        "status",
        "self.phase == oldSelf.phase || self.journal.size() > oldSelf.journal.size()",
        "a change of phase is recorded: append to the journal in the same write",
    ),
)

_PERMISSIONS = (
    Rule(
        "spec.permissions[]",
        f"!self.apiGroups.exists(g, g in {listed(REFUSED_GROUPS)})",
        f"no runbook may be granted the API groups {', '.join(sorted(REFUSED_GROUPS))}",
    ),
    Rule(
        "spec.permissions[]",
        f"!self.resources.exists(r, r.matches('^({'|'.join(sorted(REFUSED_RESOURCES))})(/.*)?$')"
        f" || r.matches('/({'|'.join(sorted(REFUSED_SUBRESOURCES))})$'))",
        f"no runbook may be granted {', '.join(sorted(REFUSED_RESOURCES))},"
        f" nor the subresources {', '.join(sorted(REFUSED_SUBRESOURCES))}",
    ),
    Rule(
        "spec.permissions[]",
        f"!self.verbs.exists(v, v in {listed(REFUSED_VERBS)})",
        f"no runbook may be granted the verbs {', '.join(sorted(REFUSED_VERBS))}",
    ),
    Rule(
        "spec.permissions[]",
        "!('pods' in self.resources) || !self.verbs.exists(v, v in ['create', 'patch', 'update'])",
        "no runbook may write bare pods: change what owns them",
    ),
)

_RUNBOOK = (
    Rule(
        "",
        "self.metadata.name == self.spec.family + '-' + self.spec.version",
        "metadata.name is <family>-<version>: a new version is a new object",
    ),
    Rule(
        "spec",
        unchanged(RunbookSpec, but=frozenset({"state", "attestations"})),
        "a published runbook is immutable: publish a new version",
    ),
    Rule(
        "spec",
        "oldSelf.state == self.state || self.state == 'Retired'",
        "a retired runbook stays retired: publish a new version",
    ),
    Rule(
        "spec",
        "oldSelf.attestations.all(old, self.attestations.exists(new, new == old))",
        "attestations are append-only",
    ),
    Rule(
        "spec",
        "self.type == 'Handover' ? self.steps.size() == 0 && self.permissions.size() == 0 && !has(self.verification)"
        " : self.steps.size() > 0 && has(self.verification)",
        "a Remediation has steps and a verification; a Handover has no steps, permissions or verification",
    ),
    _keys_are_words("spec.steps[].with"),
)

_AUDIT_HEAD = (
    Rule("", "self.spec == oldSelf.spec", "a signed head is immutable"),
    Rule(
        "",
        "self.metadata.name.matches('^audit-[0-9]{12}-[0-9a-f]{8}$')"
        " && int(self.metadata.name.substring(6, 18)) == self.spec.seq"
        " && self.metadata.name.substring(19) == self.spec.head.substring(7, 15)",
        "metadata.name is audit-<seq, twelve digits>-<first eight digits of the head>",
    ),
)

_CRON_NAMES = {"month": "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC", "day": "SUN|MON|TUE|WED|THU|FRI|SAT"}
_CRON_FIELDS = (
    "[0-5]?[0-9]",
    "[01]?[0-9]|2[0-3]",
    "0?[1-9]|[12][0-9]|3[01]",
    f"0?[1-9]|1[0-2]|{_CRON_NAMES['month']}",
    f"[0-7]|{_CRON_NAMES['day']}",
)


def _cron_field(value: str) -> str:
    term = f"([*]|({value})(-({value}))?)(/[1-9][0-9]?)?"
    return f"{term}(,{term})*"


_GUARDRAIL = (
    Rule(
        "spec",
        "self.mode != 'Auto' || has(self.autonomy)",
        "mode Auto needs autonomy: say how many verified successes earn it",
    ),
    Rule(
        "spec.breaker",
        "has(self.failures) || has(self.repeats)",
        "a breaker opens after so many failures or so many repeats: give at least one of them",
    ),
    Rule(
        "spec.blastRadius",
        "has(self.replicasPercent) || has(self.nodesPercent)",
        "a blast radius bounds replicas or nodes: give at least one of them",
    ),
    Rule(
        "spec.freezes[]",
        f"self.schedule.upperAscii().matches('^{' +'.join(map(_cron_field, _CRON_FIELDS))}$')",
        "schedule has five fields of cron: minute, hour, day of month, month, day of week, such as '0 18 * * FRI'",
    ),
    Rule(
        "spec.freezes[]",
        "self.timeZone.matches('^[A-Za-z][-A-Za-z0-9_+/]*$') && self.timeZone != 'Local'"
        " && timestamp('2026-01-01T00:00:00Z').getHours(self.timeZone) >= 0",
        "timeZone is a name of the IANA time zone database, such as Europe/Berlin",
    ),
)

_LEDGER = (
    Rule(
        "",
        "self.metadata.name == 'shared' || self.metadata.name.startsWith('ns.')",
        "a Ledger is named ns.<namespace>, or shared",
    ),
)

Kind = Literal["Runbook", "RunbookExecution", "Guardrail", "AuditHead", "Ledger"]

RULES: Mapping[Kind, tuple[Rule, ...]] = {
    "Runbook": (*_RUNBOOK, *_PERMISSIONS),
    "RunbookExecution": (*_PHASES, *_APPROVALS, *_SPEC, *_PLAN, *_FENCE, *_JOURNAL),
    "Guardrail": _GUARDRAIL,
    "AuditHead": _AUDIT_HEAD,
    "Ledger": _LEDGER,
}
"""Every rule by kind, in the order in which they are written."""

KEYED: Mapping[Kind, tuple[Keyed, ...]] = {
    "Runbook": (
        Keyed("spec.parameters", ("name",)),
        Keyed("spec.preconditions", ("name",)),
        Keyed("spec.steps", ("name",)),
        Keyed("spec.verification.checks", ("name",)),
        Keyed("status.conditions", ("type",)),
    ),
    "RunbookExecution": (
        Keyed("spec.decisions", ("by", "subject")),
        Keyed("status.conditions", ("type",)),
    ),
    "Guardrail": (
        Keyed("spec.budgets", ("per", "windowSeconds")),
        Keyed("spec.concurrency", ("per",)),
    ),
    "AuditHead": (),
    "Ledger": (Keyed("spec.holds", ("uid",)),),
}
"""The lists in which each item is unique; all others are atomic."""
