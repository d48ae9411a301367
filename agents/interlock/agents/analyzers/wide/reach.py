"""How far a fault reaches: which workloads suffer when this object is wrong.

Used twice: to see whether a difference matters, and to know which findings another one explains.
"""

from interlock.agents.analyzers.kinds import Autoscaler, Claim, Node
from interlock.agents.analyzers.networking import NetworkPolicy, Service
from interlock.agents.analyzers.objects import Pod, PodSpec
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.world import SYSTEM, Group, selects
from interlock.agents.model import ObjectRef

_EVERYBODY = frozenset({"Namespace", "ResourceQuota", "LimitRange", "StorageClass", "APIService"})


def reach(land: Landscape, ref: ObjectRef) -> frozenset[ObjectRef]:
    """The workloads that depend on an object, directly or through others."""
    everybody = frozenset(group.ref for group in land.groups)
    if ref.namespace == SYSTEM and SYSTEM not in land.focus:
        return everybody
    if ref.kind in _EVERYBODY or ref.kind.endswith("WebhookConfiguration"):
        return everybody
    services = tuple(
        s for s in [land.find(Service, ref.namespace, ref.name)] if s is not None and ref.kind == "Service"
    )
    if ref.kind == "Service" and not services and ref.namespace not in land.focus:
        return everybody  # a part of the platform that was found at fault
    if ref.kind == "Service" and not services:
        return frozenset(c.caller.ref for c in land.calls if c.name == ref.name)
    return land.dependents(_direct(land, ref), services)


def _direct(land: Landscape, ref: ObjectRef) -> tuple[Group, ...]:
    match ref.kind:
        case "Node":
            return tuple(g for g in land.groups if ref.name == "*" or any(_is_on(land, p, ref.name) for p in g.pods))
        case "ConfigMap":
            return land.readers(ref.name)
        case "Secret":
            return tuple(g for g in land.groups if ref.name in _secrets(g.spec))
        case "PersistentVolumeClaim" | "PersistentVolume":
            return _mounting(land, ref)
        case "NetworkPolicy":
            policy = land.find(NetworkPolicy, ref.namespace, ref.name)
            chosen = policy.spec.pod_selector if policy is not None else None
            return tuple(g for g in land.groups if chosen is not None and selects(chosen, g.labels))
        case "ServiceAccount":
            return tuple(g for g in land.groups if (g.spec.service_account_name or "default") == ref.name)
        case "Service":
            found = land.find(Service, ref.namespace, ref.name)
            return land.behind(found) if found is not None else ()
        case "HorizontalPodAutoscaler":
            scaler = land.find(Autoscaler, ref.namespace, ref.name)
            return tuple(
                g for g in land.groups if scaler is not None and g.ref.name == scaler.spec.scale_target_ref.name
            )
        case "PodDisruptionBudget" | "Ingress" | "Role" | "RoleBinding":
            return ()
        case _:
            return tuple(g for g in land.groups if g.ref == ref)


def _is_on(land: Landscape, pod: Pod, name: str) -> bool:
    """Whether a pod runs on a node, or waits for a node and would fit this one but for its cordon."""
    if pod.spec.node_name:
        return pod.spec.node_name == name
    node = land.find(Node, None, name)
    scheduled = pod.condition("PodScheduled")
    if node is None or not node.spec.unschedulable or scheduled is None or scheduled.status != "False":
        return False
    return pod.spec.node_selector.items() <= node.metadata.labels.items()


def _mounting(land: Landscape, ref: ObjectRef) -> tuple[Group, ...]:
    name = ref.name
    if ref.kind == "PersistentVolume":
        bound = [c for c in land.every(Claim) if c.spec.volume_name == ref.name]
        name = bound[0].name if bound else ""
    return tuple(
        g
        for g in land.groups
        for v in g.spec.volumes
        if v.persistent_volume_claim and v.persistent_volume_claim.claim_name == name
    )


def _secrets(spec: PodSpec) -> frozenset[str]:
    found = {v.secret.secret_name for v in spec.volumes if v.secret}
    for container in (*spec.containers, *spec.init_containers):
        found |= {s.secret_ref.name for s in container.env_from if s.secret_ref}
        found |= {
            v.value_from.secret_key_ref.name for v in container.env if v.value_from and v.value_from.secret_key_ref
        }
    return frozenset({*found, *(s.name for s in spec.image_pull_secrets)})
