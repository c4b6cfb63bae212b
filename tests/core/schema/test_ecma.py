"""ECMA 262 patterns are read as its grammar says, and what is no such pattern is a fault with a reason."""

from __future__ import annotations

import pytest

from gateway.core.schema.ecma import Characters, Choice, Edge, PatternFault, Repeat, read_pattern


def _one(character: str) -> Characters:
    return Characters(((ord(character), ord(character)),))


def test_a_pattern_is_a_tree() -> None:
    """Alternatives hold sequences, repetitions hold what is repeated, and groups are alternatives again."""
    assert read_pattern("^a{2,}?(?:b|)+|$") == Choice(
        (
            (
                Edge("^"),
                Repeat(_one("a"), 2, None),
                Repeat(Choice(((_one("b"),), ())), 1, None),
            ),
            (Edge("$"),),
        )
    )


@pytest.mark.parametrize(
    ("pattern", "characters"),
    [
        (r"\cJ", _one("\n")),
        (r"\0", _one("\0")),
        (r"\x41", _one("A")),
        (r"\u0041", _one("A")),
        (r"\u{0000000041}", _one("A")),
        (r"\ud83d\ude00", _one("😀")),
        (r"\-", _one("-")),
        (r"\_", _one("_")),
        ("/", _one("/")),
        (r"[\b]", _one("\b")),
        (r"[\-]", _one("-")),
        ("[a-]", Characters(((0x2D, 0x2D), (0x61, 0x61)))),
        ("[ab-dc-f]", Characters(((0x61, 0x66),))),
        (r"[\D]", Characters(((0, 0x2F), (0x3A, 0x10FFFF)))),
        (r"[^\d]", Characters(((0x30, 0x39),), negated=True)),
        ("[^]", Characters((), negated=True)),
        (r"\p{Lu}", Characters((), (("Lu", False),))),
        (r"[^a\P{Script=Greek}]", Characters(((0x61, 0x61),), (("Script=Greek", True),), negated=True)),
    ],
)
def test_sets_of_characters(pattern: str, characters: Characters) -> None:
    """Every spelling of a character or a class becomes code points, in order and joined."""
    assert read_pattern(pattern) == Choice(((characters,),))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "does not end"),
        (")", "was not opened"),
        ("a)", "was not opened"),
        ("[a", "class does not end"),
        ("[a-", "class does not end"),
        ("[]", "class is empty"),
        ("[z-a]", "out of order"),
        (r"[\d-z]", "several characters"),
        (r"[a-\d]", "several characters"),
        (r"[--\p{L}]", "several characters"),
        ("a{2,1}", "out of order"),
        ("a{1234567890}", "too large"),
        ("a{1,1234567890}", "too large"),
        ("*", "nothing to repeat"),
        ("+a", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        (r"\b?", "nothing to repeat"),
        ("a**", "nothing to repeat"),
        ("{", "escaped"),
        ("}", "escaped"),
        ("]", "escaped"),
        ("a{", "escaped"),
        ("x{,3}", "escaped"),
        (r"\1", "refers back"),
        (r"\k<a>", "refers back"),
        ("(?=a)", "looks around"),
        ("(?!a)", "looks around"),
        ("(?<=a)", "looks around"),
        ("(?<!a)", "looks around"),
        ("(?i)a", "unknown way"),
        ("(?i:a)", "unknown way"),
        ("(?P<n>a)", "unknown way"),
        ("(?<1>a)", "name"),
        ("(?<n>a)(?<n>b)", "name"),
        (r"\p", "names no property"),
        (r"\p{L", "names no property"),
        (r"\p{L-}", "names no property"),
        (r"\c1", "no meaning"),
        (r"\00", "no meaning"),
        (r"\a", "no meaning"),
        (r"\é", "no meaning"),
        (r"\x4", "no meaning"),
        (r"\u{}", "no meaning"),
        ("\\", "no meaning"),
        (r"\ud800", "scalar value"),
        (r"\udc00", "scalar value"),
        (r"\u{d800}", "scalar value"),
        (r"\u{110000}", "scalar value"),
        ("a\ud800", "surrogate"),
        ("(" * 51 + ")" * 51, "nested"),
    ],
)
def test_what_is_no_linear_pattern_is_refused(pattern: str, reason: str) -> None:
    """Each fault of a pattern says what it is; what could not be matched in linear time is one, too."""
    with pytest.raises(PatternFault, match=reason):
        read_pattern(pattern)
