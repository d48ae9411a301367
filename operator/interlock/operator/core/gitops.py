"""Who else writes an object: Flux and Argo CD put back what Git says, and an approver should know that beforehand.

By what they mark their objects with: https://fluxcd.io/flux/components/kustomize/kustomizations/ and
https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/.
"""

from collections.abc import Mapping
from typing import Any

_FLUX = {"kustomize.toolkit.fluxcd.io": "Kustomization", "helm.toolkit.fluxcd.io": "HelmRelease"}
_ARGO_ID = "argocd.argoproj.io/tracking-id"
_ARGO_LABEL = "argocd.argoproj.io/instance"


def manager_of(live: Mapping[str, Any]) -> str:
    """Who puts it back to what Git says, such as `Flux Kustomization apps/shop`; empty if nobody is known to."""
    meta = live["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    for group, kind in _FLUX.items():
        name = labels.get(f"{group}/name")
        if name and not _left_alone(group, annotations):
            return f"Flux {kind} {labels.get(f'{group}/namespace', '')}/{name}"[:200]
    application = str(annotations.get(_ARGO_ID, "")).partition(":")[0] or labels.get(_ARGO_LABEL, "")
    return f"Argo CD application {application}"[:200] if application else ""


def _left_alone(group: str, annotations: Mapping[str, str]) -> bool:
    """Whether Flux was told to leave what is on the cluster as it is."""
    reconcile, apply = annotations.get(f"{group}/reconcile", ""), annotations.get(f"{group}/ssa", "")
    return reconcile.lower() == "disabled" or apply.lower() in {"ignore", "ifnotpresent"}
