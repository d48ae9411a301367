"""Where a lab keeps what: one folder per lab, so that any number of them stand side by side."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The files of the lab in one folder."""

    directory: Path

    @property
    def state(self) -> Path:
        """What the lab is and how it does, written by its supervisor."""
        return self.directory / "lab.json"

    @property
    def plan(self) -> Path:
        """What the supervisor is to start."""
        return self.directory / "plan.json"

    @property
    def start_lock(self) -> Path:
        """Held while somebody starts or stops the lab."""
        return self.directory / "start.lock"

    @property
    def life_lock(self) -> Path:
        """Held by the supervisor as long as it lives: the one truth about whether the lab is alive."""
        return self.directory / "life.lock"

    @property
    def restart(self) -> Path:
        """Names the component that the supervisor is asked to restart; gone when that is done."""
        return self.directory / "restart"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "kubeconfig"

    def identity(self, name: str) -> Path:
        """The kubeconfig of a component or persona."""
        return self.directory / "identities" / f"{name}.kubeconfig"

    def pki(self, name: str) -> Path:
        """A key pair's path without its suffix."""
        return self.directory / "pki" / name

    def log(self, component: str) -> Path:
        """What a component printed."""
        return self.directory / "logs" / f"{component}.log"

    def config(self, name: str) -> Path:
        """A component's configuration file."""
        return self.directory / "config" / name

    def data(self, component: str) -> Path:
        """A component's database; gone when the lab is."""
        return self.directory / "data" / component

    @property
    def archives(self) -> Path:
        """Images that real nodes pull beside those of the lab's table: OCI archives."""
        return self.directory / "archives"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON document per line."""
        return self.directory / "logs" / "audit.log"

    def make_folders(self) -> None:
        """Creates the folders, readable by their owner only: they hold keys."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("identities", "pki", "logs", "config", "data", "archives"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)
