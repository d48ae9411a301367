"""The parts of Kubernetes objects that analyzers judge by, typed; everything else is ignored."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from interlock.agents.model import ObjectRef

PARTIAL = "snapshot/partial"
LONG_RUN_SECONDS = 600
"""A program that ran so long works in principle."""


class Part(BaseModel):
    """A part of an object as the API server writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: object) -> object:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class Owner(Part):
    """Who an object belongs to."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class Metadata(Part):
    """Who an object is."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    owner_references: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether only a part of the object was seen: what is missing in it is unknown, not absent."""
        return PARTIAL in self.annotations


class Resource(Part):
    """An object of the API server."""

    kind: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    namespaced: ClassVar[bool] = True

    metadata: Metadata

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @cached_property
    def ref(self) -> ObjectRef:
        """Its name in the words of findings."""
        namespace = self.metadata.namespace if self.namespaced else None
        return ObjectRef(kind=self.kind, namespace=namespace, name=self.metadata.name)


class Port(Part):
    """A port that a container declares."""

    container_port: int
    host_port: int = 0
    name: str = ""
    protocol: str = "TCP"


class Address(Part):
    """Where a probe goes."""

    port: int | str
    path: str = "/"
    scheme: str = "HTTP"


class Probe(Part):
    """How a container is probed."""

    http_get: Address | None = None
    tcp_socket: Address | None = None
    grpc: Address | None = None
    command: JsonValue = Field(default=None, alias="exec")
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3

    @property
    def address(self) -> Address | None:
        """What is probed over the network, if anything is."""
        return self.http_get or self.tcp_socket or self.grpc


class KeyRef(Part):
    """A reference to a Secret or ConfigMap, or to one key of it."""

    name: str = ""
    key: str = ""
    optional: bool = False


class ValueFrom(Part):
    """Where a variable's value comes from."""

    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None
    field_ref: JsonValue = None


class Variable(Part):
    """An environment variable."""

    name: str
    value: str = ""
    value_from: ValueFrom | None = None


class EnvSource(Part):
    """An object all of whose keys become variables."""

    config_map_ref: KeyRef | None = None
    secret_ref: KeyRef | None = None


class Resources(Part):
    """What a container may use, as quantities."""

    limits: dict[str, str | int | float] = {}
    requests: dict[str, str | int | float] = {}


class Mount(Part):
    """Where a container sees a volume."""

    name: str
    mount_path: str = ""
    read_only: bool = False


class Container(Part):
    """A container as it is asked for."""

    name: str
    image: str = ""
    image_pull_policy: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    env: tuple[Variable, ...] = ()
    env_from: tuple[EnvSource, ...] = ()
    resources: Resources = Resources()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""
    volume_mounts: tuple[Mount, ...] = ()
    security_context: dict[str, JsonValue] = {}

    @property
    def probes(self) -> tuple[tuple[str, Probe], ...]:
        """Its probes, by name."""
        named = (
            ("liveness", self.liveness_probe),
            ("readiness", self.readiness_probe),
            ("startup", self.startup_probe),
        )
        return tuple((name, probe) for name, probe in named if probe is not None)

    def number(self, port: int | str) -> int | None:
        """The number of a port given by number or name; None when no declared port has the name."""
        if isinstance(port, int) or port.isdigit():
            return int(port)
        return next((p.container_port for p in self.ports if p.name == port), None)


class SecretVolume(Part):
    """A Secret mounted as files."""

    secret_name: str = ""
    optional: bool = False


class ConfigMapVolume(Part):
    """A ConfigMap mounted as files."""

    name: str = ""
    optional: bool = False


class ClaimVolume(Part):
    """A claim mounted."""

    claim_name: str = ""
    read_only: bool = False


class Volume(Part):
    """A volume of a pod."""

    name: str
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    host_path: JsonValue = None


class Toleration(Part):
    """A taint that a pod puts up with."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class DnsConfig(Part):
    """A resolver of a pod's own."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[dict[str, str], ...] = ()


class PodSpec(Part):
    """What a pod asks for."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    node_selector: dict[str, str] = {}
    service_account_name: str = ""
    affinity: dict[str, JsonValue] = {}
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[dict[str, JsonValue], ...] = ()
    scheduler_name: str = "default-scheduler"
    priority_class_name: str = ""
    image_pull_secrets: tuple[KeyRef, ...] = ()
    dns_policy: str = ""
    dns_config: DnsConfig | None = None
    host_network: bool = False
    host_aliases: tuple[dict[str, JsonValue], ...] = ()
    restart_policy: str = "Always"
    security_context: dict[str, JsonValue] = {}

    def container(self, name: str) -> Container | None:
        """The container of this name."""
        return next((c for c in (*self.init_containers, *self.containers) if c.name == name), None)


class Waiting(Part):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class Running(Part):
    """Since when it runs."""

    started_at: datetime | None = None


class Terminated(Part):
    """How a run ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """How long the run lasted."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class State(Part):
    """What a container does."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part):
    """What a container does and did."""

    name: str
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    state: State = State()
    last_state: State = State()

    @property
    def ended(self) -> Terminated | None:
        """The last run that ended."""
        return self.state.terminated or self.last_state.terminated

    @property
    def fails_again(self) -> bool:
        """Whether it ended badly more than once, or after short runs in order, as a server that is told to."""
        past, often = self.last_state.terminated, self.restart_count > 1
        return past is not None and often and (past.exit_code != 0 or (past.seconds or 0) < LONG_RUN_SECONDS)

    @property
    def waiting(self) -> Waiting:
        """Why it waits; empty when it does not."""
        return self.state.waiting or Waiting()


class Condition(Part):
    """One aspect of an object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


def condition_of(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of this type; None where it is not said."""
    return next((condition for condition in conditions if condition.type == kind), None)


class PodStatus(Part):
    """How a pod is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = Field(default="", alias="podIP")
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Resource):
    """A pod."""

    kind = "Pod"
    plural = "pods"

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def hash(self) -> str:
        """Which pod template it was made from."""
        labels = self.metadata.labels
        return labels.get("pod-template-hash") or labels.get("controller-revision-hash", "")

    @property
    def leaving(self) -> bool:
        """Whether it is being deleted or has completed."""
        return self.metadata.deletion_timestamp is not None or self.status.phase == "Succeeded"

    @cached_property
    def ready(self) -> bool:
        """Whether it takes traffic."""
        said = self.condition("Ready")
        if said is not None:
            return said.status == "True"
        if self.status.container_statuses:
            return all(status.ready for status in self.status.container_statuses)
        return self.metadata.partial and self.status.phase in ("", "Running")

    def statuses(self) -> Iterator[ContainerStatus]:
        """The states of all its containers, those that initialise first."""
        yield from self.status.init_container_statuses
        yield from self.status.container_statuses

    def condition(self, kind: str) -> Condition | None:
        """The condition of this type."""
        return condition_of(self.status.conditions, kind)
