"""A runbook and an execution that are right, to be made wrong in one place at a time."""

import copy
from typing import Any

from interlock.crds.execution import RunbookExecutionSpec
from interlock.crds.runbook import Runbook

RUNBOOK: dict[str, Any] = {
    "metadata": {"name": "scale-web-1.2.3"},
    "spec": {
        "family": "scale-web",
        "version": "1.2.3",
        "title": "Scale the web",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "parameters": [{"name": "replicas", "description": "How many.", "type": "integer", "minimum": 1, "maximum": 9}],
        "permissions": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}],
        "allowedPaths": ["/spec/replicas"],
        "steps": [{"name": "scale", "action": "scale", "with": {"replicas": "${parameters.replicas}"}}],
        "verification": {"checks": [{"name": "ready", "expression": "true"}]},
    },
}
HANDOVER: dict[str, Any] = {
    "metadata": {"name": "escalate-1.0.0"},
    "spec": {
        "family": "escalate",
        "version": "1.0.0",
        "title": "Take over",
        "type": "Handover",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
    },
}
EXECUTION: dict[str, Any] = {
    "runbook": {"name": "scale-web-1.2.3", "digest": "sha256:" + "a" * 64},
    "target": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
    "parameters": {"replicas": "4"},
    "reason": {"summary": "Too few.", "cause": "workload.replicas.too-few", "confidence": 1.0},
    "requestedBy": "alice",
}


def runbook_body(**spec: Any) -> dict[str, Any]:
    body = copy.deepcopy(RUNBOOK)
    body["spec"].update(spec)
    return body


def runbook(**spec: Any) -> Runbook:
    return Runbook.model_validate(runbook_body(**spec))


def handover(**spec: Any) -> Runbook:
    body = copy.deepcopy(HANDOVER)
    body["spec"].update(spec)
    return Runbook.model_validate(body)


def execution_spec(**fields: Any) -> RunbookExecutionSpec:
    return RunbookExecutionSpec.model_validate({**copy.deepcopy(EXECUTION), **fields})
