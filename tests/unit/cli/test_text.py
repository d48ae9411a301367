"""Text from the cluster is shown and does nothing."""

import pytest

from interlock.cli.text import safe, safe_lines, short


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mapproved", "\\u{1b}[2J\\u{1b}[31mapproved"),
        ("a\rb", "a\\u{d}b"),
        ("a\nb", "a\\u{a}b"),
        ("\u202etxt.exe", "\\u{202e}txt.exe"),
        ("zero\u200bwidth", "zero\\u{200b}width"),
        ("\u2066isolate\u2069", "\\u{2066}isolate\\u{2069}"),
        ("bell\x07\x9b", "bell\\u{7}\\u{9b}"),
        ("[red]markup[/red]", "[red]markup[/red]"),
        ("Grüße, 東京 ✓", "Grüße, 東京 ✓"),
    ],
)
def test_what_is_not_seen_stands_as_its_code_point(hostile: str, shown: str) -> None:
    assert safe(hostile) == shown


def test_lines_are_kept_and_each_is_safe() -> None:
    assert safe_lines("a\tb\n\x1b[0m") == ["a    b", "\\u{1b}[0m"]


def test_short_is_bounded_after_escaping() -> None:
    assert short("\x1b" * 10, 8) == "\\u{1b}\\…"
