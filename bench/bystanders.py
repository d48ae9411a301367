"""What the policies cost those who have nothing to do with Interlock: their writes with them bound, and without."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping

from tests.support.executions import place
from tests.support.identity import Answer, Identity, Json, path_of
from tests.support.installation import RBAC, binding_of, wait_for_policies
from tests.support.scene import deployment
from tests.support.waiting import eventually

from bench.figure import Figure, Goal, Result
from bench.options import Options
from bench.stand import Stand
from interlock.crds.manifests import documents
from interlock.crds.names import RUNNERS_GROUP, RUNNERS_NAMESPACE

ROUNDS = 4
WRITES = 60
AGAINST = "without the policies"
Write = Callable[[], Answer]


def results(ground: Stand, _: Options) -> Iterator[Result]:
    """The median of many writes of each kind, with and without in turns. In milliseconds."""
    admin = ground.installation.admin
    bindings = [m for m in documents("install") if m["kind"] == "ValidatingAdmissionPolicyBinding"]
    with place(ground.installation) as here:
        writes = _writes(admin, here.namespace)
        bound: dict[str, list[float]] = {what: [] for what in writes}
        free: dict[str, list[float]] = {what: [] for what in writes}
        for _round in range(ROUNDS):
            _measure(writes, bound)
            _unbind(admin, bindings)
            _measure(writes, free)
            ground.installation.apply(bindings)
            wait_for_policies(admin)
    for what in writes:
        value, baseline = statistics.median(bound[what]), statistics.median(free[what])
        yield Figure(what, value, baseline, AGAINST, "ms", Goal(at_most=1.1))


def _writes(admin: Identity, namespace: str) -> Mapping[str, Write]:
    space, number = f"/api/v1/namespaces/{namespace}", iter(range(10**9))
    workloads = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    _demand(admin.post(workloads, deployment("bystander", replicas=0)))

    def bind() -> Answer:
        somebody = {"kind": "User", "name": f"somebody-{next(number)}"}
        body = binding_of(f"bystander-{next(number)}", "view", namespace, somebody)
        return admin.post(f"{RBAC}/namespaces/{namespace}/rolebindings", body)

    def label() -> Answer:
        return admin.patch(f"{workloads}/bystander", {"metadata": {"labels": {"turn": str(next(number))}}})

    return {
        "a ConfigMap is made": lambda: admin.post(f"{space}/configmaps", {"metadata": {"generateName": "by-"}}),
        "a Deployment is changed": label,
        "a RoleBinding is made": bind,
    }


def _measure(writes: Mapping[str, Write], taken: Mapping[str, list[float]]) -> None:
    for what, write in writes.items():
        for _ in range(WRITES):
            begun = time.perf_counter()
            _demand(write())
            taken[what].append((time.perf_counter() - begun) * 1000)


def _unbind(admin: Identity, bindings: list[Json]) -> None:
    for binding in bindings:
        _demand(admin.delete(path_of(binding)))
    runner = admin.impersonating(
        f"system:serviceaccount:{RUNNERS_NAMESPACE}:probe.cluster", RUNNERS_GROUP, "system:masters"
    )
    probe = {"metadata": {"name": "probe"}}
    eventually("the policies to be unbound", lambda: runner.post("/api/v1/namespaces?dryRun=All", probe).ok)


def _demand(answer: Answer) -> None:
    if not answer.ok:
        raise RuntimeError(f"a bystander was refused: {answer}")
