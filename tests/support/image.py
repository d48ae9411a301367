"""Images that were built without Docker: opened by their own index, unpacked, and run as a kubelet would run them."""

import gzip
import hashlib
import io
import json
import os
import shlex
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = "/var/lib/interlock"
CONFIG = "/etc/interlock"


class Opened:
    """An OCI archive, read by its own index; every blob is compared with the digest that names it."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as tar:
            self.files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        assert json.loads(self.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        (self.reference,) = json.loads(self.files["index.json"])["manifests"]
        self.manifest: dict[str, Any] = json.loads(self.blob(self.reference))
        self.config: dict[str, Any] = json.loads(self.blob(self.manifest["config"]))
        self.layers = [gzip.decompress(self.blob(one)) for one in self.manifest["layers"]]

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        """The content that a descriptor names."""
        algorithm, _, digest = descriptor["digest"].partition(":")
        content = self.files[f"blobs/{algorithm}/{digest}"]
        assert hashlib.sha256(content).hexdigest() == digest
        assert len(content) == descriptor["size"]
        return content

    @property
    def environment(self) -> dict[str, str]:
        """What the image sets."""
        return dict(entry.split("=", 1) for entry in self.config["config"]["Env"])

    def unpack(self, root: Path) -> None:
        """Lays the layers over each other."""
        for content in self.layers:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                tar.extractall(root, filter="fully_trusted")  # modes as they are; it is ours


@dataclass(frozen=True)
class Container:
    """An image's files, to be run without a container engine: read-only, and as the image's own user. Needs root."""

    image: Opened
    root: Path
    data: Path
    """Mounted at DATA, the only place beside /tmp that may be written."""
    config: Path
    """Mounted at CONFIG."""

    def command(self, *arguments: str) -> tuple[str, ...]:
        """What starts it: the process that it becomes keeps the same id."""
        run = self.image.config["config"]
        for place in (DATA, CONFIG, "/proc", "/dev", "/tmp"):
            (self.root / place.strip("/")).mkdir(parents=True, exist_ok=True)
        uid, _, gid = run["User"].partition(":")
        self.data.mkdir(exist_ok=True)
        os.chown(self.data, int(uid), int(gid))
        root = shlex.quote(str(self.root))
        mounts = [
            f"mount --bind {root} {root}",
            f"mount --rbind /dev {root}/dev",
            f"mount --rbind /proc {root}/proc",
            f"mount --bind {shlex.quote(str(self.data))} {root}{DATA}",
            f"mount --bind {shlex.quote(str(self.config))} {root}{CONFIG}",
            f"mount -o remount,bind,ro {root}{CONFIG}",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
            f"mount -o remount,bind,ro {root}",
        ]
        started = shlex.join(["chroot", f"--userspec={uid}:{gid}", str(self.root), *run["Entrypoint"], *arguments])
        return ("unshare", "--mount", "--propagation=private", "/bin/sh", "-ec", f"{'; '.join(mounts)}; exec {started}")
