"""References to environment variables in strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.environment import FromEnvironment, Unresolved, escape, substitute, substitute_all

ENVIRON = {"HOST": "example.org", "EMPTY": "", "TRICKY": "${HOST} $$"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${HOST}", "example.org"),
        ("http://${HOST}:80/", "http://example.org:80/"),
        ("${NONE:-8080}", "8080"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${EMPTY}", ""),
        ("${HOST:-other}", "example.org"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b$$c}", "a:-b$c"),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$example.org"),
        ("cost: $5, ^a$", "cost: $5, ^a$"),
        ("${TRICKY}", "${HOST} $$"),
    ],
)
def test_substitution(text: str, result: str) -> None:
    """Values go in as they are: what a variable holds is not searched for references again."""
    assert substitute(text, ENVIRON) == (result, [])


@pytest.mark.parametrize(
    "text", ["${", "${}", "${1A}", "${A-b}", "${A", "${ A }", "${NONE:-${HOST}}", "a${:-b}"]
)
def test_malformed_references(text: str) -> None:
    found, faults = substitute(text, ENVIRON)
    assert isinstance(found, Unresolved)
    assert faults
    assert all(
        fault.startswith("malformed reference: expected ${NAME} or ${NAME:-default}") for fault in faults
    )


def test_every_missing_variable_is_a_fault() -> None:
    assert substitute("${A} ${HOST} ${B}", ENVIRON)[1] == [
        "environment variable A is not set",
        "environment variable B is not set",
    ]


def test_what_came_from_the_environment_is_marked() -> None:
    """Only then do digits make a number, and does no fault repeat the text."""
    assert isinstance(substitute("${HOST}", ENVIRON)[0], FromEnvironment)
    assert isinstance(substitute("a${NONE:-1}", ENVIRON)[0], FromEnvironment)
    assert type(substitute("a$$", ENVIRON)[0]) is str


@given(st.text())
def test_an_escaped_text_is_itself(text: str) -> None:
    """Any text can be written in a configuration."""
    assert substitute(escape(text), {}) == (text, [])


@given(st.text(), st.text("${}ab\\", max_size=12))
def test_values_are_never_interpreted(value: str, around: str) -> None:
    """Whatever a variable holds comes through as it is."""
    around = escape(around)
    assert substitute(f"{around}${{V}}", {"V": value})[0] == around.replace("$$", "$") + value


@given(st.text("${}:-$AB_1", max_size=20))
def test_substitution_never_raises(text: str) -> None:
    """Each string either has a result or at least one fault, never both, never an exception."""
    found, faults = substitute(text, {"A": "x"})
    assert isinstance(found, Unresolved) == bool(faults)


def test_strings_at_any_depth_but_not_keys() -> None:
    faults: list[tuple[tuple[str | int, ...], str]] = []
    value = substitute_all(
        {"${HOST}": ["${HOST}", {"k": "${NONE}"}, 1, None]}, ENVIRON, lambda *fault: faults.append(fault)
    )
    assert value == {"${HOST}": ["example.org", {"k": "${NONE}"}, 1, None]}
    assert faults == [(("${HOST}", 1, "k"), "environment variable NONE is not set")]
