"""What every namespace stands on: name service, scheduler, controllers, webhooks, aggregated APIs.

Its parts rarely say themselves that they are down; what they no longer do says it.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import ApiService, ConfigMap, Lease, Node
from interlock.agents.analyzers.networking import Endpoints, NetworkPolicy, Service
from interlock.agents.analyzers.wide.landscape import Landscape, says
from interlock.agents.analyzers.wide.limits import refusals
from interlock.agents.analyzers.workloads import Deployment
from interlock.agents.analyzers.world import SYSTEM, Group
from interlock.agents.model import ObjectRef

_UNRESOLVED = re.compile(
    r"(?i)no such host|name resolution|server misbehaving|ENOTFOUND|EAI_AGAIN|name or service not known|could not resolve"
    r"|lookup \S+ on \S+: (?:read|write|dial)"
)
_WEBHOOK = re.compile(r'failed calling webhook "(?P<name>[^"]+)"(?P<rest>.*)', re.S)
_SLOW = re.compile(r"context deadline exceeded|timeout", re.I)
_COREFILE_REFUSED = re.compile(r"Corefile:\d+ - Error|Error during parsing|Loop \(.*\) detected for zone|^plugin/\w+: ")
_URL = re.compile(r"https?://\S+")  # names its time-out whether or not it ran out
_ASKED = re.compile(r"https://(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc\b")
PATIENCE_SECONDS = 45
STALE_SECONDS = 60
LONG_STALE_SECONDS = 600
_LEADERS = {
    "kube-scheduler": "control-plane.scheduler.down",
    "kube-controller-manager": "control-plane.controller-manager.down",
}


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each part of the control plane."""
    yield from _name_service(land)
    yield from _leaders(land)
    yield from _scheduler(land)
    yield from _controllers(land)
    yield from _webhooks(land)
    yield from _apis(land)
    yield from _system_workloads(land)


def _name_service(land: Landscape) -> Iterator[Finding]:
    groups = [g for g in land.groups_of(SYSTEM) if "dns" in g.ref.name and "autoscaler" not in g.ref.name]
    unresolved = tuple(
        Quote(id=line.where, excerpt=line.text[:300]) for line in land.lines if _UNRESOLVED.search(line.text)
    )
    for group in groups:
        refused = _refused_corefile(land, group)
        if refused is not None:
            yield refused
        elif group.ready == 0:
            how = "is scaled to zero" if group.wanted == 0 else "has no ready pod"
            sure = 0.95 if unresolved or land.hurt else 0.85
            yield _finding(land, group, "control-plane.coredns.down", sure, how, unresolved[:2])
    for name in ("kube-dns", "coredns"):
        found = land.find(Endpoints, SYSTEM, name)
        if found is not None and not any(s.addresses for s in found.subsets) and not any(g.ready == 0 for g in groups):
            yield Finding(
                cause="control-plane.coredns.down",
                object=ObjectRef(kind="Service", namespace=SYSTEM, name=name),
                confidence=0.85,
                summary=f"Service {SYSTEM}/{name} has no endpoint: no name is resolved.",
                quotes=(*land.quote(found, "no addresses"), *unresolved[:2]),
            )
    if not groups:
        yield from _unanswered(land)
    settings = land.find(ConfigMap, SYSTEM, "coredns")
    if settings is not None and not settings.metadata.partial:
        yield from _corefile(land, settings, unresolved)


def _unanswered(land: Landscape) -> Iterator[Finding]:
    """Several workloads cannot resolve names that Services have: what they all ask does not answer."""
    told: dict[ObjectRef, Quote] = {}
    names = [service.name for service in land.every(Service)]
    for line in land.lines:
        if line.group is not None and _UNRESOLVED.search(line.text) and any(says(line.text, name) for name in names):
            told.setdefault(line.group.ref, Quote(id=line.where, excerpt=line.text[:300]))
    if len(told) > 1 and not any(land.every(NetworkPolicy)):
        yield Finding(
            cause="control-plane.coredns.down",
            object=ObjectRef(kind="Deployment", namespace=SYSTEM, name="coredns"),
            confidence=0.66,
            summary=f"{len(told)} workloads cannot resolve names of Services that exist; the name service was not seen.",
            quotes=tuple(told.values())[:4],
        )


def _refused_corefile(land: Landscape, group: Group) -> Finding | None:
    """What the name service says of its own configuration before it ends."""
    told = (
        Quote(id=log.where, excerpt=line.strip()[:300])
        for pod in group.pods
        if not pod.ready
        for log in land.logs(pod)
        for line in log.text.splitlines()
        if _COREFILE_REFUSED.search(line)
    )
    said = next(told, None)
    if said is None:
        return None
    return Finding(
        cause="control-plane.coredns.misconfigured",
        object=ObjectRef(kind="ConfigMap", namespace=SYSTEM, name="coredns"),
        confidence=0.96 if group.ready == 0 else 0.75,
        summary=f"The name service does not start with its configuration: {said.excerpt[:200]}",
        quotes=(said, *land.quote(group.ref, f"{group.ready} of {group.wanted} pods ready")),
    )


def _corefile(land: Landscape, settings: ConfigMap, unresolved: tuple[Quote, ...]) -> Iterator[Finding]:
    text = settings.data.get("Corefile", "")
    problem = next((why for why in _corefile_problems(text)), None)
    if problem is not None:
        yield Finding(
            cause="control-plane.coredns.misconfigured",
            object=settings.ref,
            confidence=0.94 if unresolved else 0.6 if land.hurt else 0.45,
            summary=f"The name service is misconfigured: {problem}.",
            quotes=(*land.quote(settings, f"Corefile: {problem}"), *unresolved[:2]),
        )


def _corefile_problems(text: str) -> Iterator[str]:
    body = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    if not body.strip():
        return
    if "kubernetes" not in body:
        yield "it does not serve the names of the cluster (no plugin kubernetes)"
    elif not re.search(r"kubernetes\s+[^\n{]*cluster\.local", body) and re.search(r"kubernetes\s+[a-z]", body):
        yield "it serves another domain than cluster.local"
    for answer in re.finditer(r"(?s)template\s+\S+\s+\S+\s*(\S*)\s*\{[^}]*rcode\s+(NXDOMAIN|SERVFAIL|REFUSED)", body):
        yield f"a template answers {answer[2]} for {answer[1] or 'all names'}"
    if found := re.search(r"rewrite\s+(?:stop\s+)?(?:name\s+)?[^\n]*(?:svc|cluster\.local)[^\n]*", body):
        yield f"names of Services are rewritten ({found[0].strip()[:100]})"
    if found := re.search(r"(?s)hosts\s*[^{\n]*\{[^}]*\.svc[^}]*\}", body):
        yield "names of Services stand in a hosts block"
    if found := re.search(r"erratic[^\n]*", body):
        yield "the plugin erratic drops answers"


def _leaders(land: Landscape) -> Iterator[Finding]:
    leases = [*land.within(Lease, SYSTEM).values(), *land.within(Lease, "kube-node-lease").values()]
    renewals = sorted(lease.spec.renew_time for lease in leases if lease.spec.renew_time is not None)
    for name, cause in _LEADERS.items():
        lease = land.find(Lease, SYSTEM, name)
        pods = [p for p in land.groups_of(SYSTEM) if p.ref.name.startswith(name)]
        down = [g for g in pods if g.ready == 0]
        renewed = lease.spec.renew_time if lease is not None else None
        # A dump takes its time: a Lease is late where others went on, or where nobody could overlook it.
        patience = STALE_SECONDS if len(renewals) > 1 else LONG_STALE_SECONDS
        latest = renewals[-1] if len(renewals) > 1 else land.now
        stale = renewed is not None and (latest - renewed).total_seconds() > patience
        if down or stale:
            about = down[0].ref if down else ObjectRef(kind="Lease", namespace=SYSTEM, name=name)
            words = "has no ready pod" if down else f"has not renewed its Lease since {renewed}"
            target = ObjectRef(kind="Pod", namespace=SYSTEM, name=name) if not down else down[0].ref
            yield Finding(
                cause=cause,
                object=target,
                confidence=0.95 if down and stale else 0.9 if down or len(renewals) > 1 else 0.75,
                summary=f"{name} {words}.",
                quotes=land.quote(about, words),
            )


def _scheduler(land: Landscape) -> Iterator[Finding]:
    """Pods that nobody has looked at: the scheduler would have said why."""
    left = [
        p
        for p in land.pods
        if not p.spec.node_name
        and p.status.phase in ("", "Pending")
        and p.condition("PodScheduled") is None
        and _older(land, p.metadata.creation_timestamp)
        and not p.metadata.partial
    ]
    if not left:
        return
    own = {p.spec.scheduler_name for p in left} - {"default-scheduler", ""}
    told = {e.object.name for e in land.events if e.reason in ("FailedScheduling", "Scheduled")}
    silent = [p for p in left if p.name not in told]
    if silent and own and all(p.spec.scheduler_name in own for p in silent):
        group = land.group_of.get((silent[0].metadata.namespace, silent[0].name))
        yield Finding(
            cause="scheduling",
            object=group.ref if group else silent[0].ref,
            confidence=0.85,
            summary=f"Pods wait for the scheduler {sorted(own)[0]}, which does not answer.",
            quotes=land.quote(silent[0], f"schedulerName: {sorted(own)[0]}"),
        )
    elif silent:
        yield Finding(
            cause="control-plane.scheduler.down",
            object=ObjectRef(kind="Pod", namespace=SYSTEM, name="kube-scheduler"),
            confidence=0.85,
            summary=f"{len(silent)} pods are older than {PATIENCE_SECONDS} s and no scheduler has looked at them.",
            quotes=land.quote(silent[0], "Pending, without node and without a condition PodScheduled"),
        )


def _controllers(land: Landscape) -> Iterator[Finding]:
    """Deployments whose newest wish nobody has read."""
    late = [d for d in land.every(Deployment) if 0 < d.status.observed_generation < d.metadata.generation]
    if late:
        yield Finding(
            cause="control-plane.controller-manager.down",
            object=ObjectRef(kind="Pod", namespace=SYSTEM, name="kube-controller-manager"),
            confidence=0.7,
            summary=f"{late[0].ref} was changed, and no controller has observed it.",
            quotes=land.quote(
                late[0], f"generation {late[0].metadata.generation}, observed {late[0].status.observed_generation}"
            ),
        )


def _older(land: Landscape, created: object) -> bool:
    return created is None or (land.now - created).total_seconds() > PATIENCE_SECONDS  # type: ignore[operator]


def _webhooks(land: Landscape) -> Iterator[Finding]:
    told = ((f"event about {e.object.kind} {e.object.name}", e.message) for e in land.events)
    for where, words in (*told, *((r.where, r.message) for r in refusals(land))):
        if found := _WEBHOOK.search(words):
            slow = _SLOW.search(_URL.sub("", found["rest"])) is not None
            yield Finding(
                cause="control-plane.webhook.slow" if slow else "control-plane.webhook.failing",
                object=_webhook(land, found["name"], found["rest"]),
                confidence=0.94,
                summary=f"The webhook {found['name']} fails, and with it every object that it must see.",
                quotes=(Quote(id=where, excerpt=words[:300]),),
            )
            return


def _webhook(land: Landscape, name: str, words: str) -> ObjectRef:
    """The configuration that has the webhook; where none was collected, the Service that the API server asked."""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for body in land.source.objects(f"{kind.lower()}s", None) or ():
            if any(isinstance(w, dict) and w.get("name") == name for w in body.get("webhooks") or ()):
                return ObjectRef(kind=kind, namespace=None, name=str(body["metadata"].get("name")))
    if asked := _ASKED.search(words):
        return ObjectRef(kind="Service", namespace=asked["namespace"], name=asked["name"])
    return ObjectRef(kind="ValidatingWebhookConfiguration", namespace=None, name=name)


def _apis(land: Landscape) -> Iterator[Finding]:
    for api in land.within(ApiService).values():
        down = [c for c in api.status.conditions if c.type == "Available" and c.status == "False"]
        if down:
            metrics = "metrics" in api.name
            yield Finding(
                cause="control-plane.metrics-server.down" if metrics else "control-plane.api-service.unavailable",
                object=api.ref,
                confidence=0.85,
                summary=f"{api.name} is not available: {down[0].message}"[:300],
                quotes=land.quote(api, f"{down[0].reason}: {down[0].message}"),
            )


def _system_workloads(land: Landscape) -> Iterator[Finding]:
    for group in land.groups_of(SYSTEM):
        name = group.ref.name
        if group.ready < group.wanted and name.startswith("kube-proxy"):
            broken = [p for p in group.pods if not p.ready and not _is_lost(land, p.spec.node_name)]
            if group.pods and not broken:
                continue  # a node that is not well takes its pods with it
            node = broken[0].spec.node_name if broken else ""
            target = ObjectRef(kind="Node", namespace=None, name=node) if node and len(broken) == 1 else group.ref
            words = f"{group.ready} of {group.wanted} pods are ready"
            yield Finding(
                cause="node.kube-proxy.down",
                object=target,
                confidence=0.85,
                summary=f"kube-proxy does not run on every node: {words}.",
                quotes=land.quote(group.ref, words),
            )
        elif group.ready == 0 and name.startswith("metrics-server"):
            yield _finding(land, group, "control-plane.metrics-server.down", 0.75, "has no ready pod", ())


def _is_lost(land: Landscape, name: str) -> bool:
    """Whether a node is not ready, so that nothing on it is."""
    node = land.find(Node, None, name)
    return node is not None and not node.ready


def _finding(land: Landscape, group: Group, cause: str, sure: float, words: str, more: tuple[Quote, ...]) -> Finding:
    return Finding(
        cause=cause,
        object=group.ref,
        confidence=sure,
        summary=f"{group.ref} {words}.",
        quotes=(*land.quote(group.ref, f"{group.ready} of {group.wanted} pods ready"), *more),
    )
