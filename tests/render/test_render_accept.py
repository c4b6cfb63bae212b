"""Which dialect a client gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.render import Dialect, choose_dialect


@pytest.mark.parametrize("default", ["openai", "problem"])
@pytest.mark.parametrize(
    "accept",
    [
        None,
        b"",
        b"*/*",
        b"application/json",
        b"application/*",
        b"text/html, application/json;q=0.9",
        b"application/problem+jsonx",
        b"application/problem+json;q=2",
        b"application/problem+json;q=0.1234",
        b"application/problem+json;q=nan",
        b"x-application/problem+json",
    ],
)
def test_who_does_not_name_problem_json_gets_the_default(accept: bytes | None, default: Dialect) -> None:
    """Absent, wildcard, other and malformed elements decide nothing."""
    assert choose_dialect(accept, default) == default


@pytest.mark.parametrize("default", ["openai", "problem"])
@pytest.mark.parametrize(
    ("accept", "dialect"),
    [
        (b"application/problem+json", "problem"),
        (b"Application/Problem+JSON", "problem"),
        (b"application/json, application/problem+json", "problem"),
        (b"application/json;q=0.5 , application/problem+json ; q=0.5", "problem"),
        (b"application/problem+json;charset=utf-8;Q=1.000", "problem"),
        (b"application/problem+json;q=0.001, */*", "problem"),
        (b"application/problem+json;q=0.4, application/json;q=0.5", "openai"),
        (b"application/problem+json;q=0.9, application/json", "openai"),
        (b"application/problem+json;q=0", "openai"),
        (b"application/problem+json;q=0.000", "openai"),
        (
            b"application/problem+json;q=0.1, application/problem+json;q=0.8, application/json;q=0.5",
            "problem",
        ),
    ],
)
def test_who_names_problem_json_decides(accept: bytes, dialect: Dialect, default: Dialect) -> None:
    assert choose_dialect(accept, default) == dialect


@given(
    st.lists(
        st.sampled_from([b"application/problem+json", b"application/json", b";q=", b"0.5", b",", b"\xff"])
    )
)
def test_no_accept_field_is_too_odd(parts: list[bytes]) -> None:
    """Any bytes give one of the two dialects."""
    assert choose_dialect(b"".join(parts), "openai") in ("openai", "problem")
