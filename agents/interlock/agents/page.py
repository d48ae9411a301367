"""What a person reads who is handed an incident: what is known, what was ruled out, where to look next."""

from collections.abc import Iterator, Sequence

from interlock.agents.analyzers import Finding
from interlock.agents.diagnose import Diagnosis
from interlock.crds.causes import covers

MOST = 3

# The first that covers the cause; {name} and {where} are the object's name and the option for its namespace.
_NEXT: tuple[tuple[str, str], ...] = (
    ("workload.image", "whether the image and its tag are in the registry, and who may pull it"),
    ("workload.memory", "memory over the last day beside its limit: a plateau needs a higher one, a slope is a leak"),
    ("workload.database", "credentials and address that the workload uses, against those that the database knows"),
    ("workload.crash.dependency-at-start", "the dependency that its last log lines name, before the workload itself"),
    ("workload.crash", "kubectl logs {name} {where} --previous, and what the last rollout changed"),
    ("workload.probe", "kubectl describe {name} {where}: what the probe asks, and what the program answers there"),
    ("workload.network", "chaos and mesh objects that select the workload, then the nodes of its pods"),
    ("workload", "kubectl describe {name} {where}, and what was changed in it last"),
    ("service", "kubectl get endpointslices {where} beside the Service's selector and ports"),
    ("network-policy", "kubectl describe {name} {where}: who has to reach whom, and whom it lets through"),
    ("namespace.quota", "whether the quota was meant: its owner decides, or what asks for more is made smaller"),
    ("scheduling", "kubectl describe nodes: capacity, taints and labels beside what the pods ask for"),
    ("storage", "kubectl get pvc,pv,storageclass {where}, and the log of the provisioner"),
    ("node", "kubelet, container runtime and disk on the node itself"),
    ("control-plane", "pods and events of kube-system"),
    ("database", "the database's own log, and who holds its connections"),
    ("unknown", "what was not collected, and what its callers and callees say of it"),
)


def page(diagnosis: Diagnosis, why: str) -> Iterator[tuple[str, str]]:
    """The lines of the page, each with its heading.

    `why` says why no runbook is proposed.
    """
    sure = [f for f in diagnosis.hypotheses if not f.against]
    ruled_out = [f for f in diagnosis.hypotheses if f.against]
    yield "why a person", why
    for finding in sure[:MOST]:
        yield "known" if finding is diagnosis.best else "possible", f"{finding.confidence:.0%} {finding.summary}"
    for finding in ruled_out[:MOST]:
        yield "ruled out", f"{finding.cause} on {finding.object}: {finding.against[-1]}"
    for words in _next(diagnosis, sure):
        yield "look next", words


def _next(diagnosis: Diagnosis, sure: Sequence[Finding]) -> list[str]:
    if not sure or diagnosis.verdict.startswith("unknown."):
        return [next(words for general, words in _NEXT if general == "unknown")]
    best = sure[0]
    where = f"-n {best.object.namespace}" if best.object.namespace else ""
    name = f"{best.object.kind.lower()}/{best.object.name}"
    found = (words for general, words in _NEXT if covers(general, best.cause))
    return [words.format(name=name, where=where).replace("  ", " ") for words in found][:1]
