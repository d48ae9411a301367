"""What must not matter to a diagnosis: the order of objects, their names, bystanders, a file that says nothing of it.

And what must not stop one: anything at all in any field.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases.abroad import write

from interlock.agents.evaluate import Expectation, Result
from interlock.cli.evaluate import judged

CASES = (
    ("store-is-fenced", "bank"),
    ("readiness-asks-for-an-old-page", "clinic"),
    ("not-a-number", "arena"),
    ("service-looks-for-others", "clinic"),
    ("kubelet-fell", "bank"),
    ("heap-is-killed", "arena"),
    ("class-is-unknown", "bank"),
    ("no-more-connections", "clinic"),
)
SURE = 0.8
Files = dict[str, str]
Change = Callable[[Files, random.Random], Files]


class Library(list[Files]):
    """The cases, with a name of their own, as they are too long to be shown."""

    def __repr__(self) -> str:
        return "the library"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    found = Library()
    for name, place in CASES:
        folder = tmp_path_factory.mktemp(name)
        write(name, place, folder)
        found.append({str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*") if f.is_file()})
    return found


def shuffled(files: Files, chance: random.Random) -> Files:
    """The objects of each list in another order."""
    found = dict(files)
    for name, text in files.items():
        body = json.loads(text) if name.endswith(".json") else None
        if isinstance(body, dict) and "items" in body:
            chance.shuffle(body["items"])
            found[name] = json.dumps(body)
    return dict(chance.sample(sorted(found.items()), len(found)))


def renamed(files: Files, chance: random.Random) -> Files:
    """The namespace and every Service under another name, everywhere."""
    place = json.loads(files["snapshot.json"])["namespace"]
    listed = json.loads(files[f"{place}/services.json"])["items"]
    letters = "bcdfghjklmnpqrstvwxz"
    names = {body["metadata"]["name"] for body in listed if not body["metadata"]["name"].endswith("-hl")} | {place}
    new = {name: "".join(chance.choice(letters) for _ in range(9)) for name in sorted(names)}
    old = re.compile("|".join(sorted(map(re.escape, new), key=len, reverse=True)))

    def other(text: str) -> str:
        return old.sub(lambda found: new[found[0]], text)

    return {other(name): other(text) for name, text in files.items()}


def joined(files: Files, chance: random.Random) -> Files:
    """One more workload that is well and that nobody calls."""
    place = json.loads(files["snapshot.json"])["namespace"]
    name = f"bystander-{chance.randrange(99)}"
    labels = {"role": name}
    spec = {"containers": [{"name": "main", "image": "registry.example/x:1"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    meta: dict[str, Any] = {"name": name, "namespace": place, "uid": name, "creationTimestamp": "2026-02-01T00:00:00Z"}
    deployment = {
        "metadata": meta,
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        "status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1},
    }
    running = {"name": "main", "ready": True, "restartCount": 0, "state": {"running": {}}, "lastState": {}}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [running]}
    pod = {"metadata": {**meta, "name": f"{name}-0", "uid": "p", "labels": labels}, "spec": spec, "status": status}
    found = dict(files)
    for file, body in ((f"{place}/deployments.json", deployment), (f"{place}/pods.json", pod)):
        listed = json.loads(found[file])
        found[file] = json.dumps({**listed, "items": [*listed["items"], body]})
    return found


def thinned(files: Files, chance: random.Random) -> Files:
    """Without one of the files."""
    gone = chance.choice(sorted(set(files) - {"snapshot.json", "expected.json"}))
    return {name: text for name, text in files.items() if name != gone}


def examined(files: Files) -> Result:
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            file = Path(folder) / "case" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return judged(Path(folder) / "case")


@pytest.mark.parametrize("change", [shuffled, renamed, joined], ids=lambda change: change.__name__)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(number=st.integers(0, len(CASES) - 1), seed=st.integers(0, 999))
def test_what_tells_nothing_changes_nothing(library: Library, change: Change, number: int, seed: int) -> None:
    files = library[number]
    found = examined(change(files, random.Random(seed)))
    assert found.found[0][0] in Expectation.model_validate_json(files["expected.json"]).causes
    assert found.right_at(1)


@settings(max_examples=24, deadline=None, derandomize=True)
@given(number=st.integers(0, len(CASES) - 1), seed=st.integers(0, 999))
def test_without_a_file_one_may_be_unsure_but_is_not_surely_wrong(library: Library, number: int, seed: int) -> None:
    found = examined(thinned(library[number], random.Random(seed)))
    assert not found.found or found.sure[0] < SURE or found.is_true, (found.found[0], found.sure[0])


GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.text(max_size=12),
    st.lists(st.none() | st.text(max_size=4), max_size=3),
    st.dictionaries(st.text(max_size=6), st.none() | st.integers(), max_size=2),
)


def spoilt(body: Any, chance: random.Random, garbage: Any) -> Any:
    """The body with garbage somewhere in it, never at its top."""
    if isinstance(body, dict) and body:
        key = chance.choice(sorted(body))
        return {**body, key: garbage if chance.random() < 0.25 else spoilt(body[key], chance, garbage)}
    if isinstance(body, list) and body:
        place = chance.randrange(len(body))
        return [*body[:place], spoilt(body[place], chance, garbage), *body[place + 1 :]]
    return garbage


def with_garbage(body: Any, chance: random.Random, garbage: Any) -> Any:
    """A file with garbage in what it holds; one that is no list of objects at all would be refused by name."""
    if not isinstance(body, dict) or "items" not in body:
        return spoilt(body, chance, garbage)
    return {**body, "items": spoilt(body["items"], chance, garbage)} if body["items"] else body


@settings(max_examples=40, deadline=None, derandomize=True)
@given(number=st.integers(0, len(CASES) - 1), seed=st.integers(0, 9999), garbage=GARBAGE)
def test_garbage_in_any_field_stops_nobody(library: Library, number: int, seed: int, garbage: Any) -> None:
    chance, files = random.Random(seed), library[number]
    told = sorted(name for name in files if name.endswith(".json") and name not in ("snapshot.json", "expected.json"))
    for name in chance.sample(told, 6):
        body = json.loads(files[name])
        for _ in range(3):
            body = with_garbage(body, chance, garbage)
        files = {**files, name: json.dumps(body)}
    found = examined(files)
    assert all(0 <= sure <= 1 for sure in found.sure)
