"""What the programs in images do: a table on this machine, because in the cluster anybody could read the answer.

A repository that the table knows has exactly the tags that the table knows. Hosts under `.invalid` do not resolve.
Any other image runs a well-behaved program that listens where its container says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text: str | int) -> int:
    """Bytes of a Kubernetes quantity such as 180Mi; raises ValueError for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi|)", str(text))
    if not found:
        raise ValueError(f"{text!r} is no quantity of bytes: write 180Mi, 1Gi or 200000")
    return int(float(found.group(1)) * _SUFFIXES[found.group(2)])


def seconds(text: str | float) -> float:
    """Seconds of a duration such as 1.5s; raises ValueError for what is none."""
    return float(str(text).removesuffix("s"))


def millicores(text: str | float) -> int:
    """Thousandths of a processor of a quantity such as 250m or 1.5; raises ValueError for what is none."""
    amount = str(text)
    return int(amount.removesuffix("m")) if amount.endswith("m") else round(float(amount) * 1000)


Bytes = Annotated[int, BeforeValidator(quantity)]
Millicores = Annotated[int, BeforeValidator(millicores)]
Seconds = Annotated[float, BeforeValidator(seconds)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(_Model):
    """An HTTP path that the program answers, on any of its ports unless one is named."""

    path: str
    port: int | None = None
    status: int = 200


class Crash(_Model):
    """The program ends by itself with an error."""

    exit_code: int = 1
    after: Seconds = 1.0
    log: tuple[str, ...] = ()


class Requirement(_Model):
    """What the program says, before it ends with exit code 1, when a variable is unset or empty."""

    log: tuple[str, ...] = ()


class Chatter(_Model):
    """Lines that the program writes in turn while it runs."""

    every: Seconds = 5.0
    lines: tuple[str, ...] = ()


class Image(_Model):
    """How the program in an image behaves."""

    listens: tuple[int, ...] | None = None
    """Ports; None means whatever its container declares."""
    endpoints: tuple[Endpoint, ...] | None = None
    """HTTP paths; None means that every path answers 200."""
    starts_in: Seconds = 0.3
    """Time until it listens."""
    working_set: Bytes = 0
    """Memory that it needs, bytes."""
    grows: Bytes = 0
    """Memory that it takes and never gives back, bytes per second."""
    cpu: Millicores = 0
    """Processor time that it needs; with a limit below, it starts and answers as much more slowly."""
    load: Millicores = 0
    """Processor time that the callers of all its pods ask for together; ready pods share it."""
    answers_in: Seconds = 0.05
    """Time until it answers over HTTP."""
    private: bool = False
    """Is pulled only with one of the pod's pull secrets."""
    keeps_settings: bool = False
    """Reads what its variables refer to when it starts, and fails its probes once that has changed."""
    calls: tuple[str, ...] = ()
    """Services of its namespace, `name:port`, without which it is not ready."""
    requires: dict[str, Requirement] = {}
    log: tuple[str, ...] = ()
    chatter: Chatter = Chatter()
    crash: Crash | None = None
    completes: Seconds | None = None
    """Ends by itself with exit code 0 after this time."""


@dataclass(frozen=True)
class PullFailure:
    """Why the container runtime cannot pull an image, in its words."""

    message: str


GENERIC = Image()
_Table = TypeAdapter(dict[str, dict[str, Image]])


class ImageTable:
    """Answers what is in an image reference."""

    def __init__(self, repositories: Mapping[str, Mapping[str, Image]]) -> None:
        self._repositories = repositories

    @classmethod
    def load(cls, extra: Path | None = None) -> "ImageTable":
        """The table of this package, with a user's file over it."""
        texts = [files("interlock.lab").joinpath("images.yaml").read_text()]
        if extra is not None and extra.exists():
            texts.append(extra.read_text())
        merged: dict[str, dict[str, Image]] = {}
        for text in texts:
            document = {key: value for key, value in yaml.safe_load(text).items() if not key.startswith("x-")}
            for repository, tags in _Table.validate_python(document).items():
                merged.setdefault(repository, {}).update(tags)
        return cls(merged)

    def find(self, reference: str) -> Image | PullFailure:
        """The program of an image, or why it cannot be pulled."""
        repository, tag = split_reference(reference)
        host = repository.partition("/")[0]
        if host.partition(":")[0].endswith(".invalid"):
            return PullFailure(_no_such_host(repository, tag, host))
        tags = self._repositories.get(repository)
        if tags is None:
            return GENERIC
        return tags.get(tag) or PullFailure(_not_found(f"{repository}:{tag}"))


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest), completed as the container runtime does: docker.io, library, latest."""
    name, separator, tag = reference.partition("@")
    if not separator:
        found = re.fullmatch(r"(.+?)(?::([^:/]+))?", reference)
        name, tag = (found.group(1), found.group(2) or "latest") if found else (reference, "latest")
    host, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in host and ":" not in host and host != "localhost":
        name = f"docker.io/{name}"
    return name, tag


def _not_found(full: str) -> str:
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": '
        f'failed to resolve reference "{full}": {full}: not found'
    )


def unauthorized(reference: str) -> PullFailure:
    """What the container runtime says of an image that it may not pull."""
    repository, tag = split_reference(reference)
    full, (host, _, path) = f"{repository}:{tag}", repository.partition("/")
    return PullFailure(
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{full}": '
        f'failed to resolve reference "{full}": unexpected status from HEAD request to '
        f"https://{host}/v2/{path}/manifests/{tag}: 401 Unauthorized"
    )


def _no_such_host(repository: str, tag: str, host: str) -> str:
    full, path = f"{repository}:{tag}", repository.partition("/")[2]
    return (
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{full}": '
        f'failed to resolve reference "{full}": failed to do request: Head "https://{host}/v2/{path}/manifests/{tag}": '
        f"dial tcp: lookup {host} on 10.96.0.10:53: no such host"
    )
