"""Quotas, volumes, nodes, autoscalers and the like, typed as far as analyzers judge by them."""

from datetime import datetime

from pydantic import JsonValue

from interlock.agents.analyzers.objects import Condition, KeyRef, Part, Resource, condition_of
from interlock.agents.analyzers.workloads import LabelSelector


class QuotaStatus(Part):
    """What a quota allows and what of it is used, as quantities."""

    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class Quota(Resource):
    """A ResourceQuota."""

    kind = "ResourceQuota"
    plural = "resourcequotas"

    status: QuotaStatus = QuotaStatus()


class ClaimSpec(Part):
    """What a claim asks for."""

    access_modes: tuple[str, ...] = ()
    storage_class_name: str | None = None
    volume_name: str = ""
    resources: dict[str, dict[str, str]] = {}
    selector: LabelSelector | None = None

    @property
    def requested(self) -> str:
        """The asked capacity."""
        return self.resources.get("requests", {}).get("storage", "")


class Phase(Part):
    """How an object is, in one word."""

    phase: str = ""
    capacity: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()


class Claim(Resource):
    """A PersistentVolumeClaim."""

    kind = "PersistentVolumeClaim"
    plural = "persistentvolumeclaims"

    spec: ClaimSpec = ClaimSpec()
    status: Phase = Phase()


class ClaimRef(Part):
    """The claim that a volume belongs to."""

    namespace: str = ""
    name: str = ""


class VolumeSpec(Part):
    """What a volume is."""

    access_modes: tuple[str, ...] = ()
    capacity: dict[str, str] = {}
    storage_class_name: str = ""
    claim_ref: ClaimRef | None = None
    node_affinity: dict[str, JsonValue] = {}
    persistent_volume_reclaim_policy: str = ""


class PersistentVolume(Resource):
    """A PersistentVolume."""

    kind = "PersistentVolume"
    plural = "persistentvolumes"
    namespaced = False

    spec: VolumeSpec = VolumeSpec()
    status: Phase = Phase()


class StorageClass(Resource):
    """A StorageClass."""

    kind = "StorageClass"
    plural = "storageclasses"
    namespaced = False

    provisioner: str = ""
    volume_binding_mode: str = "Immediate"

    @property
    def is_default(self) -> bool:
        """Whether claims that name no class get this one."""
        return self.metadata.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"


class Taint(Part):
    """What keeps pods off a node."""

    key: str = ""
    value: str = ""
    effect: str = ""
    time_added: datetime | None = None


class NodeSpec(Part):
    """What a node takes."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(Part):
    """How a node is."""

    allocatable: dict[str, str] = {}
    capacity: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()


class Node(Resource):
    """A Node."""

    kind = "Node"
    plural = "nodes"
    namespaced = False

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    def condition(self, kind: str) -> Condition | None:
        """The condition of this type."""
        return condition_of(self.status.conditions, kind)

    @property
    def ready(self) -> bool:
        """Whether its kubelet says that it is well; a node without conditions is taken for well."""
        ready = self.condition("Ready")
        return ready is None or ready.status == "True"


class ScaleTarget(Part):
    """What is scaled."""

    kind: str = ""
    name: str = ""


class AutoscalerSpec(Part):
    """Between what, by what."""

    scale_target_ref: ScaleTarget = ScaleTarget()
    min_replicas: int = 1
    max_replicas: int = 0
    metrics: tuple[dict[str, JsonValue], ...] = ()


class AutoscalerStatus(Part):
    """What it makes of it."""

    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: tuple[dict[str, JsonValue], ...] = ()
    conditions: tuple[Condition, ...] = ()


class Autoscaler(Resource):
    """A HorizontalPodAutoscaler."""

    kind = "HorizontalPodAutoscaler"
    plural = "horizontalpodautoscalers"

    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class BudgetSpec(Part):
    """How many pods must stay."""

    selector: LabelSelector = LabelSelector()
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class BudgetStatus(Part):
    """How many may go now."""

    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class Budget(Resource):
    """A PodDisruptionBudget."""

    kind = "PodDisruptionBudget"
    plural = "poddisruptionbudgets"

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class ConfigMap(Resource):
    """A ConfigMap."""

    kind = "ConfigMap"
    plural = "configmaps"

    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}

    @property
    def keys(self) -> frozenset[str]:
        """The names of its keys."""
        return frozenset((*self.data, *self.binary_data))


class Secret(ConfigMap):
    """A Secret: its key names, never a value."""

    kind = "Secret"
    plural = "secrets"

    type: str = ""
    string_data: dict[str, str] = {}

    @property
    def keys(self) -> frozenset[str]:
        """The names of its keys."""
        return frozenset((*self.data, *self.string_data))


class ServiceAccount(Resource):
    """A ServiceAccount."""

    kind = "ServiceAccount"
    plural = "serviceaccounts"

    image_pull_secrets: tuple[KeyRef, ...] = ()


class Namespace(Resource):
    """A Namespace."""

    kind = "Namespace"
    plural = "namespaces"
    namespaced = False

    status: Phase = Phase()


class LimitRangeSpec(Part):
    """Bounds for each kind of thing."""

    limits: tuple[dict[str, JsonValue], ...] = ()


class LimitRange(Resource):
    """A LimitRange."""

    kind = "LimitRange"
    plural = "limitranges"

    spec: LimitRangeSpec = LimitRangeSpec()


class LeaseSpec(Part):
    """Who leads, and when he last said so."""

    holder_identity: str = ""
    renew_time: datetime | None = None
    lease_duration_seconds: int = 15


class Lease(Resource):
    """A Lease."""

    kind = "Lease"
    plural = "leases"

    spec: LeaseSpec = LeaseSpec()


class Subject(Part):
    """Who is granted something."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class RoleBinding(Resource):
    """A RoleBinding."""

    kind = "RoleBinding"
    plural = "rolebindings"

    subjects: tuple[Subject, ...] = ()
    role_ref: Subject = Subject()


class Role(Resource):
    """A Role."""

    kind = "Role"
    plural = "roles"

    rules: tuple[dict[str, JsonValue], ...] = ()


class ApiServiceStatus(Part):
    """Whether it is served."""

    conditions: tuple[Condition, ...] = ()


class ApiService(Resource):
    """An APIService."""

    kind = "APIService"
    plural = "apiservices"
    namespaced = False

    status: ApiServiceStatus = ApiServiceStatus()
