"""The lab's only reader of the environment: where things are kept outside the repository."""

from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Kubernetes = Literal["1.36", "1.32"]
"""The minor releases that a lab may have, the newest first."""
NEWEST_KUBERNETES: Final[Kubernetes] = get_args(Kubernetes)[0]
OLDEST_KUBERNETES: Final[Kubernetes] = get_args(Kubernetes)[-1]


class LabSettings(BaseSettings):
    """Where the lab keeps compiled tools and its state."""

    model_config = SettingsConfigDict(extra="ignore")

    interlock_cache: Path | None = Field(default=None, description="Folder for compiled tools, shared by all labs.")
    xdg_cache_home: Path | None = Field(default=None, description="Parent of the cache when INTERLOCK_CACHE is unset.")
    xdg_state_home: Path | None = Field(default=None, description="Parent of the default lab's folder.")
    interlock_lab_kubernetes: Kubernetes = Field(
        default=NEWEST_KUBERNETES, description="The Kubernetes of labs for which none is named."
    )
    path: str = Field(default="", description="Where `go` and `kubectl` are looked for.")

    @property
    def cache(self) -> Path:
        """Folder of everything that can be made again."""
        return self.interlock_cache or (self.xdg_cache_home or Path.home() / ".cache") / "interlock"

    @property
    def default_directory(self) -> Path:
        """Folder of the lab that commands mean when none is named."""
        return (self.xdg_state_home or Path.home() / ".local/state") / "interlock" / "lab"
