"""Patterns mean what ECMA 262 says, and none is accepted that could take more than linear time."""

from __future__ import annotations

import re

import pytest

from gateway.core.pattern import PatternFault, translate


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("^a$", ["a"], ["a\n", "ab", "ba", ""]),
        (r"^\d{2}$", ["12"], ["٣٣", "1"]),
        (r"^\w+$", ["aZ_9"], ["é", "a-b", ""]),
        (r"^\s$", [" ", "\u00a0", "\ufeff", "\u2028", "\v"], ["x", "\x1c", "\x85"]),
        (r"^\D\W\S$", ["a-b"], ["1-b", "aab", "a- "]),
        ("^.$", ["x", "😀"], ["\n", "\r", "\u2028", "\u2029", "xy"]),
        ("^[A-Za-z0-9_-]{1,256}$", ["a", "-" * 256], ["", "a" * 257, "a/b", "a\n"]),
        (r"^[\d\-.$&|~[]$", list("5-.$&|~["), ["]", "a"]),
        (r"^[^\w]$", ["-"], ["a"]),
        (r"^[a-]$", ["a", "-"], ["b"]),
        (r"^\$\.\/\x41\u0042\u{1F600}$", ["$./AB😀"], ["$./ab😀"]),
        (r"^(?:ab|cd)e?$", ["ab", "cde"], ["abcd", ""]),
        (r"^(ab)+$", ["abab"], ["aba"]),
        (r"^(ab){2}$", ["abab"], ["ab"]),
        (r"^a{2,}?$", ["aa", "aaa"], ["a"]),
        (r"\bx\b", ["a x b"], ["axb", "_x"]),
        (r"^a|b$", ["ac", "cb"], ["ca"]),
        ("x", ["axb"], ["a"]),
        (r"[\b\t]", ["\b", "\t"], ["b", "t"]),
        ("", ["", "a"], []),
    ],
)
def test_ecma_meaning(pattern: str, matching: list[str], others: list[str]) -> None:
    """Each pattern matches as ECMA 262 with the u flag would, found anywhere unless anchored."""
    search = translate(pattern).search
    assert [text for text in matching if not search(text)] == []
    assert [text for text in others if search(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "^(a|aa)+$",
        "^(a*)*$",
        "^((ab)?c)*$",
        "a+b",
        "^a*a*b",
        "^.*.*x",
        "^(a{1,50}){3}$",
        "^" + "a?" * 30 + "$",
        "^" + "(a|b)" * 24,
        "^x{1,900}y{1,900}z{1,900}$",
        "a{1,900}b{1,900}",
        "(",
        ")",
        "a)",
        "(a",
        "[a",
        "[",
        "[]",
        "[^]",
        "[z-a]",
        r"[\d-z]",
        r"[a-\d]",
        "a{2,1}",
        "*",
        "+a",
        "^*",
        "?",
        "a**",
        "{",
        "}",
        "]",
        "a{",
        r"\1",
        r"\k<a>",
        "(?=a)",
        "(?<n>a)",
        "(?i)a",
        r"\p{L}",
        r"\cA",
        r"\0",
        r"\a",
        r"\-",
        "\\",
        r"\ud800",
        r"\u{110000}",
        r"[\W]",
        r"\x4",
    ],
)
def test_what_is_not_safe_or_not_known_is_refused(pattern: str) -> None:
    """Patterns that could backtrack beyond linear time, and syntax without a sure meaning, are faults."""
    with pytest.raises(PatternFault, match=r"\w"):
        translate(pattern)


def test_translations_hold_no_bare_dollar() -> None:
    """A dollar sign never stands unescaped: what compiles it next would take it for the end."""
    assert re.findall(r"(?<!\\)\$", translate(r"^[$]\$a$").pattern) == []
