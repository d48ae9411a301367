"""Services, endpoints, policies and routes, typed as far as analyzers judge by them."""

from typing import Any

from pydantic import Field, JsonValue

from interlock.agents.analyzers.objects import Part, Resource
from interlock.agents.analyzers.workloads import LabelSelector


class ServicePort(Part):
    """A port of a Service."""

    name: str = ""
    port: int = 0
    target_port: int | str | None = None
    protocol: str = "TCP"
    node_port: int = 0
    app_protocol: str = ""

    @property
    def target(self) -> int | str:
        """The port of the pods; by default the Service's own."""
        return self.target_port or self.port


class ServiceSpec(Part):
    """What a Service sends where."""

    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = Field(default="", alias="clusterIP")
    external_name: str = ""
    session_affinity: str = "None"
    publish_not_ready_addresses: bool = False


class Service(Resource):
    """A Service."""

    kind = "Service"
    plural = "services"

    spec: ServiceSpec = ServiceSpec()


class EndpointAddress(Part):
    """An address behind a Service."""

    ip: str = ""
    target_ref: dict[str, Any] = {}


class EndpointPort(Part):
    """A port behind a Service."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"


class Subset(Part):
    """Addresses with the same ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Resource):
    """The addresses behind the Service of the same name."""

    kind = "Endpoints"
    plural = "endpoints"

    subsets: tuple[Subset, ...] = ()


class Readiness(Part):
    """Whether an endpoint takes traffic."""

    ready: bool = True


class SliceEndpoint(Part):
    """One pod behind a Service."""

    addresses: tuple[str, ...] = ()
    conditions: Readiness = Readiness()
    target_ref: dict[str, Any] = {}


class EndpointSlice(Resource):
    """A part of the addresses behind a Service."""

    kind = "EndpointSlice"
    plural = "endpointslices"

    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class PolicyPort(Part):
    """A port that a policy lets through."""

    port: int | str | None = None
    end_port: int | None = None
    protocol: str = "TCP"


class IpBlock(Part):
    """A range of addresses."""

    cidr: str = ""
    excluded: tuple[str, ...] = Field(default=(), alias="except")


class Peer(Part):
    """Whom a policy lets through."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class IngressRule(Part):
    """One rule of a policy: who may come in."""

    peers: tuple[Peer, ...] = Field(default=(), alias="from")
    ports: tuple[PolicyPort, ...] = ()


class EgressRule(Part):
    """One rule of a policy: where to one may go."""

    peers: tuple[Peer, ...] = Field(default=(), alias="to")
    ports: tuple[PolicyPort, ...] = ()


class PolicySpec(Part):
    """What a policy says."""

    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[IngressRule, ...] | None = None
    egress: tuple[EgressRule, ...] | None = None


class NetworkPolicy(Resource):
    """A NetworkPolicy."""

    kind = "NetworkPolicy"
    plural = "networkpolicies"

    spec: PolicySpec = PolicySpec()

    @property
    def types(self) -> tuple[str, ...]:
        """Directions that it restricts; by default Ingress, and Egress where it has rules for it."""
        return self.spec.policy_types or (("Ingress", "Egress") if self.spec.egress is not None else ("Ingress",))


class IngressBackend(Part):
    """Where a route ends."""

    service: dict[str, JsonValue] = {}


class IngressPath(Part):
    """A route."""

    path: str = "/"
    backend: IngressBackend = IngressBackend()


class IngressRules(Part):
    """The routes of a host."""

    host: str = ""
    http: dict[str, JsonValue] = {}


class IngressTls(Part):
    """The certificate of some hosts."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class RouteSpec(Part):
    """What an Ingress routes."""

    ingress_class_name: str | None = None
    rules: tuple[IngressRules, ...] = ()
    tls: tuple[IngressTls, ...] = ()
    default_backend: IngressBackend | None = None


class Route(Resource):
    """An Ingress."""

    kind = "Ingress"
    plural = "ingresses"

    spec: RouteSpec = RouteSpec()


class IngressClass(Resource):
    """An IngressClass."""

    kind = "IngressClass"
    plural = "ingressclasses"
    namespaced = False
