"""The branches that a value can be meant for are found by its type and by its tag."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.schema.choices import Candidates
from gateway.core.schema.shapes import Shapes


def _form(*names: Any, tag: str = "type", required: bool = True) -> dict[str, Any]:
    return {
        "type": ["object"],
        "required": [tag] if required else [],
        "properties": {tag: {"enum": list(names)}},
    }


def _candidates(*branches: Any) -> Candidates[int]:
    """Give the candidates among branches, which are called by their numbers."""
    shapes = Shapes({})
    return Candidates(range(len(branches)), [shapes.of(branch) for branch in branches])


def _is_tag(name: str, *branches: Any) -> bool:
    """Say whether objects are told apart by a property: those that lack it fit nothing then."""
    found = _candidates(*branches)
    return not found.of({}) and bool(found.of({name: "a"}))


def test_by_type() -> None:
    """Every Python type of a JSON value has the branches that allow it; a number may be an integer."""
    found = _candidates({"type": ["string"]}, {"type": ["integer", "null"]}, {"type": ["number"]}, {}, False)
    expected = {
        str: (0, 3),
        bool: (3,),
        int: (1, 2, 3),
        float: (1, 2, 3),
        list: (3,),
        dict: (3,),
        type(None): (1, 3),
    }
    assert found.by_type == expected
    for value in ("", True, 1, 0.5, [], {}, {"type": "a"}, None):
        assert found.of(value) == expected[type(value)]
    with pytest.raises(KeyError):
        found.of(object())


def test_by_tag() -> None:
    """A property that every branch for objects requires, with strings listed, tells them apart."""
    found = _candidates(_form("a", "b"), {"type": ["string"]}, _form("b", "c"))
    assert found.by_type[dict] == (0, 2)
    assert found.of("text") == (1,)
    by_tag = {text: found.of({"type": text}) for text in "abcd"}
    assert by_tag == {"a": (0,), "b": (0, 2), "c": (2,), "d": ()}
    for value in ({}, {"type": 1}, {"type": ["a"]}, {"kind": "a"}):
        assert found.of(value) == ()


def test_no_tag() -> None:
    """It is no tag when there is one branch for objects only, when it may be missing, or is no string."""
    assert _is_tag("type", _form("a"), _form("b"))
    assert not _is_tag("type", _form("a"), {"type": ["string"]})
    assert not _is_tag("type", _form("a"), _form("b", required=False))
    assert not _is_tag("type", _form("a"), _form("b", 1))
    assert not _is_tag("type", _form("a"), _form("b", tag="kind"))
    assert not _is_tag("type", _form("a"), _form("b"), {})
