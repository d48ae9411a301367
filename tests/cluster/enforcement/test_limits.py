"""The largest things that the schemas allow are still judged: rules cost what the API server lets them cost."""

from tests.support.executions import GENESIS, Place, allowed, plan, refused
from tests.support.identity import Json
from tests.support.waiting import eventually

from interlock.crds.execution import RunbookExecutionStatus
from interlock.crds.journal import Entry, Event, extend
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


def test_a_namespace_holds_so_many_executions(shop: Place) -> None:
    """The quota as it is granted, but for the number. Its controller notices new kinds every 30 s."""
    [quota] = [manifest for manifest in opt_in(shop.namespace) if manifest["kind"] == "ResourceQuota"]
    resource = "count/runbookexecutions.interlock.dev"
    assert quota["spec"]["hard"] == {resource: str(EXECUTIONS_PER_NAMESPACE)}
    standing = shop.execution()
    listed = shop.installation.admin.get(shop.path).body["items"]
    quota["spec"]["hard"] = {resource: str(len(listed))}
    allowed(shop.installation.admin.apply(quota))
    path = f"/api/v1/namespaces/{shop.namespace}/resourcequotas/interlock"

    def counted() -> bool:
        return resource in shop.installation.admin.get(path).body.get("status", {}).get("used", {})

    eventually("the executions to be counted", counted, seconds=90)
    refused(shop.person("alice").post(shop.path, shop.request()), "exceeded quota: interlock")
    allowed(standing.move("Pending"))
    allowed(shop.installation.admin.delete(path))
