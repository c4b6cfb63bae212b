"""Fields whose names have brackets: ``a[b]=1`` and ``a[]=1``, as SDKs and deepObject parameters write them.

There is no standard for them (OpenAPI 3.1.0 has one level of ``deepObject``), so only what every reader
takes alike is read: ``name[key]`` at any depth, and ``name[]`` at the end, for one more item of an array.
A name that stands twice without being an array, an array of objects (``a[][b]``) and a place that is
written in two ways are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from gateway.core.texts.reading import ANYTHING, STRINGS, fits

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.types import Json, Reading

_NAME: Final = re.compile(r"([^\[\]]++)((?:\[[^\[\]]*+\])*+)")
_KEY: Final = re.compile(r"\[([^\[\]]*+)\]")

FieldFaultCode: TypeAlias = Literal["bad_request", "duplicate_key", "json_too_deep"]


class FieldFault(Exception):
    """Fields that cannot be read without doubt: ``name`` is the field's, ``reason`` holds nothing of it."""

    def __init__(self, code: FieldFaultCode, name: str, reason: str) -> None:
        super().__init__(reason)
        self.code: FieldFaultCode = code
        self.name = name
        self.reason = reason


class Leaf(NamedTuple):
    """What one field holds: ``text`` that is still to be read, or with ``text`` None a ``value`` as it is."""

    text: str | None
    value: Json = None


ReadText: TypeAlias = "Callable[[str, Reading, int], Json]"
"""Gives what a text stands for by a reading; an array or object may be so many levels deep."""


class Field:
    """All that was written of one field or parameter: what stands for itself, ``[]`` and ``[key]``."""

    __slots__ = ("_items", "_leaves", "_members", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._leaves: list[Leaf] = []
        self._items: list[Leaf] = []
        self._members: dict[str, Field] = {}

    def add(self, keys: tuple[str, ...], leaf: Leaf) -> None:
        """Take what stands under ``keys``, which :func:`split_name` gave."""
        field = self
        for key in keys:
            if not key:
                field._items.append(leaf)
                return
            field = field._members.setdefault(key, Field(self.name))
        field._leaves.append(leaf)  # noqa: SLF001 - of its own kind

    def read(self, reading: Reading, room: int, read_text: ReadText) -> Json:
        """Give the value, at most ``room`` levels of arrays and objects deep; raises :class:`FieldFault`."""
        if (bool(self._leaves) + bool(self._items) + bool(self._members)) > 1:
            raise FieldFault("duplicate_key", self.name, "is written in two ways")
        if room < 1 and not self._leaves:
            raise FieldFault("json_too_deep", self.name, "is nested too deep")
        if self._members:
            return {
                key: member.read(reading_of_member(reading, key), room - 1, read_text)
                for key, member in self._members.items()
            }
        if len(self._leaves) == 1:
            return self._single(self._leaves[0], reading, room, read_text)
        if self._leaves and "array" not in reading.types:
            raise FieldFault("duplicate_key", self.name, "is given more than once")
        return self._array(self._items or self._leaves, reading, room, read_text)

    def _single(self, leaf: Leaf, reading: Reading, room: int, read_text: ReadText) -> Json:
        value = leaf.value if leaf.text is None else read_text(leaf.text, reading, room)
        if "array" in reading.types and not fits(value, reading):
            return self._array([leaf], reading, room, read_text)  # an array of one item
        return value

    def _array(self, leaves: list[Leaf], reading: Reading, room: int, read_text: ReadText) -> Json:
        if room < 1:
            raise FieldFault("json_too_deep", self.name, "is nested too deep")
        items = reading.items or ANYTHING
        return [leaf.value if leaf.text is None else read_text(leaf.text, items, room - 1) for leaf in leaves]


def reading_of_member(reading: Reading, key: str) -> Reading:
    """Give the reading of an object's member; strings where the schema does not describe it."""
    return reading.properties.get(key) or reading.others or STRINGS


def split_name(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Split ``a[b][]`` into ``a`` and ``("b", "")``; None where brackets stand in any other way."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    keys = tuple(_KEY.findall(match[2]))
    return None if "" in keys[:-1] else (match[1], keys)
