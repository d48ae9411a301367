"""The vocabulary of bounded values from which every model of the contract is made.

Whatever enters through the API server is hostile until shown otherwise, so each string has a maximum length and a
pattern without control and bidirectional characters: a name that an approver reads is the name that is meant.
The patterns are valid for pydantic and for the API server (RE2) alike, so that both refuse the same input.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

Timespec = Literal["auto", "seconds", "milliseconds", "microseconds"]

GROUP = "interlock.dev"
VERSION = "v1alpha1"
API_VERSION: Final = "interlock.dev/v1alpha1"

UNSEEN = "\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
"""Control characters, zero-width and bidirectional marks, separators, the byte order mark: inside of a regular
expression's brackets."""
_UNSEEN = "".join(c if c == "-" else f"\\x{{{ord(c):X}}}" for c in UNSEEN)
LINE_PATTERN = rf"^[^\x{{00}}-\x{{1F}}{_UNSEEN}]*$"
PROSE_PATTERN = rf"^[^\x{{00}}-\x{{08}}\x{{0B}}-\x{{1F}}{_UNSEEN}]*$"
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
DIGEST_PATTERN = r"^sha256:[a-f0-9]{64}$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=NAME_PATTERN)]
"""A DNS label (RFC 1123)."""
Subdomain = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN)]
"""A DNS subdomain (RFC 1123)."""
Digest = Annotated[str, StringConstraints(max_length=71, pattern=DIGEST_PATTERN)]
"""`sha256:` and 64 hexadecimal digits."""
Time = Annotated[str, StringConstraints(max_length=40, pattern=TIME_PATTERN)]
"""RFC 3339; written by us in UTC with milliseconds."""
Uid = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[-a-zA-Z0-9]+$")]
RunbookName = Annotated[
    str, StringConstraints(min_length=1, max_length=120, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
]
"""`<family>-<version>`."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
"""A reason or a kind in CamelCase, a parameter in lowerCamelCase."""
Path = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=LINE_PATTERN)]
"""A JSON Pointer (RFC 6901); in a runbook's allowed paths `*` is one segment and a final `**` is any number."""
Line = Annotated[str, StringConstraints(max_length=256, pattern=LINE_PATTERN)]
User = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=LINE_PATTERN)]
Message = Annotated[str, StringConstraints(max_length=1024, pattern=PROSE_PATTERN)]
Prose = Annotated[str, StringConstraints(max_length=4096, pattern=PROSE_PATTERN)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=PROSE_PATTERN)]
"""CEL; see docs/reference for the variables and functions that it sees."""


def rfc3339(at: datetime, timespec: Timespec = "milliseconds") -> Time:
    """A time in UTC as the contract writes it; it must know its time zone."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


class Model(BaseModel):
    """A frozen part of the contract: camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
