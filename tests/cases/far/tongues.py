"""The lines that the logging of each runtime writes."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from tests.cases.builder import NOW, Json

STAMP = {"ms": "%Y-%m-%dT%H:%M:%S", "space": "%Y-%m-%d %H:%M:%S", "nginx": "%d/%b/%Y:%H:%M:%S +0000"}


def number(seed: str, below: int) -> int:
    """A number that is the same each time."""
    return int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16) % below


def when(ago: float, form: str = "ms") -> str:
    """A log's time."""
    return (NOW - timedelta(seconds=ago)).strftime(STAMP[form])


def _epoch(ago: float) -> float:
    return round(NOW.timestamp() - ago, 3)


def spring(app: str, level: str, text: str, ago: float) -> str:
    """Spring Boot 3."""
    who, _, said = text.partition("|")
    return f"{when(ago)}.{int(ago * 7) % 900 + 100}Z {level:>5} 1 --- [{app}] [nio-8080-exec-{int(ago) % 9 + 1}] {who:<40} : {said}"


def slog(app: str, level: str, text: str, ago: float) -> str:
    """Go's log/slog as JSON."""
    said, _, wrong = text.partition("|")
    body = {"time": f"{when(ago)}.{int(ago * 13) % 900000 + 100000}Z", "level": level, "msg": said, "app": app}
    return json.dumps({**body, "err": wrong} if wrong else body)


def zap(app: str, level: str, text: str, ago: float) -> str:
    """Uber's zap."""
    said, _, wrong = text.partition("|")
    body = {"level": level.lower(), "ts": _epoch(ago), "logger": app, "caller": "server/handler.go:118", "msg": said}
    return json.dumps({**body, "error": wrong} if wrong else body)


def pino(app: str, level: str, text: str, ago: float) -> str:
    """Node's pino."""
    rank = {"DEBUG": 20, "INFO": 30, "WARN": 40, "ERROR": 50}[level]
    said, _, wrong = text.partition("|")
    body: Json = {"level": rank, "time": int(_epoch(ago) * 1000), "pid": 1, "hostname": f"{app}-0", "msg": said}
    if wrong:
        body["err"] = {"type": wrong.split(":")[0], "message": wrong}
    return json.dumps(body)


def nest(app: str, level: str, text: str, ago: float) -> str:
    """NestJS."""
    rank = {"INFO": "LOG"}.get(level, level)
    who, _, said = text.partition("|")
    return f"[Nest] 1  - {when(ago, 'space')} {rank:>7} [{who}] {said}"


def rust(app: str, level: str, text: str, ago: float) -> str:
    """Rust's tracing."""
    return f"{when(ago)}.{int(ago * 17) % 900000 + 100000}Z {level:>5} {app.replace('-', '_')}::http: {text.replace('|', ': ')}"


def dotnet(app: str, level: str, text: str, ago: float) -> str:
    """ASP.NET Core's console."""
    rank = {"INFO": "info", "WARN": "warn", "ERROR": "fail"}.get(level, "dbug")
    who, _, said = text.partition("|")
    return f"{rank}: {who}[0]\n      " + said.replace("\n", "\n      ")


def python(app: str, level: str, text: str, ago: float) -> str:
    """Python's logging as most configure it."""
    who, _, said = text.partition("|")
    rank = {"WARN": "WARNING"}.get(level, level)
    return f"{when(ago, 'space')},{int(ago * 7) % 900 + 100} {rank} [{who}] {said}"


def celery(app: str, level: str, text: str, ago: float) -> str:
    """Celery's worker."""
    rank = {"WARN": "WARNING"}.get(level, level)
    where = "MainProcess" if level == "INFO" else f"ForkPoolWorker-{int(ago) % 4 + 1}"
    return f"[{when(ago, 'space')},{int(ago * 7) % 900 + 100}: {rank}/{where}] {text.replace('|', ' ')}"


def rails(app: str, level: str, text: str, ago: float) -> str:
    """Rails."""
    mark = {"INFO": "I", "WARN": "W", "ERROR": "E"}[level]
    return f"{mark}, [{when(ago)}.{int(ago * 17) % 900000 + 100000} #1] {level:>5} -- : {text.replace('|', ' ')}"


def elixir(app: str, level: str, text: str, ago: float) -> str:
    """Elixir's Logger."""
    said = text.replace("|", " ")
    return f"{when(ago)[11:]}.{int(ago * 7) % 900 + 100} [{level.lower().replace('warn', 'warning')}] {said}"


def plain(app: str, level: str, text: str, ago: float) -> str:
    """Whatever the program prints, with a time before it."""
    return f"{when(ago, 'space')}.{int(ago * 7) % 900 + 100} UTC {text}"


def nginx(app: str, level: str, text: str, ago: float) -> str:
    """NGINX: requests to stdout, what is wrong to stderr."""
    if level == "INFO":
        return f'10.244.1.7 - - [{when(ago, "nginx")}] {text} "-" "Mozilla/5.0 (X11; Linux x86_64)" "-"'
    return f"{when(ago, 'space').replace('-', '/')} [{level.lower()}] 29#29: *{int(ago) + 4100} {text}"


Style = Callable[[str, str, str, float], str]
STYLES: dict[str, Style] = {
    f.__name__: f for f in (spring, slog, zap, pino, nest, rust, dotnet, python, celery, rails, elixir, plain, nginx)
}
