"""Fields with brackets in their names become arrays and objects, each in one way."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.texts.brackets import Field, FieldFault, Leaf, split_name
from gateway.core.texts.reading import read_text, reading_of


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ("a", ())),
        ("a[b]", ("a", ("b",))),
        ("a[]", ("a", ("",))),
        ("a[b][c][]", ("a", ("b", "c", ""))),
        ("", None),
        ("[a]", None),
        ("a[][b]", None),
        ("a[b", None),
        ("a]b", None),
        ("a[b]c", None),
        ("a[[b]]", None),
        ("a" + "[" * 100_000, None),
    ],
)
def test_names(name: str, parts: Any) -> None:
    """Keys stand in brackets at the end; empty ones only last."""
    assert split_name(name) == parts


def read(schema: Any, *pairs: tuple[tuple[str, ...], Any], room: int = 9) -> Any:
    field = Field("f")
    for keys, value in pairs:
        field.add(keys, Leaf(value) if isinstance(value, str) else Leaf(None, value))
    return field.read(reading_of(schema, {}), room, lambda text, reading, _: read_text(text, reading))


INTEGERS = {"type": ["array"], "items": {"type": ["integer"]}}
TREE = {"type": ["object"], "properties": {"n": {"type": ["integer"]}, "l": INTEGERS}}


@pytest.mark.parametrize(
    ("schema", "pairs", "value"),
    [
        ({"type": ["integer"]}, [((), "1")], 1),
        (INTEGERS, [((), "1")], [1]),
        (INTEGERS, [((), "1"), ((), "2")], [1, 2]),
        (INTEGERS, [(("",), "1")], [1]),
        (INTEGERS, [((), [1])], [1]),
        (INTEGERS, [((), 1)], [1]),
        ({"type": ["array"]}, [((), "1")], ["1"]),
        (TREE, [(("n",), "1"), (("l", ""), "2"), (("x",), "3")], {"n": 1, "l": [2], "x": "3"}),
        (TREE, [(("l",), "1"), (("n",), "1"), (("l",), "2")], {"l": [1, 2], "n": 1}),
        (TREE, [(("l", "0"), "1")], {"l": {"0": "1"}}),
        (True, [((), "1"), ((), "2")], ["1", "2"]),
    ],
)
def test_values(schema: Any, pairs: Any, value: Any) -> None:
    """A field is a scalar, an array or an object by its schema and by how it is written."""
    assert read(schema, *pairs) == value


@pytest.mark.parametrize(
    ("pairs", "room", "code"),
    [
        ([(("n",), "1"), (("n",), "2")], 9, "duplicate_key"),
        ([((), "1"), ((), "2")], 9, "duplicate_key"),
        ([((), "1"), (("n",), "2")], 9, "duplicate_key"),
        ([(("l",), "1"), (("l", ""), "2")], 9, "duplicate_key"),
        ([(("l", "a"), "1"), (("l", ""), "2")], 9, "duplicate_key"),
        ([(("l", ""), "1")], 1, "json_too_deep"),
        ([(("l",), "1")], 1, "json_too_deep"),
        ([(("a", "b"), "1")], 1, "json_too_deep"),
    ],
)
def test_faults(pairs: Any, room: int, code: str) -> None:
    """A place twice, a place in two ways, and more levels than allowed are refused."""
    with pytest.raises(FieldFault) as caught:
        read(TREE, *pairs, room=room)
    assert (caught.value.code, caught.value.name) == (code, "f")
