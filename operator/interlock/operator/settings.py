"""The operator's settings: this class is the only reader of its environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OperatorSettings(BaseSettings):
    """Settings, each from the environment as INTERLOCK_OPERATOR_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="INTERLOCK_OPERATOR_", extra="ignore")

    kubeconfig: Path | None = Field(default=None, description="Kubeconfig; none for the pod's own account.")
    data_dir: Path = Field(
        default=Path("interlock-operator"), description="Archive and keys, if no URL says otherwise."
    )
    archive_url: str = Field(default="", description="SQLAlchemy URL of the archive; empty for SQLite in data_dir.")
    signing_key: Path | None = Field(
        default=None, description="Ed25519 key in PEM that signs the archive's head; none: made once in data_dir."
    )
    redaction_key: Path | None = Field(
        default=None,
        description="32 random bytes under which hidden values are compared, the same for all replicas; none: made once"
        " in data_dir.",
    )
    head_seconds: float = Field(default=60, gt=0, description="How often the archive's head is signed, if it moved.")
    keep_newest: int = Field(default=50, ge=0, description="Finished executions that stay in each namespace.")
    keep_days: float = Field(default=7, ge=0, description="How long a finished execution stays at most.")
    check_seconds: float = Field(
        default=60, gt=0, description="How often it is looked at whether policies stand and agents can only ask."
    )
    sweep_seconds: float = Field(default=300, gt=0, description="How often finished executions are cleared away.")
    show_seconds: float = Field(
        default=15,
        gt=0,
        description="How often guardrails show what is used of them; the default shard's operator does.",
    )
    prometheus_url: str = Field(default="", description="Prometheus for promql checks; empty: such checks fail.")
    trust_policy: Path | None = Field(
        default=None,
        description="YAML file that says whose attestations are believed; read anew when it changes. None: nobody's.",
    )
    allow_unvetted: bool = Field(default=False, description="Run runbooks without an attestation. For labs only.")
    health_host: str = Field(default="127.0.0.1", description="Address of the health endpoint.")
    health_port: int = Field(default=8090, ge=0, le=65535, description="Port of the health endpoint; 0 for a free one.")
    identity: str = Field(default="", description="Name in the Lease; empty for host name and process.")
    shard: str = Field(
        default="",
        pattern=r"^([a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?)?$",
        description="Works in the namespaces with this label interlock.dev/shard; empty: in those without.",
    )
    lease_seconds: float = Field(
        default=30,
        gt=1,
        description="How long a silent leader keeps the Lease; at least twice the request timeout, so that no request"
        " of a leader is still under way when the next one begins.",
    )
    grace_seconds: float = Field(
        default=20, ge=0, description="How long a stop waits for work in hand to reach a durable point."
    )
    resync_seconds: float = Field(
        default=300, gt=0, description="How often a list of what is unfinished is compared with what the watch told."
    )
    workers: int = Field(default=8, ge=1, le=64, description="Executions worked on at the same time.")
    poll_seconds: float = Field(default=1, gt=0, description="How often a waiting condition is looked at again.")
    drift_seconds: float = Field(default=15, gt=0, description="How often a waiting plan is compared with the cluster.")
    request_timeout_seconds: float = Field(default=10, gt=0, description="Longest single request to the API server.")

    def archive(self) -> str:
        """The archive's SQLAlchemy URL."""
        return self.archive_url or f"sqlite:///{self.data_dir.absolute() / 'archive.db'}"
