"""The largest things that the schemas allow are still judged: rules cost what the API server lets them cost."""

from dataclasses import replace

from tests.support.executions import GENESIS, Place, allowed, plan, refused
from tests.support.identity import Json
from tests.support.waiting import eventually

from interlock.crds.execution import RunbookExecutionStatus
from interlock.crds.journal import Entry, Event, extend
from interlock.crds.manifests import documents
from interlock.operator.settings import OperatorSettings
from interlock.runbooks.rbac import EXECUTIONS_PER_NAMESPACE, opt_in

FULL_ENTRY = {"text": "x" * 4080}


def heavy(count: int) -> list[Json]:
    """A journal of the largest entries there are."""
    now = "2026-01-01T00:00:00.000Z"
    entries: tuple[Entry, ...] = extend(GENESIS, [], [Event(event="Planned", data=FULL_ENTRY)] * count, now)
    return [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in entries]


def test_a_full_journal_of_the_largest_entries_is_judged(shop: Place) -> None:
    """1 MiB: what the database stores in one object at most, less what else the object holds."""
    execution = shop.execution()
    [bound] = [
        item.max_length
        for item in RunbookExecutionStatus.model_fields["journal"].metadata
        if hasattr(item, "max_length")
    ]
    journal = heavy(bound)
    allowed(execution.write(execution.next_status("Pending", journal=journal[:-1])))
    allowed(execution.write({"phase": "Failed", "journal": journal}))
    refused(execution.write({"journal": journal[:-1]}), "the journal is append-only")


def test_a_plan_beyond_all_bounds_is_refused_for_its_size(shop: Place) -> None:
    """All that the bounds of its fields allow is refused by the rule on its size, not for what the rule costs."""
    change = {"path": "/" + "p" * 511, "before": "b" * 400, "after": "a" * 400}
    steps = [{"name": f"s{n}", "action": "patch", "changes": [change] * 32} for n in range(16)]
    answer = shop.execution().move("AwaitingApproval", plan=plan(steps=steps))
    refused(answer, "a plan has at most 8192 bytes")


def test_a_namespace_holds_so_many_executions(shop: Place, namespace: str) -> None:
    """The quota as it is granted, but for the number; its controller counts what stands there."""
    [quota] = [manifest for manifest in opt_in(shop.namespace) if manifest["kind"] == "ResourceQuota"]
    resource = "count/runbookexecutions.interlock.dev"
    assert quota["spec"]["hard"] == {resource: str(EXECUTIONS_PER_NAMESPACE)}
    admin, full = shop.installation.admin, replace(shop, namespace=namespace)
    shop.installation.opt_in(namespace)
    shop.installation.bind("alice", "interlock-requester", namespace)
    standing = full.execution()
    quota["metadata"]["namespace"], quota["spec"]["hard"] = namespace, {resource: "1"}
    allowed(admin.apply(quota))
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/interlock"
    eventually("the new cap to be counted", lambda: admin.get(path).body["status"]["hard"] == {resource: "1"})
    refused(full.person("alice").post(full.path, full.request()), "exceeded quota: interlock")
    allowed(standing.move("Pending"))
    unlimited(full, path)


def unlimited(place: Place, path: str) -> None:
    """Without a cap nothing is asked for, and nothing else is held up."""
    admin, standing = place.installation.admin, place.person("alice")
    allowed(admin.patch(path, {"spec": {"hard": None}}))
    words = "must cap count/runbookexecutions.interlock.dev"
    eventually("the cap to be missed", lambda: words in standing.post(place.path, place.request()).message)
    allowed(admin.delete(path))
    eventually("the quota to be missed", lambda: "no params" in standing.post(place.path, place.request()).message)
    hard = {"count/runbookexecutions.interlock.dev": "9", "pods": "1"}
    scoped = {"metadata": {"name": "interlock"}, "spec": {"hard": hard, "scopes": ["Terminating"]}}
    allowed(admin.post(path.removesuffix("/interlock"), scoped))
    words = "must count all executions, without scopes"
    eventually("the scope to be seen", lambda: words in standing.post(place.path, place.request()).message)
    allowed(admin.post(f"/api/v1/namespaces/{place.namespace}/configmaps", {"metadata": {"name": "unrelated"}}))


def test_the_cap_is_larger_than_what_is_kept() -> None:
    assert OperatorSettings().keep_newest < EXECUTIONS_PER_NAMESPACE / 2
    [quota] = [m for m in documents("install") if m["kind"] == "ResourceQuota"]
    assert quota["spec"]["hard"] == {"count/runbookexecutions.interlock.dev": str(EXECUTIONS_PER_NAMESPACE)}
