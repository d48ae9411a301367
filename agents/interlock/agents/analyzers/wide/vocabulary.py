"""The words that programs, drivers and databases use for their troubles, each with the cause that it stands for."""

from dataclasses import dataclass
from typing import Final, Literal

import re2

Accused = Literal["self", "store", "callee"]


@dataclass(frozen=True)
class Saying:
    """Words, the cause that they stand for, whom they accuse, and how sure they make alone."""

    words: str
    """A pattern in RE2's syntax, of any case."""
    cause: str
    accused: Accused
    sure: float
    symptom: bool = False


# The first that matches a line counts for it.
SAYINGS: tuple[Saying, ...] = (
    Saying(
        r"password authentication failed|access denied for user|AuthenticationFailed|ACCESS.{0,80}authentication failed|(?:mongo|redis|sql|pq:|postgres|database|scram|amqp)[^\n]{0,80}auth\w* fail|auth\w* fail[^\n]{0,80}(?:mongo|redis|sql|postgres|database|scram|amqp)|WRONGPASS|NOAUTH|login failed for user '|invalid username.password|role \"[^\"]+\" does not exist|SASL auth|auth(?:entication)? error.*(?:mongo|sql|redis)|ERR invalid password|no pg_hba\.conf entry|ACCESS_REFUSED|login was refused|invalid credentials with SASL|SASL handshake.{0,40}fail|Authentication required\.?$|ORA-01017|ERR AUTH",
        "workload.database.credentials-invalid",
        "self",
        0.82,
    ),
    Saying(
        r"UserNotFound|could not find user|not authorized on \S+ to execute|permission denied for (?:table|relation|schema|sequence|database|view|function)|must be owner of|\b(?:SELECT|INSERT|UPDATE|DELETE|EXECUTE)\b (?:command|permission) (?:was )?denied|NOPERM|ORA-01031|insufficient privileges",
        "workload.database.credentials-invalid",
        "store",
        0.72,
    ),
    Saying(
        r"database \"[^\"]+\" does not exist|unknown database|no such database|keyspace \S+ does not exist|Cannot open database",
        "workload.database.name-wrong",
        "self",
        0.88,
    ),
    Saying(
        r"too many connections|remaining connection slots|too many clients|connection pool (?:is )?exhausted|max pool size was reached|QueuePool limit of size|max(?:imum)? number of (?:clients|connections) reached|ER_CON_COUNT|connection limit exceeded|max_user_connections|ORA-0002[08]|too many open connections",
        "database.connections.exhausted",
        "store",
        0.86,
    ),
    Saying(
        r"read-only transaction|--?read-only option|READONLY You can't write|can't write against a read only|NotWritablePrimary|not (?:primary|master) and|database is (?:in )?read-?only|attempt to write a readonly database|default_transaction_read_only|InnoDB is in read only mode|ORA-16000|read_only_allow_delete|cluster is in read-?only",
        "database.mode.read-only",
        "store",
        0.88,
    ),
    Saying(
        r"deadlock detected|deadlock found|lock wait timeout|could not obtain lock|due to lock timeout|database (?:table )?is locked|ORA-00060|LockTimeout",
        "database.locks.contended",
        "store",
        0.75,
    ),
    Saying(
        r"replication lag|replica(?:tion)? is lagging|(?:standby|replica|secondary|follower)\b.{0,40}\bbehind\b|seconds?_behind_\w+\W{1,4}\d{2,}|too stale to catch up|requested WAL segment \S+ has already been removed",
        "database.replication.lagging",
        "store",
        0.7,
    ),
    Saying(
        r"OOM command not allowed|MISCONF Redis|NOT_ENOUGH_SPACE|ORA-01653|ORA-00257|The table '[^']+' is full|flood.stage (?:disk )?watermark|database space exceeded|disk (?:resource limit |space )?alarm (?:is )?set|Free disk space is insufficient|\bblocked\b[^\n]{0,40}low on disk|KafkaStorageException",
        "database.storage.full",
        "store",
        0.86,
    ),
    Saying(
        r"no space left on device|disk quota exceeded|could not extend file|disk is full|ENOSPC",
        "workload.volume.full",
        "self",
        0.86,
    ),
    Saying(r"read-only file ?system|EROFS", "workload.security.read-only-root", "self", 0.86),
    Saying(r"exec format error", "workload.image.architecture-mismatch", "self", 0.93),
    Saying(
        r"address already in use|EADDRINUSE|port \d+ is already (?:in use|allocated)",
        "workload.port.conflict",
        "self",
        0.8,
    ),
    Saying(
        r"certificate is not yet valid|not yet valid: current time \S+ is before|CERT_NOT_YET_VALID",
        "certificate",
        "callee",
        0.62,
    ),
    Saying(
        r"unknown authority|self[- ]signed certificate|unable to get local issuer|unable to verify the first certificate",
        "certificate",
        "callee",
        0.6,
    ),
    Saying(
        r"certificate has expired|(?:peer )?certificate:? expired|CERT_HAS_EXPIRED|expired certificate|not after .* is (?:past|before)|CertificateExpired|NotTimeValid|NotAfter: ",
        "certificate.expired",
        "callee",
        0.85,
    ),
    Saying(
        r"certificate is valid for .* not |certificate is not valid for|ERR_TLS_CERT_ALTNAME|host ?name\S* .{0,80}(?:doesn't|does not|not) match|Hostname mismatch|No subject alternative|SSLPeerUnverified|RemoteCertificateNameMismatch|NotValidForName|no alternative certificate subject",
        "certificate.name-mismatch",
        "callee",
        0.82,
    ),
    Saying(
        r"service account token (?:has )?expired|token has expired.*serviceaccount|serviceaccount.*token.*expired",
        "workload.service-account.token-expired",
        "self",
        0.8,
    ),
    Saying(
        r"OutOfMemoryError|heap out of memory|cannot allocate memory|MemoryError",
        "workload.memory.limit-too-low",
        "self",
        0.62,
    ),
    Saying(
        r"circuit ?breaker\S* (?:is )?open|CircuitBreakerOpen|CallNotPermitted|circuit open",
        "workload.dependency.circuit-open",
        "callee",
        0.5,
        symptom=True,
    ),
    Saying(
        r"first record does not look like a TLS|server gave HTTP response to HTTPS|malformed HTTP|wrong version number|http2: .*(?:preface|frame)|error reading server preface|unsupported protocol|protocol mismatch",
        "workload.dependency.protocol-mismatch",
        "callee",
        0.68,
    ),
    Saying(
        r"queue is full|backlog (?:is )?growing|(?:(?:consumer|partition) lag|queue depth|backlog)\b.{0,40}(?:grow|exceed|above|behind|threshold|too|limit|\d{4,})",
        "queue.backlog.growing",
        "callee",
        0.62,
    ),
    Saying(
        r"consumer (?:group )?.*(?:stopped|left|has no active members)|consumer poll timeout has expired|exceeded max\.poll\.interval|maximum poll interval|(?:delivery|consumer) acknowledge?ment.{0,80}timed out|consumer was cancell?ed|basic\.cancel",
        "queue.consumer.stopped",
        "self",
        0.68,
    ),
    Saying(
        r"(?:invalid|bad|malformed|unparsable) (?:config|configuration|setting|value|yaml|json|port|url)|(?:failed|unable|could not|cannot) (?:to )?(?:parse|load|decode|unmarshal|read) (?:the )?(?:config|configuration|settings|yaml|json|port|env)|yaml: |toml: |ParseError|JSONDecodeError|strconv\.\w+: parsing|NumberFormatException|invalid literal for int|invalid digit|config(?:uration)? file error|failed to (?:bind propert|convert)\w*|(?:could not|cannot) convert|must be (?:an? )?(?:integer|number|boolean|positive|valid|one of|between)|not a valid (?:integer|number|boolean|duration|port)|(?:unrecognized|unknown) (?:option|argument|flag|directive)|ConfigException|IllegalArgumentException: [^\n]{0,120}(?:cannot|must|invalid|illegal|unsupported)",
        "workload.config.value-invalid",
        "self",
        0.62,
    ),
    Saying(
        r"connection refused|ECONNREFUSED|connect: connection reset|server unavailable|503 service unavailable|no healthy upstream|code = Unavailable|connection failure",
        "workload.dependency.unavailable",
        "callee",
        0.45,
        symptom=True,
    ),
    Saying(
        r"i/o timeout|timed? ?out|deadline exceeded|ETIMEDOUT|no route to host|EHOSTUNREACH",
        "workload.dependency.slow",
        "callee",
        0.4,
        symptom=True,
    ),
)


def saying_of(text: str) -> Saying | None:
    """The saying that counts for what a program printed, whatever it printed: in time that grows with its length alone."""
    found = _ALL.Match(text.encode(errors="replace"))
    return SAYINGS[min(found)] if found else None


def _together(sayings: tuple[Saying, ...]) -> re2.Set:
    """All patterns as one automaton, which reads a text once."""
    together = re2.Set.SearchSet()
    for saying in sayings:
        together.Add(f"(?i){saying.words}")
    together.Compile()
    return together


_ALL: Final = _together(SAYINGS)
