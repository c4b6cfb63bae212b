"""JSON equality: what ``enum``, ``const`` and ``uniqueItems`` compare by (2020-12, section 4.2.2)."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.core.types import Json

_encode: Final = json.JSONEncoder(sort_keys=True).encode


def canonical(value: Json) -> str:
    """Give a text that two values share exactly when they are equal as JSON.

    ``1`` equals ``1.0`` and not ``true``; the order of an object's members does not count. Being a string, it
    can be hashed without a caller being able to choose values whose hashes collide.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)
    if kind is int:
        return str(value)
    return _encode(_plain(value))


def _plain(value: Json) -> Json:
    """Write numbers alike that are equal."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


class Values:
    """A set of JSON values; ``in`` tells membership by JSON equality.

    The cost is linear in the value asked about, and next to nothing where the set has none of its kind.
    """

    __slots__ = ("_kinds", "_others", "_strings")

    def __init__(self, values: Iterable[Json]) -> None:
        allowed = list(values)
        self._strings = frozenset(value for value in allowed if type(value) is str)
        others = [value for value in allowed if type(value) is not str]
        self._kinds = frozenset(_kind(value) for value in others)
        self._others = frozenset(map(canonical, others))

    def __contains__(self, value: Json) -> bool:
        if type(value) is str:
            return value in self._strings
        return _kind(value) in self._kinds and canonical(value) in self._others


def _kind(value: Json) -> type:
    return float if type(value) is int else type(value)


def repetition(values: Sequence[Json]) -> tuple[int, int] | None:
    """Find the first value that equals an earlier one: the index of that, and its own. None for none."""
    if len(values) < 2:
        return None
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        first = seen.setdefault(canonical(value), index)
        if first != index:
            return first, index
    return None
