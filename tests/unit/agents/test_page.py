"""The page of a hand-over: what is known, what was ruled out, where to look next."""

from tests.unit.agents.scenes import container, crashing, look, ready, template, waiting

from interlock.agents.diagnose import diagnose
from interlock.agents.page import page


def told(lines: list[tuple[str, str]], heading: str) -> list[str]:
    return [words for name, words in lines if name == heading]


def test_what_is_known_and_where_to_look_is_said() -> None:
    broken = template(container(image="registry.example/shop/web:typo"))
    pods = [ready("web-a"), waiting("web-c", "ImagePullBackOff", "x: not found", made_from=broken)]
    lines = list(page(diagnose(look(pods=pods, new=broken), 0.7), "It was tried and did not help."))
    assert lines[0] == ("why a person", "It was tried and did not help.")
    assert "cannot be pulled" in told(lines, "known")[0]
    assert "registry" in told(lines, "look next")[0]


def test_what_is_explained_by_something_else_is_said_to_be_ruled_out() -> None:
    broken = template(container(image="registry.example/shop/web:typo"))
    stuck = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    pods = [ready("web-a"), waiting("web-c", "ImagePullBackOff", "x: not found", made_from=broken)]
    lines = list(page(diagnose(look(pods=pods, new=broken, conditions=stuck), 0.7), "x"))
    assert "workload.rollout" in told(lines, "ruled out")[0]


def test_who_is_not_sure_claims_nothing_as_known() -> None:
    lines = list(page(diagnose(look(pods=[crashing("web-a", revision="5d8f7c9b4d")]), 0.7), "not sure"))
    assert not told(lines, "known")
    assert told(lines, "look next")
