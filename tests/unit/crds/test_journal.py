import json

from hypothesis import given
from hypothesis import strategies as st

from interlock.crds.journal import Entry, Event, broken_at, extend, genesis, head

AT = "2026-01-02T03:04:05.678Z"
START = genesis("0f0c2a6e-uid", "sha256:" + "0" * 64)

events = st.builds(
    Event,
    event=st.sampled_from(["Requested", "Planned", "StepStarted", "StepSucceeded", "Ended"]),
    step=st.none() | st.sampled_from(["drain", "put-back"]),
    data=st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1), max_size=3),
)
journals = st.lists(events, min_size=2, max_size=8).map(lambda written: extend(START, (), written, AT))


@given(journals)
def test_a_journal_as_it_was_written_holds(journal: tuple[Entry, ...]) -> None:
    assert broken_at(START, journal) is None


@given(journals, st.lists(events, max_size=4))
def test_extending_keeps_what_stands(journal: tuple[Entry, ...], more: list[Event]) -> None:
    extended = extend(START, journal, more, AT)
    assert extended[: len(journal)] == journal
    assert len(extended) == len(journal) + len(more)
    assert broken_at(START, extended) is None


@given(journals, st.lists(events, max_size=4))
def test_extending_at_once_or_one_by_one_is_the_same(journal: tuple[Entry, ...], more: list[Event]) -> None:
    stepwise = journal
    for event in more:
        stepwise = extend(START, stepwise, [event], AT)
    assert stepwise == extend(START, journal, more, AT)


@given(journals, st.data())
def test_a_changed_entry_is_found_where_it_is(journal: tuple[Entry, ...], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(journal) - 1))
    entry = journal[position]
    change: dict[str, object] = data.draw(
        st.sampled_from(
            [
                {"at": "2026-01-02T03:04:05.679Z"},
                {"event": "Approved"},
                {"step": "other"},
                {"data": json.dumps({"forged": entry.data})},
                {"data": entry.data + " "},
                {"seq": entry.seq + 1},
                {"hash": ("1" if entry.hash[0] == "0" else "0") + entry.hash[1:]},
            ]
        )
    )
    forged = (*journal[:position], entry.model_copy(update=change), *journal[position + 1 :])
    assert broken_at(START, forged) == position


@given(journals, st.data())
def test_a_missing_entry_is_found_where_it_was(journal: tuple[Entry, ...], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(journal) - 2))
    assert broken_at(START, journal[:position] + journal[position + 1 :]) == position


@given(journals, st.data())
def test_entries_that_changed_places_are_found(journal: tuple[Entry, ...], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(journal) - 2))
    second = data.draw(st.integers(first + 1, len(journal) - 1))
    swapped = list(journal)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert broken_at(START, swapped) == first


@given(journals)
def test_a_lost_end_shows_in_the_head(journal: tuple[Entry, ...]) -> None:
    assert broken_at(START, journal[:-1]) is None
    assert head(START, journal[:-1]) != head(START, journal)


@given(journals)
def test_a_journal_of_another_execution_does_not_hold(journal: tuple[Entry, ...]) -> None:
    assert broken_at(genesis("another-uid", "sha256:" + "0" * 64), journal) == 0
    assert broken_at(genesis("0f0c2a6e-uid", "sha256:" + "1" * 64), journal) == 0


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=50), max_size=3))
def test_whatever_a_message_says_can_be_recorded_and_read_back(data: dict[str, str]) -> None:
    (entry,) = extend(START, (), [Event(event="StepFailed", data=data)], AT)
    assert entry.details() == data


def test_unseen_characters_are_written_as_escapes() -> None:
    (entry,) = extend(START, (), [Event(event="StepFailed", data={"message": "a\u202eb\x7f\ufeff"})], AT)
    assert entry.data == r'{"message":"a\u202eb\u007f\ufeff"}'


def test_the_head_of_an_empty_journal_is_what_was_asked() -> None:
    assert head(START, ()) == "sha256:" + START
