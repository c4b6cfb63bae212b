"""JSON equality: numbers by value, objects without order, booleans apart."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.schema.equality import Values, canonical, repetition

EQUAL: list[tuple[Any, Any]] = [
    (1, 1.0),
    (0, -0.0),
    ({"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}),
    ("é", "é"),
    (2**53, float(2**53)),
]
DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (0, False),
    (0, None),
    ("1", 1),
    ([], {}),
    ([1, 2], [2, 1]),
    (2**53 + 1, float(2**53)),
    ("é", "e\u0301"),
    ("", None),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_values(one: Any, other: Any) -> None:
    """Equal values have one text, are found among others, and repeat each other."""
    assert canonical(one) == canonical(other)
    assert one in Values(["x", None, other])
    assert repetition([[], one, 5.5, other]) == (1, 3)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_values(one: Any, other: Any) -> None:
    """Values that look alike and are not equal."""
    assert canonical(one) != canonical(other)
    assert one not in Values([other])
    assert repetition([one, other]) is None
