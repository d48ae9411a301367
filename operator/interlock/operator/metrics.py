"""What the operator counts and measures about itself, served as Prometheus metrics; docs/operations.md explains each.

Labels come from closed sets only: verbs, status codes, phases, reasons that stand in this code, kinds that the API
server serves, families that are published. Never from a name, a namespace or a message, so that nobody who may create
an object can make the number of series grow.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_PREFIX = "interlock_operator_"


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(_PREFIX + name, says, labels, registry=REGISTRY)


def _gauge(name: str, says: str, *labels: str) -> Gauge:
    return Gauge(_PREFIX + name, says, labels, registry=REGISTRY)


def _histogram(name: str, says: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
    return Histogram(_PREFIX + name, says, labels, buckets=buckets, registry=REGISTRY)


LEADING = _gauge("leading", "1 while this process holds its shard's Lease, else 0.")
UNGUARDED = _gauge(
    "self_check_failed",
    "1 while policies do not stand as shipped or agents may do more than ask: nothing is done then.",
)
EPOCH = _gauge("epoch", "The epoch in which this process leads, 0 while it does not.")

QUEUE_DEPTH = _gauge("queue_depth", "Executions that wait for a worker.")
QUEUE_OLDEST = _gauge("queue_oldest_seconds", "How long the first of them has waited.")
IN_WORK = _gauge("in_work", "Executions that are worked on now.")
RETRIES = _counter("retries_total", "Passes that failed and will be tried again.")
AWAITING = _gauge("awaiting", "Executions of all shards that wait for a person now; 0 where it does not lead.", "phase")
PASS_SECONDS = _histogram("pass_seconds", "Duration of one pass over one execution.", buckets=_LONG_SECONDS)

PHASES = _counter("phases_entered_total", "Phases that executions have entered.", "phase", "family")
REFUSALS = _counter("refusals_total", "Executions that a gate or the API server refused, by reason.", "reason")
BREAK_GLASS = _counter("break_glass_total", "Plans that were approved by who had asked, in an emergency.")
APPROVAL_TO_END = _histogram(
    "approval_to_end_seconds", "From the approval of a plan to its end.", "phase", buckets=_LONG_SECONDS
)

REQUESTS = _counter("api_requests_total", "Requests to the API server; code 0: no answer.", "verb", "resource", "code")
REQUEST_SECONDS = _histogram("api_request_seconds", "Duration of requests to the API server.", "verb", "resource")

WATCH_RESTARTS = _counter("watch_restarts_total", "How often the watch ended by itself and was started anew.")
WATCH_MISSED = _counter("watch_missed_total", "Changes that a list found and the watch had not told in time.")
EVENT_AGE = _gauge("last_event_age_seconds", "Since the watch last told of anything.")

ARCHIVE_LAG = _histogram("archive_lag_seconds", "From the end of an execution to its archiving.", buckets=_LONG_SECONDS)
ARCHIVE_FAILURES = _counter("archive_failures_total", "Attempts to archive that failed; they are repeated.")


def observe(gauge: Gauge, look: Callable[[], float]) -> None:
    """Lets a gauge show what is so at the moment of each scrape."""
    gauge.set_function(look)


def seconds_between(start: str, end: str) -> float:
    """Seconds between two times as they stand in a journal; never negative, as clocks are set now and then."""
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def archived(completed_at: str | None) -> None:
    """Something that ended then has been archived now."""
    if completed_at is not None:
        ARCHIVE_LAG.observe(seconds_between(completed_at, datetime.now(UTC).isoformat()))


def served() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


def request_kind(method: str, path: str) -> tuple[str, str]:
    """Verb and resource of a request, without any name, as the metrics show them.

    `/api/v1/namespaces/shop/pods/web-1` is (`get`, `pods`); what is no resource is discovery.
    """
    parts = path.strip("/").split("/")
    place = parts[2:] if parts[0] == "api" else parts[3:]
    if len(place) > 2 and place[0] == "namespaces":
        place = place[2:]
    if not place:
        return method.lower(), "discovery"
    resource = "/".join([place[0], *place[2:]])
    verb = {"POST": "create", "PUT": "update"}.get(method, method.lower())
    return ("list" if verb == "get" and len(place) == 1 else verb), resource
