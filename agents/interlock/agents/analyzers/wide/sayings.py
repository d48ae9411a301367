"""What logs say, as causes: a table of the words that programs, drivers and databases use, and whom they accuse.

What a program says is one witness, and it is the program's own: a saying that objects do not bear out stays unsure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import RoleBinding, Secret, ServiceAccount
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.speech import Line
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

Accused = Literal["self", "store", "callee"]
STORES = re.compile(
    r"(?i)postgres|mysql|maria|mongo|redis|valkey|memcache|cassandra|cockroach|mssql|couch|etcd|elastic|opensearch"
)


@dataclass(frozen=True)
class Saying:
    """Words, the cause that they stand for, whom they accuse, and how sure they make alone."""

    words: re.Pattern[str]
    cause: str
    accused: Accused
    sure: float
    symptom: bool = False


def _saying(words: str, cause: str, accused: Accused, sure: float, *, symptom: bool = False) -> Saying:
    return Saying(re.compile(words, re.I), cause, accused, sure, symptom)


# The first that matches a line counts for it.
SAYINGS: tuple[Saying, ...] = (
    _saying(
        r"password authentication failed|access denied for user|AuthenticationFailed|ACCESS.{0,80}authentication failed|(?:mongo|redis|sql|pq:|postgres|database|scram|amqp)[^\n]{0,80}auth\w* fail|auth\w* fail[^\n]{0,80}(?:mongo|redis|sql|postgres|database|scram|amqp)|WRONGPASS|NOAUTH|login failed for user '|invalid username.password|role \"[^\"]+\" does not exist|SASL auth|auth(?:entication)? error.*(?:mongo|sql|redis)|ERR invalid password",
        "workload.database.credentials-invalid",
        "self",
        0.82,
    ),
    _saying(
        r"UserNotFound|could not find user|not authorized on \S+ to execute",
        "workload.database.credentials-invalid",
        "store",
        0.72,
    ),
    _saying(
        r"database \"[^\"]+\" does not exist|unknown database|no such database|keyspace \S+ does not exist|Cannot open database",
        "workload.database.name-wrong",
        "self",
        0.88,
    ),
    _saying(
        r"too many connections|remaining connection slots|too many clients|connection pool (?:is )?exhausted|max(?:imum)? number of (?:clients|connections) reached|ER_CON_COUNT",
        "database.connections.exhausted",
        "store",
        0.86,
    ),
    _saying(
        r"read-only transaction|--?read-only option|READONLY You can't write|NotWritablePrimary|not (?:primary|master) and|database is (?:in )?read-?only|attempt to write a readonly database|default_transaction_read_only",
        "database.mode.read-only",
        "store",
        0.88,
    ),
    _saying(
        r"deadlock detected|deadlock found|lock wait timeout|could not obtain lock",
        "database.locks.contended",
        "store",
        0.75,
    ),
    _saying(
        r"replication lag|replica(?:tion)? is lagging|standby .*behind", "database.replication.lagging", "store", 0.7
    ),
    _saying(
        r"no space left on device|disk quota exceeded|could not extend file|disk is full|ENOSPC",
        "workload.volume.full",
        "self",
        0.86,
    ),
    _saying(r"read-only file ?system|EROFS", "workload.security.read-only-root", "self", 0.86),
    _saying(r"exec format error", "workload.image.architecture-mismatch", "self", 0.93),
    _saying(
        r"address already in use|EADDRINUSE|port \d+ is already (?:in use|allocated)",
        "workload.port.conflict",
        "self",
        0.8,
    ),
    _saying(
        r"certificate is not yet valid|not yet valid: current time \S+ is before|CERT_NOT_YET_VALID",
        "certificate",
        "callee",
        0.62,
    ),
    _saying(
        r"unknown authority|self[- ]signed certificate|unable to get local issuer|unable to verify the first certificate",
        "certificate",
        "callee",
        0.6,
    ),
    _saying(
        r"certificate has expired|certificate expired|CERT_HAS_EXPIRED|expired certificate|not after .* is (?:past|before)",
        "certificate.expired",
        "callee",
        0.85,
    ),
    _saying(
        r"certificate is valid for .* not |certificate is not valid for|ERR_TLS_CERT_ALTNAME|hostname .*(?:doesn't|does not) match|no alternative certificate subject",
        "certificate.name-mismatch",
        "callee",
        0.82,
    ),
    _saying(
        r"service account token (?:has )?expired|token has expired.*serviceaccount|serviceaccount.*token.*expired",
        "workload.service-account.token-expired",
        "self",
        0.8,
    ),
    _saying(
        r"OutOfMemoryError|heap out of memory|cannot allocate memory|MemoryError",
        "workload.memory.limit-too-low",
        "self",
        0.62,
    ),
    _saying(
        r"circuit ?breaker\S* (?:is )?open|CircuitBreakerOpen|CallNotPermitted|circuit open",
        "workload.dependency.circuit-open",
        "callee",
        0.5,
        symptom=True,
    ),
    _saying(
        r"first record does not look like a TLS|server gave HTTP response to HTTPS|malformed HTTP|wrong version number|http2: .*(?:preface|frame)|error reading server preface|unsupported protocol|protocol mismatch",
        "workload.dependency.protocol-mismatch",
        "callee",
        0.68,
    ),
    _saying(
        r"(?:consumer|partition) lag|queue is full|backlog (?:is )?growing|queue depth",
        "queue.backlog.growing",
        "callee",
        0.62,
    ),
    _saying(r"consumer (?:group )?.*(?:stopped|left|has no active members)", "queue.consumer.stopped", "self", 0.6),
    _saying(
        r"(?:invalid|bad|malformed|unparsable) (?:config|configuration|setting|value|yaml|json|port|url)|(?:failed|unable|could not|cannot) (?:to )?(?:parse|load|decode|unmarshal|read) (?:the )?(?:config|configuration|settings|yaml|json|port|env)|yaml: |toml: |ParseError|JSONDecodeError|strconv\.\w+: parsing",
        "workload.config.value-invalid",
        "self",
        0.62,
    ),
    _saying(
        r"connection refused|ECONNREFUSED|connect: connection reset|server unavailable|503 service unavailable|no healthy upstream|code = Unavailable|connection failure",
        "workload.dependency.unavailable",
        "callee",
        0.45,
        symptom=True,
    ),
    _saying(
        r"i/o timeout|timed? ?out|deadline exceeded|ETIMEDOUT|no route to host|EHOSTUNREACH",
        "workload.dependency.slow",
        "callee",
        0.4,
        symptom=True,
    ),
)
_FORBIDDEN = re.compile(
    r"forbidden: User \\?\"system:serviceaccount:(?P<ns>[a-z0-9-]+):(?P<name>[a-z0-9.-]+)\\?\" cannot (?P<verb>\w+)"
)
_DENIED = re.compile(r"(?i)(?:permission denied|EACCES|operation not permitted|access is denied)")
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
            saying = next((s for s in SAYINGS if s.words.search(line.text)), None)
            if saying is not None:
                yield from _said(land, line, line.group, saying)


def _said(land: Landscape, line: Line, speaker: Group, saying: Saying) -> Iterator[Finding]:
    cause, sure = saying.cause, saying.sure
    target = _accused(land, line, speaker, saying.accused)
    if cause == "workload.volume.full" and STORES.search(_image(speaker)):
        cause = "database.storage.full"
    if cause == "workload.security.read-only-root":
        cause, sure = _read_only(speaker)
    if cause == "workload.port.conflict" and len(speaker.spec.containers) > 1:
        cause = "workload.port.sidecar-conflict"
    if cause == "workload.config.value-invalid":
        cause, target, sure = _invalid(land, speaker, sure, line)
    if cause == "workload.database.credentials-invalid" and saying.accused == "self" and STORES.search(_image(speaker)):
        callers = [
            c
            for s in land.services_of.get(speaker.ref, ())
            for c in land.callers.get((s.metadata.namespace, s.name), ())
        ]
        target = callers[0].ref if len(callers) == 1 else speaker.ref
        sure = sure if len(callers) == 1 else 0.55
    if saying.accused == "store" and not STORES.search(f"{_image_of(land, target)} {target.name}"):
        sure = 0.45  # which database is meant was not seen
    if cause.startswith("certificate"):
        target = certificate_of(land, target)
    own = not speaker.whole or any(s.restart_count for _, s in speaker.statuses())
    hurting = own or (bool(land.hurt) and (saying.accused != "self" or cause.startswith("workload.database")))
    repeated = line.count >= 3
    sure += (0.05 if hurting and not saying.symptom else 0) + (0.03 if repeated and not saying.symptom else 0)
    sure -= 0 if hurting or repeated else 0.3
    yield Finding(
        cause=cause,
        object=target,
        confidence=max(0.1, min(0.95, sure)),
        summary=f"{speaker.ref} says: {line.text[:220]}",
        quotes=(Quote(id=line.where, excerpt=line.text[:300]),),
        role="symptom" if saying.symptom else "root",
    )


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
    saying = next((s for s in SAYINGS if s.words.search(line.text)), None)
    if land.groups or saying is None or saying.accused != "self" or not line.name:
        return
    yield Finding(
        cause=saying.cause,
        object=ObjectRef(kind="Deployment", namespace=land.focus[0], name=line.name),
        confidence=min(0.45, saying.sure),
        summary=f"{line.name}, of which no object was seen, says: {line.text[:200]}",
        quotes=(Quote(id=line.where, excerpt=line.text[:300]),),
    )


def _image(group: Group) -> str:
    return " ".join(c.image for c in group.spec.containers)


def _image_of(land: Landscape, ref: ObjectRef) -> str:
    group = land.group(ref)
    return _image(group) if group is not None else ""


def _accused(land: Landscape, line: Line, speaker: Group, accused: Accused) -> ObjectRef:
    if accused == "self" or (accused == "store" and STORES.search(_image(speaker))):
        return speaker.ref
    called = land.ways_of.get(speaker.ref, ())
    if accused == "store":
        stores = [g for _, g in called if STORES.search(_image(g))]
        named = [g for s, g in called if re.search(rf"(?<![\w-]){re.escape(s.name)}(?![\w-])", line.text)]
        return (named or stores or [speaker])[0].ref
    for service, group in called:
        if re.search(
            rf"(?<![\w-]){re.escape(service.name)}(?![\w-])", line.text
        ) or service.spec.cluster_ip in line.text.split(":"):
            return group.ref
    return called[0][1].ref if len(called) == 1 else speaker.ref


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
        named = re.search(rf"(?<![\w]){re.escape(setting.name)}(?![\w])", line.text)
        repeated = 3 <= len(setting.value) <= 80 and setting.value in line.text
        if named or repeated:
            cause = "workload.env.invalid" if setting.place == "env" else "workload.config.value-invalid"
            return cause, setting.owner, 0.88
    maps = [s.owner for s in land.settings[speaker.ref] if s.place == "config"]
    if maps:
        return "workload.config.value-invalid", maps[0], sure
    return "workload.env.invalid", speaker.ref, 0.5


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
