"""An incident that was kept makes a snapshot that is taken for the same, and claims only what a cure has shown."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, crashing
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import sent
from tests.unit.agents.test_beyond import NOW, TARGET, Held
from tests.unit.agents.test_work import RESOLVED, Agents, _nothing, proposed
from typer.testing import CliRunner

from interlock.agents.analyzers import Scene
from interlock.agents.analyzers.looks import look_at
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.diagnose import diagnose
from interlock.agents.evaluate import Expectation
from interlock.agents.evidence import Evidence, Item
from interlock.agents.evidence.collect import collect
from interlock.agents.evidence.model import Kind
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine
from interlock.agents.incidents import list_incidents, show_incident
from interlock.agents.kept import as_source, left_out
from interlock.agents.model import ObjectRef
from interlock.agents.store import Store
from interlock.cli.diagnose import answered
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.evaluate import judged
from interlock.cli.incident import app
from interlock.cli.snapshot import write


@pytest.fixture
def agents(store: Store, clock: Clock, database_url: str) -> Agents:
    return Agents(store, clock, database_url)


def run(agents: Agents, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--database", agents.url], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def export(agents: Agents, folder: Path) -> str:
    return run(agents, "export", agents.incident().id, "--as-case", str(folder))


async def cured(agents: Agents) -> None:
    name = await proposed(agents)
    agents.script.phase(name, "Succeeded")
    await agents.round()
    agents.tell(RESOLVED)
    await agents.round()


async def test_a_cured_incident_is_a_case_that_diagnosis_solves(agents: Agents, tmp_path: Path) -> None:
    await cured(agents)
    said = export(agents, tmp_path / "case")
    assert "workload.image.not-found on Deployment checkout" in said
    answer, unknown = answered(tmp_path / "case")
    first = answer["hypotheses"][0]
    assert first["cause"] == agents.incident().verdict == "workload.image.not-found"
    assert first["object"] == {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
    assert answer["proposal"]["parameters"] == {"toRevision": "1"}
    assert unknown == ()
    result = judged(tmp_path / "case")
    assert result.right_at(1)
    assert result.expected.cures == ("rollback-deployment",) == (result.asked,)
    assert (tmp_path / "case").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("phase", ["AwaitingApproval", "Undone", "Denied"])
async def test_what_was_not_cured_is_left_to_a_person(agents: Agents, tmp_path: Path, phase: str) -> None:
    agents.script.phase(await proposed(agents), phase)
    await agents.round()
    said = export(agents, tmp_path / "case")
    assert "not confirmed: no runbook cured it. Fill in" in said
    written = json.loads((tmp_path / "case" / "expected.json").read_text())
    assert (written["causes"], written["object"]) == (None, None)
    with pytest.raises(Exception, match=r"expected\.json"):
        Expectation.read(tmp_path / "case")


async def test_what_did_not_end_the_alerts_confirms_nothing(agents: Agents, tmp_path: Path) -> None:
    agents.script.phase(await proposed(agents), "Succeeded")
    for _ in range(4):
        await agents.round()
        agents.clock.advance(3600)
    assert agents.incident().state == "escalated"
    assert "succeeded, but the incident is escalated" in export(agents, tmp_path / "case")
    assert json.loads((tmp_path / "case" / "expected.json").read_text())["causes"] is None


async def test_nothing_is_overwritten(agents: Agents, tmp_path: Path) -> None:
    await proposed(agents)
    (tmp_path / "case").mkdir()
    with pytest.raises(UsageError, match="there already"):
        export(agents, tmp_path / "case")
    assert list((tmp_path / "case").iterdir()) == []
    with pytest.raises(CommandError, match="there is no incident"):
        run(agents, "export", "inc-none", "--as-case", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def _crash(cluster: Cluster) -> None:
    cluster.state("orders", crashing(1))
    cluster.log("orders", "panic: runtime error: invalid memory address or nil pointer dereference", previous=True)


def _killed(cluster: Cluster) -> None:
    cluster.state("orders", crashing(137, "OOMKilled"))


@pytest.mark.parametrize("fault", [_crash, _killed])
def test_what_is_kept_tells_the_same_as_what_was_seen(fault: Callable[[Cluster], None], tmp_path: Path) -> None:
    cluster = deployed(APPS["shop"])
    fault(cluster)
    cluster.settle()
    evidence = asyncio.run(collect(Held(cluster), None, TARGET, (), now=lambda: NOW, calls=100, seconds=10))
    seen = diagnose(evidence, 0.5)
    assert seen.best is not None
    write(as_source(evidence), tmp_path / "case")
    again = examine(Landscape(Snapshot(tmp_path / "case")), 0.5)
    assert again.best is not None
    assert (again.best.cause, again.best.object) == (seen.best.cause, seen.best.object)


def test_revisions_of_a_stateful_set_stay_revisions() -> None:
    ref = ObjectRef(kind="StatefulSet", namespace="shop", name="db")
    images = {"db-2": "db:2", "db-1": "db:1"}
    views: list[JsonValue] = [_revision_view(name, image) for name, image in images.items()]
    body: JsonValue = {"metadata": {"name": "db", "uid": "u"}, "spec": {"template": _template("db:2")}}
    items = (_item("target", body), _item("replica-sets", views), _item("pods", []))
    source = as_source(Evidence(target=ref, collected_at=NOW, items=items))
    world = Landscape(source)
    group = world.group(ref)
    assert group is not None
    again = Scene(look_at(world, group))
    assert [(one.hash, one.template.spec.containers[0].image) for one in again.revisions] == [*images.items()]
    assert [change.before for change in again.changes] == ["db:1"]


def _template(image: str) -> JsonValue:
    return {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": image}]}}


def _revision_view(name: str, image: str) -> JsonValue:
    told: dict[str, JsonValue] = {"name": name, "hash": name, "revision": int(name[-1]), "created": None}
    return {**told, "template": _template(image)}


def _item(kind: Kind, content: JsonValue) -> Item:
    return Item(id=f"E-{kind}", kind=kind, source=kind, collected_at=NOW, content=content)


def test_what_only_a_part_was_seen_of_is_not_taken_for_all(tmp_path: Path) -> None:
    cluster = deployed(APPS["shop"])
    _crash(cluster)
    cluster.settle()
    evidence = asyncio.run(collect(Held(cluster), None, TARGET, (), now=lambda: NOW, calls=100, seconds=10))
    write(as_source(evidence), tmp_path / "case")
    assert Snapshot(tmp_path / "case").objects("services", "shop") is None
    assert any(source.startswith("Services that select") for source in left_out(evidence))


async def test_the_first_screen_says_what_is_broken_why_and_what_was_asked(agents: Agents) -> None:
    name = await proposed(agents)
    agents.script.phase(name, "AwaitingApproval", "low risk, one approval")
    await agents.round()
    screen = run(agents, "show", agents.incident().id)
    lines = screen.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for words in (
        *("Deployment shop/checkout", "2026-03-01 12:00:00", "proposed", "workload.image.not-found"),
        *("almost certain (0.9", "shop:2: not found", "rollback-deployment-", "toRevision=1"),
        *("AwaitingApproval: low risk", f"kubectl interlock plan {name} -n shop"),
    ):
        assert words in screen
    assert "What happened" not in screen
    assert "What happened" in run(agents, "show", agents.incident().id, "--all")


async def test_what_a_person_is_to_do_is_on_the_first_screen(agents: Agents) -> None:
    agents.script.phase(await proposed(agents), "Undone", "it did not help")
    await agents.round()
    await agents.round()
    screen = run(agents, "show", agents.incident().id)
    assert "Look next\n  whether the image and its tag are in the registry" in screen


async def test_that_nobody_is_sure_is_said_first(agents: Agents) -> None:
    agents.script.list = _nothing  # type: ignore[method-assign]
    agents.tell(sent("KubeQuotaExceeded", namespace="shop", deployment="checkout"))
    await agents.round()
    screen = run(agents, "show", agents.incident().id)
    assert "Why\n  unknown.insufficient-evidence: nothing that was seen says why" in screen
    assert "Look next\n  what was not collected" in screen
    assert "Proposed" not in screen


async def test_what_a_cluster_says_moves_no_cursor(agents: Agents) -> None:
    name = await proposed(agents)
    agents.script.phase(name, "AwaitingApproval", "\x1b[2J\nstate  resolved\u202e")
    await agents.round()
    screen = run(agents, "show", agents.incident().id, "--all")
    assert "\x1b" not in screen
    assert "\u202e" not in screen
    assert "\nstate  resolved" not in screen


async def test_earlier_incidents_of_the_same_fault_are_shown_with_their_end(agents: Agents) -> None:
    await cured(agents)
    first = agents.incident()
    assert first.similar == ()
    agents.clock.advance(7200)
    agents.script.healthy = False
    agents.tell(sent("KubeContainerWaiting", starts="2026-03-01T14:00:00Z", namespace="shop", deployment="checkout"))
    await agents.round()
    newest = show_incident(agents.url, list_incidents(agents.url)[0].id)
    assert newest.id != first.id
    assert [(past.id, past.state) for past in newest.similar] == [(first.id, "resolved")]
    assert newest.similar[0].outcome.endswith("Succeeded")
    assert first.id in run(agents, "show", newest.id)
