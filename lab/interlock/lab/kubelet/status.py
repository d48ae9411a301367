"""A pod's status as the API server stores it, from what the kubelet remembers (kubelet's generateAPIPodStatus)."""

import datetime
from collections.abc import Sequence
from typing import Any

from interlock.lab.kubelet.core import initialized
from interlock.lab.kubelet.history import ContainerHistory, PodHistory, Running, Terminated, Waiting, current_run
from interlock.lab.kubelet.pods import Condition, Container, Pod

Json = dict[str, Any]
HOST_IP = "127.0.0.1"


def timestamp(moment: float) -> str:
    """RFC 3339 with seconds, as the API writes times."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(pod: Pod, history: PodHistory, now: float) -> Json:
    """The fields of status that a kubelet owns; conditions of others are left to a strategic merge."""
    phase = pod_phase(pod, history)
    status: Json = {
        "phase": phase,
        "conditions": _conditions(pod, history, phase, now),
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": history.pod_ip,
        "podIPs": [{"ip": history.pod_ip}],
        "startTime": pod.status.start_time or timestamp(history.started),
        "containerStatuses": [_container(item, history.containers[item.name]) for item in pod.spec.containers],
    }
    if pod.spec.init_containers:
        status["initContainerStatuses"] = [
            _container(item, history.containers[item.name], init=True) for item in pod.spec.init_containers
        ]
    return status


def pod_phase(pod: Pod, history: PodHistory) -> str:
    """Kubelet's getPhase."""
    if not initialized(pod, history):
        broken = [history.containers[item.name] for item in pod.spec.init_containers]
        failed = any(isinstance(item.state, Terminated) and item.state.exit_code for item in broken)
        return "Failed" if failed and pod.spec.restart_policy == "Never" else "Pending"
    containers = [history.containers[item.name] for item in pod.spec.containers]
    if any(isinstance(item.state, Waiting) and item.last is None for item in containers):
        return "Pending"
    if any(isinstance(item.state, Running) for item in containers) or pod.spec.restart_policy == "Always":
        return "Running"
    if all(item.succeeded for item in containers):
        return "Succeeded"
    return "Failed" if pod.spec.restart_policy == "Never" else "Running"


def _container(container: Container, item: ContainerHistory, *, init: bool = False) -> Json:
    run = current_run(item)
    completes = init and container.restart_policy != "Always"
    return {
        "name": container.name,
        "image": container.image,
        "imageID": container.image if run else "",
        "containerID": run.container_id if run else "",
        "ready": item.succeeded if completes else item.ready,
        "started": item.started,
        "restartCount": item.restarts,
        "state": _state(item.state),
        "lastState": _state(item.last) if item.last else {},
    }


def _state(state: Waiting | Running | Terminated) -> Json:
    match state:
        case Waiting(reason=reason, message=message):
            return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        case Running(run=run):
            return {"running": {"startedAt": timestamp(run.started)}}
        case Terminated():
            return {
                "terminated": {
                    "reason": state.reason,
                    "exitCode": state.exit_code,
                    "startedAt": timestamp(state.run.started),
                    "finishedAt": timestamp(state.finished),
                    "containerID": state.run.container_id,
                }
            }


def _conditions(pod: Pod, history: PodHistory, phase: str, now: float) -> list[Json]:
    unready = [item.name for item in pod.spec.containers if not history.containers[item.name].ready]
    ready = _unready_reason(unready, phase)
    init = initialized(pod, history)
    incomplete = [item.name for item in pod.spec.init_containers if not history.containers[item.name].succeeded]
    wanted = (
        Condition(type="PodReadyToStartContainers", status="True"),
        Condition(type="Initialized", status="True")
        if init
        else Condition(
            type="Initialized",
            status="False",
            reason="ContainersNotInitialized",
            message=f"containers with incomplete status: [{' '.join(incomplete)}]",
        ),
        Condition(type="Ready", **ready),
        Condition(type="ContainersReady", **ready),
    )
    return [_dated(condition, pod.status.conditions, now) for condition in wanted]


def _unready_reason(unready: Sequence[str], phase: str) -> dict[str, str]:
    if phase in ("Succeeded", "Failed"):
        return {"status": "False", "reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    if not unready:
        return {"status": "True"}
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {"status": "False", "reason": "ContainersNotReady", "message": message}


def _dated(condition: Condition, existing: Sequence[Condition], now: float) -> Json:
    before = next((item for item in existing if item.type == condition.type), None)
    same = before is not None and before.status == condition.status
    when = before.last_transition_time if same and before is not None else None
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": when or timestamp(now),
    }
