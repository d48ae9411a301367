"""The part of a Pod that a kubelet acts on, as the API server sends it."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class HttpGet(_Model):
    """A probe by HTTP."""

    path: str = "/"
    port: int | str
    scheme: str = "HTTP"


class PortCheck(_Model):
    """A probe that opens a port (TCP or gRPC)."""

    port: int | str


class Probe(_Model):
    """When a probe runs and what it asks; the defaults are the API's."""

    http_get: HttpGet | None = None
    tcp_socket: PortCheck | None = None
    grpc: PortCheck | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class KeySelector(_Model):
    """One key of a Secret or ConfigMap."""

    name: str = ""
    key: str
    optional: bool = False


class ObjectSelector(_Model):
    """A whole Secret or ConfigMap."""

    name: str = ""
    optional: bool = False


class ValueFrom(_Model):
    """Where a variable's value comes from."""

    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None


class EnvVar(_Model):
    """A variable of a container."""

    name: str
    value: str = ""
    value_from: ValueFrom | None = None


class EnvFrom(_Model):
    """Variables from all keys of an object."""

    prefix: str = ""
    secret_ref: ObjectSelector | None = None
    config_map_ref: ObjectSelector | None = None


class ContainerPort(_Model):
    """A port that a container declares."""

    name: str = ""
    container_port: int


class Resources(_Model):
    """What a container may use; quantities as written."""

    limits: dict[str, str] = {}
    requests: dict[str, str] = {}


class Container(_Model):
    """A container as its pod asks for it."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    restart_policy: str | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None

    def port(self, wanted: int | str) -> int | None:
        """The number of a port given by number or name, None when no port has that name."""
        if isinstance(wanted, int):
            return wanted
        return next((port.container_port for port in self.ports if port.name == wanted), None)


class KeyToPath(_Model):
    """One key of a volume."""

    key: str


class SecretVolume(_Model):
    """A Secret mounted as files."""

    secret_name: str = ""
    optional: bool = False
    items: tuple[KeyToPath, ...] = ()


class ConfigMapVolume(_Model):
    """A ConfigMap mounted as files."""

    name: str = ""
    optional: bool = False
    items: tuple[KeyToPath, ...] = ()


class Volume(_Model):
    """A volume of a pod, as far as it can be missing."""

    name: str
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None


class PodSpec(_Model):
    """What a pod asks for."""

    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    volumes: tuple[Volume, ...] = ()
    image_pull_secrets: tuple[ObjectSelector, ...] = ()
    node_name: str = ""


class Metadata(_Model):
    """Who a pod is."""

    name: str
    namespace: str
    uid: str
    generation: int = 0
    labels: dict[str, str] = {}
    deletion_timestamp: str | None = None


class Condition(_Model):
    """A condition of a pod, whoever wrote it."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None


class PodStatus(_Model):
    """What the API server holds about a pod."""

    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()
    start_time: str | None = None
    pod_ip: str | None = Field(default=None, alias="podIP")


class Pod(_Model):
    """A pod that is bound to a node."""

    metadata: Metadata
    spec: PodSpec
    status: PodStatus = PodStatus()

    def containers(self) -> Iterator[Container]:
        """All containers, those that initialise first."""
        yield from self.spec.init_containers
        yield from self.spec.containers
