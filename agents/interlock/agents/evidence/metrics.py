"""Prometheus as a witness: a few queries about one workload, each kept with its words.

The client library is synchronous, so queries run in a thread; it is told not to retry, because a look that waits for a
dead Prometheus is worse than one without it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from pydantic import JsonValue
from urllib3.util.retry import Retry

from interlock.agents.model import ObjectRef
from interlock.crds.redact import redact_text

MOST_SERIES = 50
MOST_SERIES_AROUND = 500
LOOKED_BACK = timedelta(hours=1)
STEP = "60s"
Answer = dict[str, JsonValue]


def queries(target: ObjectRef) -> Iterator[str]:
    """The queries that tell something about a workload; names are quoted, they may come from a label."""
    if target.namespace is None:
        return
    pods = f"namespace={_quoted(target.namespace)}, pod=~{_quoted(_escaped(target.name) + '-.*')}"
    yield f"max by (pod, container) (kube_pod_container_status_restarts_total{{{pods}}})"
    yield f"max by (pod, container) (max_over_time(container_memory_working_set_bytes{{{pods}}}[10m]))"
    yield f"max by (pod, container) (rate(container_cpu_cfs_throttled_periods_total{{{pods}}}[5m]))"
    if target.kind == "Deployment":
        one = f"namespace={_quoted(target.namespace)}, deployment={_quoted(target.name)}"
        yield f"max_over_time(max by (deployment) (kube_deployment_spec_replicas{{{one}}})[1h:1m])"


def queries_around(namespace: str) -> Iterator[tuple[str, str]]:
    """Queries that tell something about all workloads of a namespace, each with the name of its file in a snapshot."""
    here = f"namespace={_quoted(namespace)}"
    of = "sum by (namespace, pod, container)"
    inside = f'{{{here}, container!=""}}'
    throttled, periods = (f"container_cpu_cfs_{what}_total{inside}" for what in ("throttled_periods", "periods"))
    yield "throttling", f"{of} (rate({throttled}[5m])) / {of} (rate({periods}[5m]))"
    yield "processor", f"{of} (rate(container_cpu_usage_seconds_total{inside}[5m]))"
    yield "memory", f"max by (namespace, pod, container) (container_memory_working_set_bytes{inside})"
    for way in ("receive", "transmit"):
        dropped = f"container_network_{way}_packets_dropped_total{{{here}}}"
        yield f"network-{way}-dropped", f"sum by (namespace, pod) (rate({dropped}[5m]))"
    mesh = f'reporter="destination", destination_workload_namespace={_quoted(namespace)}'
    by = "sum by (destination_workload)"
    failed, every = (f"istio_requests_total{{{mesh}{more}}}" for more in (', response_code=~"5.."', ""))
    yield "mesh-errors", f"{by} (rate({failed}[5m])) / {by} (rate({every}[5m]))"
    took = f"istio_request_duration_milliseconds_bucket{{{mesh}}}"
    yield "mesh-latency-p99", f"histogram_quantile(0.99, sum by (le, destination_workload) (rate({took}[5m]))) / 1000"


def calls_around(namespace: str) -> Iterator[tuple[str, str, str]]:
    """Queries for who calls whom in a namespace, by a mesh and by traces, with the labels of caller and callee."""
    mesh = f"source_workload_namespace={_quoted(namespace)}, destination_workload_namespace={_quoted(namespace)}"
    by = "source_workload, destination_service_name"
    yield "source_workload", "destination_service_name", f"sum by ({by}) (rate(istio_requests_total{{{mesh}}}[1h])) > 0"
    traced = "sum by (client, server) (rate(traces_service_graph_request_total[1h])) > 0"
    yield "client", "server", traced


class Metrics:
    """Answers queries, each within `timeout` seconds."""

    def __init__(self, url: str, timeout: int) -> None:
        self._url = url
        self._timeout = timeout

    async def ask(self, query: str) -> tuple[JsonValue, str]:
        """The samples of an instant query, or the reason why there is no answer."""
        try:
            return await asyncio.to_thread(self._ask, query), ""
        except (requests.RequestException, PrometheusApiClientException, KeyError, ValueError) as failure:
            return None, f"{type(failure).__name__}: {failure}"[:300]

    def _ask(self, query: str) -> JsonValue:
        with self._connected() as prometheus:
            answer = prometheus.custom_query(query, params={"limit": str(MOST_SERIES)})
        samples: JsonValue = [{"labels": s["metric"], "value": s["value"][1]} for s in answer[:MOST_SERIES]]
        return samples

    async def around(self, namespace: str, now: datetime) -> tuple[dict[str, JsonValue], list[JsonValue]]:
        """The last hour of a namespace as files of `metrics/`, and who calls whom; what is not answered is left out."""
        named, ways = list(queries_around(namespace)), list(calls_around(namespace))
        ranges = (self._answer(self._range, query, now) for _, query in named)
        callers = (self._answer(self._samples, query) for _, _, query in ways)
        answers = await asyncio.gather(*ranges, *callers)
        files: dict[str, JsonValue] = {
            name: answer for (name, _), answer in zip(named, answers, strict=False) if _result(answer)
        }
        calls = [
            (str(labels.get(caller)), str(labels.get(callee)))
            for (caller, callee, _), answer in zip(ways, answers[len(named) :], strict=True)
            for labels in _labels(answer)
        ]
        return files, _dependencies(namespace, calls)

    async def alerts(self) -> list[JsonValue]:
        """The alerts that fire by Prometheus' word, as Alertmanager sends them; none where it does not answer."""
        answer = await self._answer(self._alerts)
        return [_alert(one) for one in _result(answer) if isinstance(one, dict) and one.get("state") == "firing"]

    def _alerts(self) -> Answer:
        answer = requests.get(f"{self._url.rstrip('/')}/api/v1/alerts", timeout=self._timeout)
        answer.raise_for_status()
        return {"data": {"result": answer.json()["data"]["alerts"]}}

    async def _answer(self, ask: Callable[..., Answer], *about: Any) -> Answer:
        try:
            return await asyncio.to_thread(ask, *about)
        except (requests.RequestException, PrometheusApiClientException, KeyError, ValueError):
            return {}

    def _range(self, query: str, now: datetime) -> Answer:
        with self._connected() as prometheus:
            limit = {"limit": str(MOST_SERIES_AROUND)}
            result = prometheus.custom_query_range(query, now - LOOKED_BACK, now, STEP, params=limit)
        return {"query": query, "status": "success", "data": {"resultType": "matrix", "result": result}}

    def _samples(self, query: str) -> Answer:
        with self._connected() as prometheus:
            result = prometheus.custom_query(query, params={"limit": str(MOST_SERIES_AROUND)})
        return {"query": query, "status": "success", "data": {"resultType": "vector", "result": result}}

    def _connected(self) -> PrometheusConnect:
        return PrometheusConnect(url=self._url, retry=Retry(total=0), timeout=self._timeout)


def _result(answer: Answer) -> list[Any]:
    data = answer.get("data")
    found = data.get("result") if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _alert(said: dict[str, JsonValue]) -> JsonValue:
    annotations = said.get("annotations")
    told = annotations.items() if isinstance(annotations, dict) else ()
    return {
        "status": "firing",
        "labels": said.get("labels"),
        "annotations": {name: redact_text(str(text)) for name, text in told},
        "startsAt": said.get("activeAt"),
    }


def _labels(answer: Answer) -> Iterator[Mapping[str, Any]]:
    for one in _result(answer):
        if isinstance(one, dict) and isinstance(one.get("metric"), dict):
            yield one["metric"]


def _dependencies(namespace: str, calls: Iterable[tuple[str, str]]) -> list[JsonValue]:
    """The entries of `service-dependencies.json` for pairs of caller and callee."""
    found: dict[str, set[str]] = {}
    for caller, callee in calls:
        if caller != callee:
            found.setdefault(callee, set()).add(caller)
    return [
        {"namespace": namespace, "service": callee, "calls": [], "calledBy": [*sorted(callers)]}
        for callee, callers in sorted(found.items())
    ]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else f"\\{c}" for c in text)
