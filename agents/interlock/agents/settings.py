"""The agents' only reader of the environment: every variable is INTERLOCK_AGENTS_ and the field's name."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from interlock.agents.llm.settings import ModelSettings

Seconds = Annotated[float, Field(gt=0, le=86400)]


class AgentSettings(BaseSettings):
    """Where the agents listen, what they read, and the bounds that they keep."""

    model_config = SettingsConfigDict(
        env_prefix="INTERLOCK_AGENTS_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    kubeconfig: Path | None = Field(default=None, description="Kubeconfig of the agents' identity; none in a cluster.")
    database_url: str = Field(default="sqlite:///interlock-agents.db", description="SQLAlchemy URL of the store.")
    host: str = Field(default="127.0.0.1", description="Address that the webhook listens on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=9130, description="Port; 0 for any free one.")
    token_file: Path = Field(
        default=Path("/var/run/secrets/interlock/webhook-token"),
        description="Bearer token that Alertmanager must present; read again when it changes.",
    )
    rules_file: Path | None = Field(
        default=None, description="Rules about alerts, YAML; read again when they change; none for no rules."
    )
    tls_cert_file: Path | None = Field(
        default=None, description="Certificate of the webhook, PEM; none for plain HTTP. Read again when it changes."
    )
    tls_key_file: Path | None = Field(default=None, description="Its key; none where the certificate's file has it.")
    tls_client_ca_file: Path | None = Field(
        default=None, description="Authorities of clients' certificates: then a delivery needs one beside the token."
    )
    health_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None, description="Port of /livez and /readyz alone, plain HTTP; none for the webhook's."
    )
    inbox_limit: Annotated[int, Field(ge=1024)] = Field(
        default=32 * 1024 * 1024,
        description="Bytes of deliveries under way at the same time; beyond it senders are told to try again.",
    )
    flap_window: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=600.0, description="Seconds within which an alert that comes back reopens no work."
    )
    body_limit: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = Field(
        default=8 * 1024 * 1024, description="Largest webhook body, bytes; a storm of 5,000 alerts fits."
    )
    prometheus_url: str | None = Field(default=None, description="Prometheus asked for evidence; none to go without.")
    namespaces: tuple[str, ...] = Field(
        default=(), description="Namespaces to act in; empty for all that opted in by their label."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.75, description="Confidence below which a person is asked instead of a cure proposed."
    )
    call_timeout: Seconds = Field(default=10.0, description="Seconds that one call to the API server may take.")
    query_timeout: Annotated[int, Field(ge=1, le=300)] = Field(
        default=5, description="Seconds that one Prometheus query may take."
    )
    look_timeout: Seconds = Field(default=60.0, description="Seconds that collecting one incident's evidence may take.")
    look_calls: Annotated[int, Field(ge=10, le=10_000)] = Field(
        default=100, description="Calls to the API server that collecting one incident's evidence may make."
    )
    look_again_after: Seconds = Field(default=5.0, description="Seconds until an inconclusive look is repeated.")
    patience: Seconds = Field(
        default=30.0, description="Seconds of inconclusive looks, from the first, until a person is asked."
    )
    watch_for: Seconds = Field(
        default=300.0, description="Seconds that alerts may keep firing after a cure until a person is asked."
    )
    parallel: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="Incidents that one process works on at the same time."
    )
    lease: Seconds = Field(
        default=15.0, description="Seconds of silence after which another process takes over an incident."
    )
    poll: Seconds = Field(default=1.0, description="Seconds between looks at executions that have not ended.")
    retry_after: Seconds = Field(default=2.0, description="Seconds until work is retried that the cluster interrupted.")
    llm: ModelSettings = Field(
        default=ModelSettings(), description="The model that is asked where rules end: LLM__PROVIDER, LLM__NAME, …"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError("tls_client_ca_file needs tls_cert_file: without TLS no client shows a certificate")
        if self.inbox_limit < self.body_limit:
            raise ValueError("inbox_limit is smaller than body_limit: the largest delivery would never be taken")
        return self
