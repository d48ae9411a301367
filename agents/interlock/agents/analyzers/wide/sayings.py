"""What logs say, as causes: who says it, whom it accuses, and how much it has to do with what hurts.

What a program says is one witness, and it is the program's own: a saying that objects do not bear out stays unsure.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import RoleBinding, Secret, ServiceAccount
from interlock.agents.analyzers.networking import Route, Service
from interlock.agents.analyzers.wide.landscape import Landscape, is_named, says
from interlock.agents.analyzers.wide.relevance import is_background, is_well
from interlock.agents.analyzers.wide.speech import Line
from interlock.agents.analyzers.wide.stores import is_broker, is_store, meant_stores, of_product, speaks_of_product
from interlock.agents.analyzers.wide.vocabulary import Accused, Saying, saying_of
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

_FILE = re.compile(r"(?i)config(?:uration)? file|\.(?:ya?ml|json|toml|conf|ini|properties)\b")
BACKGROUND = 0.35
UNCLEAR = 0.45
"""Which of several stores is meant was not seen."""
_IN_URL = re.compile(r"://([a-z][a-z0-9-]{0,62})(?=[:/.])")
_FORBIDDEN = re.compile(
    r"forbidden: User \\?\"system:serviceaccount:(?P<ns>[a-z0-9-]+):(?P<name>[a-z0-9.-]+)\\?\" cannot (?P<verb>\w+)"
)
_DENIED = re.compile(r"(?i)(?:permission denied|EACCES|operation not permitted|access is denied)")
_RELAYED = re.compile(
    r"rpc error: code =|StatusRuntimeException|RPC that terminated|RpcException|status: [A-Z]\w+, message:"
    r"|\b\d{1,2} (?:INTERNAL|UNKNOWN|UNAVAILABLE|UNAUTHENTICATED|PERMISSION_DENIED|FAILED_PRECONDITION|ABORTED): "
)
"""The status with which a callee answered: what it holds was said by the callee, not by who logs it."""
_PATH = re.compile(r"(?<![\w.])(/[\w./-]{2,})")


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings from what is said in logs, the strongest of each cause and object."""
    for line in land.lines:
        if line.count <= 0:
            continue
        if line.group is None:
            yield from _alone(land, line)
            continue
        if found := _FORBIDDEN.search(line.text):
            yield _forbidden(land, line, line.group, found)
        elif _DENIED.search(line.text) and (denied := _denied(land, line, line.group)) is not None:
            yield denied
        else:
            saying = saying_of(line.text)
            if saying is not None:
                yield from _said(land, line, line.group, saying)


def _said(land: Landscape, line: Line, speaker: Group, saying: Saying) -> Iterator[Finding]:
    cause, sure = saying.cause, saying.sure
    accused = _relayed(line, speaker, saying)
    target = _accused(land, line, speaker, accused)
    if cause == "workload.volume.full" and is_store(land.group(target)):
        cause = "database.storage.full"
    if cause == "workload.security.read-only-root":
        cause, sure = _read_only(speaker)
    if cause == "workload.port.conflict" and len(speaker.spec.containers) > 1:
        cause = "workload.port.sidecar-conflict"
    if cause == "workload.config.value-invalid":
        cause, target, sure = _invalid(land, speaker, sure, line)
    if cause == "workload.database.credentials-invalid" and saying.accused == "self" and is_store(speaker):
        callers = list(land.callers_of(speaker.ref))
        target = callers[0].ref if len(callers) == 1 else speaker.ref
        sure = sure if len(callers) == 1 else 0.55
    unclear = accused == "store" and not _is_clear(land, line, speaker, target)
    if saying.accused == "callee" and target == speaker.ref:
        sure = min(sure, 0.52)  # whom it calls was not seen
    if cause.startswith("certificate"):
        served = _served_at(land, line)
        target = certificate_of(land, target) if served is None else served
        sure = sure if served is None else UNCLEAR  # of what is served there, its own findings tell more
    own = not speaker.whole or any(s.restart_count for _, s in speaker.statuses())
    hurting = own or (bool(land.hurt) and (saying.accused != "self" or cause.startswith("workload.database")))
    repeated = line.count >= 3
    sure += (0.05 if hurting and not saying.symptom else 0) + (0.03 if repeated and not saying.symptom else 0)
    sure -= 0 if hurting or repeated else 0.3
    if unclear:
        sure = min(sure, UNCLEAR)
    if saying.accused != "callee" and _is_passed_on(land, line, speaker):
        sure = min(sure, BACKGROUND)
    runs_with_it = saying.cause == "workload.config.value-invalid" and is_well(land, speaker)
    idle = cause == "queue.consumer.stopped" and target == speaker.ref and repeated  # nobody else can hear of that
    if runs_with_it or (not idle and is_background(land, line, speaker, target)):
        sure = min(sure, BACKGROUND)
    yield Finding(
        cause=cause,
        object=target,
        confidence=max(0.1, min(0.95, sure)),
        summary=f"{speaker.ref} says: {line.text[:220]}",
        quotes=(Quote(id=line.where, excerpt=line.text[:300]),),
        role="symptom" if saying.symptom else "root",
    )


def _is_passed_on(land: Landscape, line: Line, speaker: Group) -> bool:
    """Whether a complaint is what a callee that keeps nothing itself answered: it knows better what it suffers from."""
    asked = any(not _keeps(land, g) for _, g in land.ways_of.get(speaker.ref, ()))
    return asked and _RELAYED.search(line.text) is not None


def _served_at(land: Landscape, line: Line) -> ObjectRef | None:
    """The Ingress whose host a complaint about a certificate names: it is shown there, not by who stands behind."""
    for route in land.every(Route):
        hosts = {rule.host for rule in route.spec.rules} | {host for tls in route.spec.tls for host in tls.hosts}
        if any(host and host in line.text for host in hosts):
            return route.ref
    return None


def certificate_of(land: Landscape, server: ObjectRef) -> ObjectRef:
    """The one Secret with a certificate that a server mounts; the server itself where that is not seen."""
    group = land.group(server)
    mounted = [v.secret.secret_name for v in group.spec.volumes if v.secret] if group is not None else []
    found = [
        s for name in mounted if (s := land.find(Secret, server.namespace, name)) and s.type == "kubernetes.io/tls"
    ]
    return found[0].ref if len(found) == 1 else server


def _alone(land: Landscape, line: Line) -> Iterator[Finding]:
    """What is said by one of whom no object was seen: a hint at most, and only where no workload was seen at all."""
    saying = saying_of(line.text)
    if land.groups or saying is None or saying.accused != "self" or not line.name:
        return
    yield Finding(
        cause=saying.cause,
        object=ObjectRef(kind="Deployment", namespace=land.focus[0], name=line.name),
        confidence=min(0.45, saying.sure),
        summary=f"{line.name}, of which no object was seen, says: {line.text[:200]}",
        quotes=(Quote(id=line.where, excerpt=line.text[:300]),),
    )


def _accused(land: Landscape, line: Line, speaker: Group, accused: Accused) -> ObjectRef:
    if accused == "self" or (accused == "store" and is_store(speaker)):
        return speaker.ref
    called = land.ways_of.get(speaker.ref, ())
    if accused == "store":
        named = [g for s, g in called if says(line.text, s.name)]
        if not named and (untold := _untold(land, line, called)) is not None:
            return untold.ref
        stores = list(_fitting(land, line, called))
        return (named or stores or [speaker])[0].ref
    for service, group in called:
        if is_named(service, line.text):
            return group.ref
    place = speaker.ref.namespace or ""
    for host in _IN_URL.findall(line.text):
        meant = land.find(Service, place, host)
        if meant is not None and (behind := land.behind(meant)):
            return behind[0].ref
    return called[0][1].ref if len(called) == 1 else speaker.ref


def _untold(land: Landscape, line: Line, called: tuple[tuple[Service, Group], ...]) -> Group | None:
    """The one store of a product that a complaint names, where no store is of it that the speaker is seen to call."""
    if of_product(line.text, (g for _, g in called)):
        return None
    others = of_product(line.text, (g for g in land.groups if g.ref in land.services_of))
    return others[0] if len(others) == 1 else None


def _relayed(line: Line, speaker: Group, saying: Saying) -> Accused:
    """Whom a full disk is about: what a client passes on from its store is the store's, not its own."""
    full = saying.cause == "workload.volume.full" and not is_store(speaker)
    return "store" if full and speaks_of_product(line.text) else saying.accused


def _is_clear(land: Landscape, line: Line, speaker: Group, target: ObjectRef) -> bool:
    """Whether it was seen which store is meant: the speaker itself, one that it names, or the only one that fits."""
    meant = land.group(target)
    if meant is None or not _keeps(land, meant):
        return False
    called = land.ways_of.get(speaker.ref, ())
    fitting = {g.ref for g in _fitting(land, line, called)}
    return (
        target == speaker.ref or len(fitting) == 1 or any(says(line.text, s.name) for s, g in called if g.ref == target)
    )


def _fitting(land: Landscape, line: Line, called: tuple[tuple[Service, Group], ...]) -> tuple[Group, ...]:
    """The stores that a complaint may be about; where it names no product, those that are no brokers."""
    keeping = [g for _, g in called if _keeps(land, g)]
    meant = meant_stores(line.text, keeping)
    databases = tuple(g for g in meant if not is_broker(g))
    return databases if databases and len(meant) == len(keeping) else meant


def _keeps(land: Landscape, group: Group) -> bool:
    """Whether a workload keeps data for others, under whatever name."""
    return is_store(group) or (group.workload.kind == "StatefulSet" and group.ref in land.services_of)


def _read_only(speaker: Group) -> tuple[str, float]:
    if any(c.security_context.get("readOnlyRootFilesystem") is True for c in speaker.spec.containers):
        return "workload.security.read-only-root", 0.9
    if any(m.read_only for c in speaker.spec.containers for m in c.volume_mounts):
        return "workload.volume.read-only", 0.85
    return "workload.volume.read-only", 0.6


def _invalid(land: Landscape, speaker: Group, sure: float, line: Line) -> tuple[str, ObjectRef, float]:
    """Which of its settings the program cannot read: the one whose value or name it repeats."""
    for setting in land.settings[speaker.ref]:
        if setting.place == "args":
            continue
        named = setting.name in line.text and re.search(rf"(?<![\w]){re.escape(setting.name)}(?![\w])", line.text)
        repeated = 3 <= len(setting.value) <= 80 and setting.value in line.text
        if named or repeated or _is_spelt_otherwise(setting.name, line.text):
            cause = "workload.env.invalid" if setting.place == "env" else "workload.config.value-invalid"
            return cause, setting.owner, 0.88
    maps = [s.owner for s in land.settings[speaker.ref] if s.place == "config"]
    if maps:
        return "workload.config.value-invalid", maps[0], sure
    if not land.settings[speaker.ref] or _FILE.search(line.text):
        return "workload.config.value-invalid", speaker.ref, 0.55  # a file of its own: in its image, or not seen
    return "workload.env.invalid", speaker.ref, 0.5


def _is_spelt_otherwise(name: str, text: str) -> bool:
    """Whether a text names a variable as the program's own setting: KAFKA_LOG_DIRS is told as log.dirs."""
    words = name.lower().split("_")
    return any(len(words) - first > 1 and ".".join(words[first:]) in text.lower() for first in (0, 1))


def _forbidden(land: Landscape, line: Line, speaker: Group, found: re.Match[str]) -> Finding:
    place, account = found["ns"], found["name"]
    target = ObjectRef(kind="ServiceAccount", namespace=place, name=account)
    bound = [
        b
        for b in land.within(RoleBinding, place).values()
        if any(s.kind == "ServiceAccount" and s.name == account and s.namespace in ("", place) for s in b.subjects)
    ]
    missing = land.known(ServiceAccount, place) and land.find(ServiceAccount, place, account) is None
    if missing:
        cause, about = "workload.service-account.not-found", target
    elif bound:
        cause, about = (
            "rbac.role.too-narrow",
            bound[0].ref.model_copy(update={"kind": bound[0].role_ref.kind or "Role", "name": bound[0].role_ref.name}),
        )
    elif land.known(RoleBinding, place):
        cause, about = "rbac.binding.missing", target
    else:
        cause, about = "workload.service-account.permission-denied", speaker.ref
    return Finding(
        cause=cause,
        object=about,
        confidence=0.86 if bound or land.known(RoleBinding, place) else 0.75,
        summary=f"{target} may not {found['verb']}: {line.text[:220]}",
        quotes=(
            Quote(id=line.where, excerpt=line.text[:300]),
            *(q for b in bound[:1] for q in land.quote(b, f"binds {b.role_ref.name}")),
        ),
    )


def _denied(land: Landscape, line: Line, speaker: Group) -> Finding | None:
    mounts = [m for c in speaker.spec.containers for m in c.volume_mounts if m.mount_path not in ("", "/")]
    paths = _PATH.findall(line.text)
    hit = next((m for m in mounts for p in paths if p.startswith(m.mount_path)), None)
    if hit is None:
        return None
    return Finding(
        cause="workload.volume.permission-denied",
        object=speaker.ref,
        confidence=0.9 if not speaker.whole else 0.7,
        summary=f"{speaker.ref} may not use its volume {hit.name} at {hit.mount_path}: {line.text[:200]}",
        quotes=(
            Quote(id=line.where, excerpt=line.text[:300]),
            *land.quote(speaker.ref, f"volume {hit.name} at {hit.mount_path}"),
        ),
    )
