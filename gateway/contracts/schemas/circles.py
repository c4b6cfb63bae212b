"""Chains of references that never go down into the value, and circles of them, which would never end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.types import Plain

MAX_CHAIN: Final = 64
"""How many references may follow on each other that judge the same value."""

_SAME_ITEMS: Final = ("allOf", "anyOf", "oneOf")
_SAME_VALUE: Final = ("not", "if", "then", "else")


class CircleFinder:
    """Looks for such chains among definitions, each of which is looked at once."""

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._lengths: dict[str, int] = {}

    def find(self) -> Iterator[tuple[str, str]]:
        """Give a definition of each circle or long chain among those that are new, and what is wrong."""
        for key in self._definitions:
            if key not in self._lengths:
                yield from self._walk(key)

    def _walk(self, start: str) -> Iterator[tuple[str, str]]:
        """Walk depth first, without recursion: a chain can be long."""
        way = {start: 0}  # the longest chain below each, as far as it is known
        stack = [_same_value(self._definitions[start])]
        while stack:
            key = next(stack[-1], None)
            if key is None:
                stack.pop()
                done, length = way.popitem()
                self._lengths[done] = length
                if length == MAX_CHAIN + 1:
                    yield done, f"more than {MAX_CHAIN} references to the same value follow on each other"
                key = done
            elif key in way:
                yield key, "the schema refers to itself without going down into the value"
                continue
            elif key not in self._lengths:
                way[key] = 0
                stack.append(_same_value(self._definitions[key]))
                continue
            if way:
                last = next(reversed(way))
                way[last] = max(way[last], self._lengths[key] + 1)


def _same_value(schema: Plain) -> Iterator[str]:
    """Give the definitions that judge the very value that ``schema`` judges."""
    if isinstance(schema, bool):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for name in _SAME_ITEMS:
        for branch in schema.get(name, ()):
            yield from _same_value(branch)
    for name in _SAME_VALUE:
        if name in schema:
            yield from _same_value(schema[name])
    for branch in schema.get("dependentSchemas", {}).values():
        yield from _same_value(branch)
