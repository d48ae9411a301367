"""How programs of different make say the same: six runtimes, each with its own log format, drivers and stack traces."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle

from tests.cases.builder import at

Format = Callable[[str, str, str, str], str]
_LEVELS = {"error": ("ERROR", "error", "fail"), "warn": ("WARN", "warning", "warn"), "info": ("INFO", "info", "info")}


def _java(level: str, message: str, trace: str, when: str) -> str:
    body = {"@timestamp": when, "log.level": _LEVELS[level][0], "message": message, "process.thread.name": "exec-3"}
    return json.dumps({**body, **({"error.stack_trace": trace} if trace else {})})


def _go(level: str, message: str, trace: str, when: str) -> str:
    said = f' err="{trace}"' if trace else ""
    return f'ts={when} level={level} caller=server.go:118 msg="{message}"{said}'


def _python(level: str, message: str, trace: str, when: str) -> str:
    head = f"{when.replace('T', ' ').rstrip('Z')},412 {_LEVELS[level][0]:8} app.core:77 {message}"
    frames = '\nTraceback (most recent call last):\n  File "/srv/app/core.py", line 77, in run\n    self.open()\n'
    return head + (frames + trace if trace else "")


def _node(level: str, message: str, trace: str, when: str) -> str:
    number = {"error": 50, "warn": 40, "info": 30}[level]
    err = {"err": {"type": "Error", "message": trace, "stack": f"Error: {trace}\n    at connect (/app/x.js:31:7)"}}
    return json.dumps({"level": number, "time": when, "pid": 1, **(err if trace else {}), "msg": message})


def _rust(level: str, message: str, trace: str, when: str) -> str:
    said = f" error={trace}" if trace else ""
    return f"{when} {_LEVELS[level][0]:>5} core::server: {message}{said}"


def _dotnet(level: str, message: str, trace: str, when: str) -> str:
    short = {"error": "fail", "warn": "warn", "info": "info"}[level]
    frames = f"\n      {trace}\n         at Core.Server.Run() in /src/Server.cs:line 41" if trace else ""
    return f"{short}: Core.Server[0]\n      {message}{frames}"


@dataclass(frozen=True)
class Tongue:
    """A runtime: how it writes a line, and what its drivers say."""

    name: str
    format: Format
    drivers: Mapping[str, tuple[str, str]]

    def line(self, level: str, message: str, trace: str = "", *, ago: float = 60) -> str:
        """One line as it would be written."""
        return self.format(level, message, trace, at(ago))

    def said(self, kind: str, *, times: int = 6, every: float = 20, **about: object) -> str:
        """What it writes where something of this kind happens to it, several times, between lines of no interest."""
        message, trace = self.drivers[kind]
        ages = [every * n + 5 for n in range(times, 0, -1)]
        wrong = [self.line("error", message.format(**about), trace.format(**about), ago=ago) for ago in ages]
        fine = cycle([self.line("info", "handled request in 12 ms"), self.line("info", "heartbeat ok")])
        return "\n".join(text for pair in zip(wrong, fine, strict=False) for text in pair)


JAVA = Tongue(
    "java",
    _java,
    {
        "refused": (
            "I/O error on POST request",
            "java.net.ConnectException: Connection refused\n\tat java.base/sun.nio.ch.Net.connect0\nCaused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: {host}/10.96.8.1:{port}",
        ),
        "timeout": (
            "upstream call gave up",
            "java.net.SocketTimeoutException: Connect timed out; {host}:{port} failed to respond\n\tat okhttp3.RealCall",
        ),
        "nohost": ("cannot start client", "java.net.UnknownHostException: {host}: Name or service not known"),
        "store-refused": (
            "HikariPool-1 - Exception during pool initialization.",
            "org.postgresql.util.PSQLException: Connection to {host}:{port} refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.",
        ),
        "missing": (
            "Application run failed",
            "java.lang.IllegalArgumentException: Could not resolve placeholder '{name}' in value \"${{{name}}}\"",
        ),
        "invalid": (
            "Application run failed",
            'org.springframework.boot.context.properties.bind.BindException: Failed to bind properties; Property: {name} Value: "{value}" Reason: failed to convert java.lang.String to java.lang.Integer (caused by java.lang.NumberFormatException: For input string: "{value}")',
        ),
        "auth": (
            "HikariPool-1 - Exception during pool initialization.",
            'org.postgresql.util.PSQLException: FATAL: password authentication failed for user "{user}"',
        ),
        "noname": ("jdbc failure", 'org.postgresql.util.PSQLException: FATAL: database "{name}" does not exist'),
        "crash": (
            "Application run failed",
            'java.lang.NullPointerException: Cannot invoke "Ledger.close()" because "this.ledger" is null\n\tat com.acme.Ledgers.start(Ledgers.java:52)',
        ),
        "exhausted": (
            "cannot get connection",
            "org.postgresql.util.PSQLException: FATAL: remaining connection slots are reserved for non-replication superuser connections",
        ),
        "readonly": (
            "write failed",
            "org.postgresql.util.PSQLException: ERROR: cannot execute UPDATE in a read-only transaction",
        ),
        "bind": (
            "Web server failed to start",
            "java.net.BindException: Address already in use: bind on port {port}",
        ),
        "expired": (
            "handshake with {host} failed",
            "javax.net.ssl.SSLHandshakeException: PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed: NotAfter: Sat Feb 28 09:00:00 UTC 2026",
        ),
    },
)
GO = Tongue(
    "go",
    _go,
    {
        "refused": ("rpc failed", "dial tcp 10.96.8.1:{port}: connect: connection refused ({host})"),
        "timeout": (
            "rpc failed",
            'Get \\"http://{host}:{port}/v1\\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        ),
        "nohost": ("startup", "dial tcp: lookup {host} on 10.96.0.10:53: no such host"),
        "store-refused": ("open db", "dial tcp: {host}:{port}: connect: connection refused"),
        "missing": ("bad configuration", 'env: required environment variable \\"{name}\\" is not set'),
        "invalid": (
            "bad configuration",
            'env: parse error on field of type int: strconv.ParseInt: parsing \\"{value}\\": invalid syntax ({name})',
        ),
        "auth": ("ping db", 'pq: password authentication failed for user \\"{user}\\"'),
        "noname": ("ping db", 'pq: database \\"{name}\\" does not exist'),
        "crash": (
            "panic recovered at top level",
            "runtime error: invalid memory address or nil pointer dereference; goroutine 1 [running]",
        ),
        "exhausted": ("query", "pq: sorry, too many clients already"),
        "readonly": ("exec", "pq: cannot execute INSERT in a read-only transaction"),
        "bind": ("serve", "listen tcp :{port}: bind: address already in use"),
        "expired": (
            "upstream {host}",
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-03-01T12:00:00Z is after 2026-02-28T09:00:00Z",
        ),
    },
)
PYTHON = Tongue(
    "python",
    _python,
    {
        "refused": (
            "request to {host} failed",
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='{host}', port={port}): Max retries exceeded with url: /v1 (Caused by NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused'))",
        ),
        "timeout": (
            "request to {host} failed",
            "requests.exceptions.ReadTimeout: HTTPConnectionPool(host='{host}', port={port}): Read timed out. (read timeout=5)",
        ),
        "nohost": ("cannot connect", "socket.gaierror: [Errno -2] Name or service not known: '{host}'"),
        "store-refused": (
            "db unavailable",
            'psycopg.OperationalError: connection failed: connection to server at "10.96.8.1", port {port} failed: Connection refused\n\tIs the server running on host "{host}" and accepting TCP/IP connections?',
        ),
        "missing": ("settings", "KeyError: '{name}'"),
        "invalid": ("settings", "ValueError: invalid literal for int() with base 10: '{value}'"),
        "auth": (
            "db unavailable",
            'psycopg.OperationalError: FATAL:  password authentication failed for user "{user}"',
        ),
        "noname": ("db unavailable", 'psycopg.OperationalError: FATAL:  database "{name}" does not exist'),
        "crash": ("worker died", "AttributeError: 'NoneType' object has no attribute 'publish'"),
        "exhausted": ("db unavailable", "psycopg.OperationalError: FATAL:  sorry, too many clients already"),
        "readonly": (
            "db write",
            "psycopg.errors.ReadOnlySqlTransaction: cannot execute DELETE in a read-only transaction",
        ),
        "bind": (
            "serve",
            "OSError: [Errno 98] error while attempting to bind on address ('0.0.0.0', {port}): address already in use",
        ),
        "expired": (
            "upstream {host}",
            "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
        ),
    },
)
NODE = Tongue(
    "node",
    _node,
    {
        "refused": ("upstream failed", "connect ECONNREFUSED 10.96.8.1:{port} ({host})"),
        "timeout": ("upstream failed", "connect ETIMEDOUT http://{host}:{port}/"),
        "nohost": ("upstream failed", "getaddrinfo ENOTFOUND {host}"),
        "store-refused": ("db", "connect ECONNREFUSED {host}:{port}"),
        "missing": ("fatal", "Missing required env var {name}"),
        "invalid": ("fatal", 'Invalid configuration: {name} must be an integer, received "{value}"'),
        "auth": ("db", "ER_ACCESS_DENIED_ERROR: Access denied for user '{user}'@'10.244.1.9' (using password: YES)"),
        "noname": ("db", "ER_BAD_DB_ERROR: Unknown database '{name}'"),
        "crash": ("fatal", "TypeError: Cannot read properties of undefined (reading 'tariffs')"),
        "exhausted": ("db", "ER_CON_COUNT_ERROR: Too many connections"),
        "readonly": (
            "db",
            "ER_OPTION_PREVENTS_STATEMENT: The MySQL server is running with the --read-only option so it cannot execute this statement",
        ),
        "bind": ("fatal", "listen EADDRINUSE: address already in use :::{port}"),
        "expired": ("upstream {host}", "certificate has expired (CERT_HAS_EXPIRED)"),
    },
)
RUST = Tongue(
    "rust",
    _rust,
    {
        "refused": (
            "request failed",
            "error trying to connect: tcp connect error: Connection refused (os error 111) uri=http://{host}:{port}/",
        ),
        "timeout": ("request failed", "error sending request for url (http://{host}:{port}/v1): operation timed out"),
        "nohost": (
            "request failed",
            "error trying to connect: dns error: failed to lookup address information: Name or service not known host={host}",
        ),
        "store-refused": ("pool", "error connecting to server {host}:{port}: Connection refused (os error 111)"),
        "missing": ("startup", "environment variable not found: {name}"),
        "invalid": ("startup", "invalid value '{value}' for '{name}': invalid digit found in string"),
        "auth": ("pool", 'error returned from database: password authentication failed for user "{user}"'),
        "noname": ("pool", 'error returned from database: database "{name}" does not exist'),
        "crash": (
            "thread 'main' panicked at src/main.rs:88:31",
            "called `Option::unwrap()` on a `None` value",
        ),
        "exhausted": ("pool", "error returned from database: sorry, too many clients already"),
        "readonly": ("pool", "error returned from database: cannot execute INSERT in a read-only transaction"),
        "bind": (
            "startup",
            'Os {{ code: 98, kind: AddrInUse, message: "Address already in use" }} addr=0.0.0.0:{port}',
        ),
        "expired": ("request to {host} failed", "invalid peer certificate: Expired"),
    },
)
DOTNET = Tongue(
    "dotnet",
    _dotnet,
    {
        "refused": (
            "An unhandled exception has occurred while executing the request.",
            "System.Net.Http.HttpRequestException: Connection refused ({host}:{port}) ---> System.Net.Sockets.SocketException (111): Connection refused",
        ),
        "timeout": (
            "An unhandled exception has occurred while executing the request.",
            "System.Threading.Tasks.TaskCanceledException: The request was canceled due to the configured HttpClient.Timeout of 5 seconds elapsing. ({host}:{port})",
        ),
        "nohost": (
            "Hosting failed to start",
            "System.Net.Http.HttpRequestException: Name or service not known ({host}:{port})",
        ),
        "store-refused": (
            "An error occurred using the connection to database 'main' on server 'tcp://{host}:{port}'.",
            "Npgsql.NpgsqlException (0x80004005): Failed to connect to {host}:{port} ---> Connection refused",
        ),
        "missing": (
            "Hosting failed to start",
            "System.InvalidOperationException: Configuration value '{name}' is required but was not provided",
        ),
        "invalid": (
            "Hosting failed to start",
            "System.InvalidOperationException: Failed to convert configuration value '{value}' at '{name}' to type 'System.Int32'.",
        ),
        "auth": (
            "login",
            'Npgsql.PostgresException (0x80004005): 28P01: password authentication failed for user "{user}"',
        ),
        "noname": ("login", 'Npgsql.PostgresException (0x80004005): 3D000: database "{name}" does not exist'),
        "crash": (
            "Unhandled exception.",
            "System.NullReferenceException: Object reference not set to an instance of an object.",
        ),
        "exhausted": ("login", "Npgsql.PostgresException (0x80004005): 53300: sorry, too many clients already"),
        "readonly": (
            "save",
            "Npgsql.PostgresException (0x80004005): 25006: cannot execute INSERT in a read-only transaction",
        ),
        "bind": (
            "Hosting failed to start",
            "System.IO.IOException: Failed to bind to address http://[::]:{port}: address already in use.",
        ),
        "expired": (
            "call to {host}",
            "System.Security.Authentication.AuthenticationException: The remote certificate is invalid because of errors in the certificate chain: NotTimeValid",
        ),
    },
)
