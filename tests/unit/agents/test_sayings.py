"""The words of programs are read all at once, and no text that a program prints can make that fail or slow."""

import re2
from hypothesis import given
from hypothesis import strategies as st

from interlock.agents.analyzers.wide.vocabulary import SAYINGS, saying_of

FRAGMENTS = (
    'FATAL: password authentication failed for user "app"',
    'database "orders" does not exist',
    "FATAL: sorry, too many clients already",
    "dial tcp 10.96.4.7:5432: connect: connection refused",
    "x509: certificate has expired or is not yet valid",
    "no space left on device",
    "context deadline exceeded",
    "getaddrinfo ENOTFOUND mongo",
    "GET /healthz 200 1ms",
    "\ud83d",
    "Größenwahn ",
)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=4).map(" ".join) | st.text(max_size=80))
def test_of_several_sayings_the_first_that_is_written_down_counts(text: str) -> None:
    sent = text.encode(errors="replace")
    alone = next((s for s in SAYINGS if re2.search(f"(?i){s.words}".encode(), sent)), None)
    assert saying_of(text) is alone


def test_words_count_in_any_case() -> None:
    found = saying_of("error: PASSWORD Authentication FAILED for user app")
    assert found is not None
    assert found.cause == "workload.database.credentials-invalid"


def test_half_a_character_is_no_reason_to_fail() -> None:
    found = saying_of("\ud83d no such database \udc00")
    assert found is not None
    assert found.cause.startswith("workload.database")
