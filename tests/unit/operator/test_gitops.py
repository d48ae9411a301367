from typing import Any

import pytest

from interlock.operator.core.gitops import manager_of

KUSTOMIZE = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
HELM = {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"}
TRACKED = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}


@pytest.mark.parametrize(
    ("labels", "annotations", "manager"),
    [
        ({}, {}, ""),
        (None, None, ""),
        ({"app.kubernetes.io/instance": "web", "app.kubernetes.io/managed-by": "Helm"}, {}, ""),
        (KUSTOMIZE, {}, "Flux Kustomization flux-system/apps"),
        (HELM, {}, "Flux HelmRelease shop/web"),
        (KUSTOMIZE, {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}, ""),
        (KUSTOMIZE, {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}, ""),
        (KUSTOMIZE, {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}, "Flux Kustomization flux-system/apps"),
        ({}, TRACKED, "Argo CD application shop"),
        ({"argocd.argoproj.io/instance": "shop"}, {}, "Argo CD application shop"),
    ],
)
def test_who_puts_an_object_back(labels: Any, annotations: Any, manager: str) -> None:
    live = {"metadata": {"name": "web", "labels": labels, "annotations": annotations}}
    assert manager_of(live) == manager
