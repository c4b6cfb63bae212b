"""Patterns mean what ECMA 262 says on both engines, and none is accepted that could take too long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.schema import pattern as module
from gateway.core.schema.ecma import read_pattern
from gateway.core.schema.pattern import PatternFault, matcher

if TYPE_CHECKING:
    from collections.abc import Callable


def on_python(pattern: str) -> bool:
    """Say whether Python's engine takes a pattern."""
    return isinstance(getattr(matcher(pattern), "__self__", None), re.Pattern)


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
        (r"^[\W]$", ["-", "é"], ["a"]),
        (r"^[a-]$", ["a", "-"], ["b"]),
        ("^[^]$", ["\n", "😀"], ["", "ab"]),
        (r"^\$\.\/\x41\u0042\u{1F600}$", ["$./AB😀"], ["$./ab😀"]),
        (r"^\ud83d\ude00\cA\0$", ["😀\x01\0"], ["😀\x01"]),
        (r"^(?:ab|cd)e?$", ["ab", "cde"], ["abcd", ""]),
        (r"^(ab)+$", ["abab"], ["aba"]),
        (r"^(?<pair>ab){2}$", ["abab"], ["ab"]),
        (r"^a{2,}?$", ["aa", "aaa"], ["a"]),
        (r"^a{0}b$", ["b"], ["ab"]),
        (r"\bx\b", ["a x b", "éx"], ["axb", "_x"]),
        (r"\B", ["", "ab", "é"], ["a", "a b"]),
        (r"^a|b$", ["ac", "cb"], ["ca"]),
        ("x", ["axb"], ["a"]),
        (r"[\b\t]", ["\b", "\t"], ["b", "t"]),
        ("", ["", "a"], []),
        # These are not for an engine that backtracks.
        ("^(a+)+$", ["a" * 40], ["a" * 40 + "b"]),
        ("^(a|aa)+$", ["a" * 40], ["a" * 40 + "b"]),
        ("^(a*)*$", ["", "aa"], ["b"]),
        ("^((ab)?c)*$", ["abcc"], ["ab"]),
        ("a+b", ["xaab"], ["a" * 10_000]),
        ("^.*.*x", ["aax"], ["a" * 10_000]),
        ("^" + "a?" * 30 + "$", ["a" * 30], ["a" * 31]),
        (r"^x{1,90}y{1,90}z{1,90}\b", ["xyz"], ["xyzz" + "a" * 90]),
        (r"^(?:\p{Lu}|\d)+$", ["AÉ1"], ["Aé", "٣"]),
        (r"^\P{L}$", ["1"], ["é"]),
        (r"^[^\p{Script=Greek}a]$", ["b"], ["λ", "a"]),
        (r"(?:\Bx)+\b", ["ax", "axx"], ["x"]),
        (r"^(?:\s\w+)*$", ["\u00a0a", " a b"], [" a é"]),
    ],
)
def test_ecma_meaning(pattern: str, matching: list[str], others: list[str]) -> None:
    """Each pattern matches as ECMA 262 with the u flag would, found anywhere unless anchored."""
    found = matcher(pattern)
    assert [text for text in matching if not found(text)] == []
    assert [text for text in others if found(text)] == []


@pytest.mark.parametrize(
    ("pattern", "cheap"),
    [
        ("^[A-Za-z0-9_-]{1,256}$", True),
        (r"^[^]{1,32768}$", True),
        (r"^\d{4}-\d{2}$", True),
        ("^a+$", True),
        ("^(?:ab)*c$", True),
        ("a", True),
        ("a|b", True),
        ("^a|^b", True),
        ("^a+|^b+", False),
        ("a+", False),
        ("^a+b+", False),
        ("^(a+)+", False),
        ("^(a|b)*", False),
        ("^x{1,900}y{1,900}$", False),
        ("a{1,100}b{1,100}", False),
        (r"\p{L}", False),
    ],
)
def test_python_s_engine_takes_what_is_cheap_for_it(pattern: str, *, cheap: bool) -> None:
    """The engine that backtracks gets what it cannot backtrack much on; all else goes to the linear one."""
    assert on_python(pattern) is cheap


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "looks around"),
        ("a+[b]{1001}", "too large"),
        ("^(?:a?b?){10000}$", "too large"),
        (r"^(?:\p{L}{300}){3}$", "too large"),
        (r"\p{Nonsense}", "Nonsense is not known"),
        (r"[\p{L}\P{Script=Nobody}]", "Script=Nobody is not known"),
    ],
)
def test_what_cannot_be_linear_is_refused(pattern: str, reason: str) -> None:
    """Look-arounds, unknown properties and patterns too large for the linear engine are faults."""
    with pytest.raises(PatternFault, match=reason):
        matcher(pattern)


characters = st.sampled_from(list("ab1_ -éÉ😀\n\r\t\v\0/,'\x85\u2028\u00a0٣&~#"))
escapes = st.sampled_from(
    [*(rf"\{letter}" for letter in "dDwWsStn$./]^-"), r"\cA", r"\0", r"\x41", r"\u00e9", r"\u{1F600}"]
)
class_parts = (
    characters.filter(lambda one: one != "-")
    | escapes
    | st.sampled_from(["a-c", "0-9", "[", "^", "$", "&&", "~~", "|", r"\b", "(", "#", "1-é"])
)
classes = st.builds(
    lambda no, parts, last: f"[{no}{''.join(parts)}{last}]",
    st.sampled_from(["", "^"]),
    st.lists(class_parts, min_size=1, max_size=3),
    st.sampled_from(["", "-"]),
)
atoms = characters | escapes | classes | st.just(".")
quantifiers = st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,2}", "{1,}?"])


def _sequences(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    grouped = st.builds("{}{})".format, st.sampled_from(["(", "(?:"]), inner)
    repeated = st.builds("{}{}".format, atoms | grouped, quantifiers)
    edges = st.sampled_from(["^", "$", r"\b", r"\B"])
    sequence = st.lists(repeated | edges, max_size=3).map("".join)
    return sequence | st.builds("{}|{}".format, sequence, sequence)


patterns = st.recursive(atoms, _sequences, max_leaves=6)
texts = st.lists(st.text(characters, max_size=6), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None)
@given(patterns, texts)
def test_both_engines_agree(pattern: str, some: list[str]) -> None:
    """A pattern written for Python and the same one written for the linear engine match the same texts."""
    tree = read_pattern(pattern)
    python: Callable[[str], object] = re.compile(module._python(tree)).search
    linear = module._rust_engine(module._rust(tree))
    assert linear is not None
    for text in some:
        assert bool(python(text)) is bool(linear(text))
