"""What expressions may ask of a Kubernetes object beyond its fields: the questions that CEL alone answers at length."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""What `kubectl apply` keeps of the manifest that it applied last; edits and patches leave it as it is."""


def condition(container: Any, kind: str) -> str:
    """The status of a condition of an object, "Unknown" where it has none: `condition(target, "Available")`."""
    for entry in ((container or {}).get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind:
            return str(entry.get("status"))
    return "Unknown"


def last_applied(container: Any) -> dict[str, Any]:
    """The manifest that `kubectl apply` applied last, an empty mapping where there is none that can be read."""
    try:
        manifest = json.loads(((container or {}).get("metadata") or {}).get("annotations", {})[LAST_APPLIED])
    except (KeyError, TypeError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def pod_spec(container: Any) -> dict[str, Any]:
    """The pod spec of a pod, a workload or one of its revisions; an empty mapping where there is none."""
    body: Mapping[str, Any] = container or {}
    spec = (body.get("data") or {}).get("spec") if body.get("kind") == "ControllerRevision" else body.get("spec")
    spec = spec or {}
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"].get("spec") or {}
    found: dict[str, Any] = (spec["template"].get("spec") or {}) if "template" in spec else spec
    return found if "containers" in found else {}


def pod_labels(workload: Mapping[str, Any]) -> Mapping[str, str]:
    """What the pods of a workload are labelled with."""
    return ((workload["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}


def fits(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether labels have all that a selector asks for."""
    return all(labels.get(key) == value for key, value in selector.items())


def references(container: Any, kind: str) -> list[str]:
    """The names of the ConfigMaps or PersistentVolumeClaims that a pod, a workload or a revision refers to, sorted.

    Raises:
        ValueError: another kind is asked for.
    """
    spec = pod_spec(container)
    match kind:
        case "ConfigMap":
            return sorted({name for name in _config_maps(spec) if name})
        case "PersistentVolumeClaim":
            claims = (volume.get("persistentVolumeClaim") or {} for volume in spec.get("volumes") or ())
            return sorted({claim["claimName"] for claim in claims if claim.get("claimName")})
    raise ValueError(f"references() knows ConfigMap and PersistentVolumeClaim, not {kind!r}")


def _config_maps(spec: Mapping[str, Any]) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        yield (volume.get("configMap") or {}).get("name", "")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield (source.get("configMap") or {}).get("name", "")
    for item in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for whole in item.get("envFrom") or ():
            yield (whole.get("configMapRef") or {}).get("name", "")
        for variable in item.get("env") or ():
            yield ((variable.get("valueFrom") or {}).get("configMapKeyRef") or {}).get("name", "")
