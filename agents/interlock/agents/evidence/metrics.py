"""Prometheus as a witness: a few queries about one workload, each kept with its words.

The client library is synchronous, so queries run in a thread; it is told not to retry, because a look that waits for a
dead Prometheus is worse than one without it.
"""

import asyncio
from collections.abc import Iterator

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from pydantic import JsonValue
from urllib3.util.retry import Retry

from interlock.agents.model import ObjectRef

MOST_SERIES = 50


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
        with PrometheusConnect(url=self._url, retry=Retry(total=0), timeout=self._timeout) as prometheus:
            answer = prometheus.custom_query(query, params={"limit": str(MOST_SERIES)})
        samples: JsonValue = [{"labels": s["metric"], "value": s["value"][1]} for s in answer[:MOST_SERIES]]
        return samples


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else f"\\{c}" for c in text)
