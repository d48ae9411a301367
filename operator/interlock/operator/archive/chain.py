"""The chain over all executions: what a row's hash covers. Changing any of this breaks every archive that there is."""

import hashlib
from dataclasses import dataclass

from interlock.crds.digest import canonical, digest
from interlock.crds.types import Digest

GENESIS: Digest = "sha256:" + "0" * 64
"""What stands in place of a predecessor of the first row."""


@dataclass(frozen=True)
class Tail:
    """The end of the chain."""

    seq: int
    hash: Digest


START = Tail(0, GENESIS)


def content_digest(content: str) -> Digest:
    """The digest of an archived object, over the very bytes that are stored."""
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def link(*, seq: int, uid: str, archived_at: str, head: Digest, content: Digest, previous: Digest) -> Digest:
    """The hash of one row: its place, whose it is, its journal's head, its content, and the row before."""
    return digest(
        {"seq": seq, "uid": uid, "archivedAt": archived_at, "head": head, "content": content, "previous": previous}
    )


def anchor_content(*, seq: int, hash_: Digest, before: str, pruned_at: str, key_id: str) -> bytes:
    """What the signature of an anchor covers."""
    return canonical(
        {"kind": "Anchor", "seq": seq, "hash": hash_, "before": before, "prunedAt": pruned_at, "keyId": key_id}
    )
