"""The branches that a value can be meant for are found by its type and by its tag."""

from __future__ import annotations

from typing import Any

from gateway.core.schema.choices import candidates
from gateway.core.schema.shapes import Shapes


def _form(*names: Any, tag: str = "type", required: bool = True) -> dict[str, Any]:
    return {
        "type": ["object"],
        "required": [tag] if required else [],
        "properties": {tag: {"enum": list(names)}},
    }


def _candidates(*branches: Any) -> Any:
    shapes = Shapes({})
    return candidates([shapes.of(branch) for branch in branches])


def test_by_type() -> None:
    """Every Python type of a JSON value has the branches that allow it; a number may be an integer."""
    found = _candidates({"type": ["string"]}, {"type": ["integer", "null"]}, {"type": ["number"]}, {}, False)
    assert found.by_type == {
        str: (0, 3),
        bool: (3,),
        int: (1, 2, 3),
        float: (1, 2, 3),
        list: (3,),
        dict: (3,),
        type(None): (1, 3),
    }
    assert found.tag is None


def test_by_tag() -> None:
    """A property that every branch for objects requires, with strings listed, tells them apart."""
    found = _candidates(_form("a", "b"), {"type": ["string"]}, _form("b", "c"))
    assert (found.tag, found.by_tag) == ("type", {"a": (0,), "b": (0, 2), "c": (2,)})
    assert found.by_type[dict] == (0, 2)


def test_no_tag() -> None:
    """It is no tag when there is one branch for objects only, when it may be missing, or is no string."""
    assert _candidates(_form("a"), {"type": ["string"]}).tag is None
    assert _candidates(_form("a"), _form("b", required=False)).tag is None
    assert _candidates(_form("a"), _form("b", 1)).tag is None
    assert _candidates(_form("a"), _form("b", tag="kind")).tag is None
    assert _candidates(_form("a"), _form("b"), {}).tag is None
