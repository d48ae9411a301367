from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from interlock.crds.causes import CAUSES, FAMILIES, Cause, covers

RELEASED = (Path(__file__).parent / "causes-0.1.txt").read_text().split()
cause: TypeAdapter[str] = TypeAdapter(Cause)


@pytest.mark.parametrize("name", RELEASED)
def test_a_name_once_released_stays_known(name: str) -> None:
    assert name in CAUSES
    assert cause.validate_python(name) == name


@given(st.sampled_from(sorted(FAMILIES)))
def test_a_family_is_a_cause(family: str) -> None:
    assert cause.validate_python(family) == family
    assert any(covers(family, name) and name != family for name in CAUSES)


@given(st.sampled_from(sorted(CAUSES)), st.from_regex(r"[a-z]{1,8}(-[a-z]{1,8})?", fullmatch=True))
def test_a_known_cause_may_be_refined(name: str, detail: str) -> None:
    refined = cause.validate_python(f"{name}.{detail}")
    assert covers(name, refined)
    assert not covers(refined, name)


@pytest.mark.parametrize(
    "name",
    ["", "workload.imagination", "workload.image-not-found", "gremlins", "workload.image.", "Workload.image", "a b"],
)
def test_an_unknown_cause_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        cause.validate_python(name)


def test_a_cause_covers_its_refinements_and_not_its_neighbours() -> None:
    assert covers("workload.image", "workload.image.not-found")
    assert not covers("workload.image.not", "workload.image.not-found")
    assert not covers("workload.image.not-found", "workload.image")
