"""A workload is told otherwise than its siblings, or still holds what is no longer true.

Only where it hurts: workloads may well be told different things, and Secrets are renewed every day.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Secret
from interlock.agents.analyzers.wide.landscape import Call, Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef, moment

_REFUSED = re.compile(
    r"(?i)password authentication failed|access denied|auth\w* fail|WRONGPASS|NOAUTH"
    r"|invalid (?:password|credential|api key|token)|unauthori[sz]ed|\b401\b|login failed"
    r"|signature (?:is )?(?:invalid|mismatch)"
)
_FEWEST = 3


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about odd addresses, and about Secrets that changed under running pods."""
    yield from _odd_addresses(land)
    for group in land.groups:
        yield from _outdated(land, group)


def _odd_addresses(land: Landscape) -> Iterator[Finding]:
    told: dict[tuple[str | None, str], dict[ObjectRef, Call]] = {}
    for call in land.calls:
        if call.address.setting.place == "env":
            told.setdefault((call.caller.ref.namespace, call.address.setting.name), {})[call.caller.ref] = call
    for (_, name), calls in told.items():
        hosts = Counter((c.address.host, c.address.port) for c in calls.values())
        (usual, count), *others = hosts.most_common()
        if len(calls) < _FEWEST or len(others) != 1 or count != len(calls) - 1:
            continue
        odd = next(c for c in calls.values() if (c.address.host, c.address.port) == others[0][0])
        said = _said(land, odd)
        if said or not odd.caller.whole:
            yield Finding(
                cause="workload.env.address-wrong",
                object=odd.caller.ref,
                confidence=0.8 if said else 0.6,
                summary=f"{odd.caller.ref} is told {name}={odd.address.host}, {count} others {usual[0]}.",
                quotes=(*land.quote(odd.caller.ref, f"{name}: {odd.address.setting.value}"), *said),
            )


def _said(land: Landscape, call: Call) -> tuple[Quote, ...]:
    named = [x for x in land.lines_of.get(call.caller.ref, ()) if call.address.host in x.text]
    return tuple(Quote(id=x.where, excerpt=x.text[:300]) for x in named[:2])


def _outdated(land: Landscape, group: Group) -> Iterator[Finding]:
    said = [x for x in land.lines_of.get(group.ref, ()) if _REFUSED.search(x.text)]
    started = [pod.status.start_time for pod in group.pods if pod.status.start_time is not None]
    if not said or not started:
        return
    often = not group.whole or sum(line.count for line in said) >= _FEWEST  # once is a user who mistypes
    for name in _secrets(group):
        changed = _changed(land, group.ref.namespace or "", name)
        if changed is None or changed <= max(started):
            continue
        secret = Secret.model_validate({"metadata": {"name": name, "namespace": group.ref.namespace or ""}}).ref
        yield Finding(
            cause="workload.secret.rotated-not-reloaded",
            object=group.ref,
            confidence=0.88 if often else 0.5,
            summary=f"{secret} changed after the pods of {group.ref} had read it, and they are refused.",
            quotes=(
                *land.quote(secret, f"changed at {changed.isoformat()}, pods began at {max(started).isoformat()}"),
                *(Quote(id=x.where, excerpt=x.text[:300]) for x in said[:2]),
            ),
        )


def _secrets(group: Group) -> list[str]:
    """The Secrets that are read once, as variables."""
    found = {s.secret_ref.name for c in group.spec.containers for s in c.env_from if s.secret_ref}
    for container in group.spec.containers:
        sources = [v.value_from.secret_key_ref for v in container.env if v.value_from]
        found |= {source.name for source in sources if source is not None}
    return sorted(found)


def _changed(land: Landscape, namespace: str, name: str) -> datetime | None:
    """When a Secret was last written, as far as it is known."""
    body = land.raw(Secret, namespace, name)
    metadata = body["metadata"] if body is not None else {}
    times = [metadata.get("creationTimestamp"), *(m.get("time") for m in records(metadata.get("managedFields")))]
    for change in records(land.source.document("changes")):
        about = str(change.get("object"))
        if "secret" in about.lower() and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", about):
            times.append(change.get("at"))
    return max((t for text in times if (t := moment(text)) is not None), default=None)
