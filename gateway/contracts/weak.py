"""What an operation leaves open, in words, for ``gateway check``: what an operator may want to close.

It is told of a place only where nothing that holds there closes it: what is said beside a reference, in
``allOf`` or by a policy counts, and of several branches each is looked at together with what is around it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from gateway.core.schema.plain import TYPES
from gateway.core.types import Layer
from gateway.core.view import of_member

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.core.types import Plain, Validator

    Conjunction: TypeAlias = list[dict[str, Any]]
    """Schemas that all hold at one place, references followed and ``allOf`` opened."""

MAX_PLACES: Final = 20_000
"""How many places of one schema are looked at."""
MAX_DEPTH: Final = 32
"""How deep they may lie."""
_BRANCHES: Final = ("anyOf", "oneOf")
_OPENED: Final = frozenset((*_BRANCHES, "allOf", "$ref"))
_UNBOUNDED: Final = re.compile(r"[*+|]|\{[0-9]+,\}")
_ALL: Final = frozenset(TYPES)


class WeakSpot(NamedTuple):
    """A place and what is open there; ``place`` is empty for the whole value."""

    place: str
    what: str


def weak_spots(validator: Validator) -> tuple[WeakSpot, ...]:
    """List strings and arrays without a greatest length, objects with any property, and values of any kind.

    In the schema's order; of places that are alike because a schema refers to itself, the first.
    """
    return tuple(dict.fromkeys(_Walk(validator.definitions).places([validator.schema], "")))


class _Walk:
    """Goes through one schema, each conjunction once."""

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._seen: set[frozenset[int]] = set()
        self._by_itself: dict[int, dict[str, Any]] = {}

    def places(self, schemas: Iterable[Plain], name: str, depth: int = 0) -> Iterator[WeakSpot]:
        """Give the weak spots at the place where all of ``schemas`` hold, and below it."""
        opened = self._opened(schemas)
        if opened is None or depth > MAX_DEPTH:
            return
        key = frozenset(map(id, opened))
        if key in self._seen or len(self._seen) >= MAX_PLACES:
            return
        self._seen.add(key)
        branches = [
            branch for schema in opened for keyword in _BRANCHES for branch in schema.get(keyword, ())
        ]
        if branches:
            around = list(map(self._own, opened))
            for branch in branches:
                yield from self.places([*around, branch], name, depth)
        else:
            yield from (WeakSpot(name, what) for what in _open_ends(opened))
            yield from self._below(opened, name, depth + 1)

    def _own(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Give what a schema says by itself; the same object for the same schema, as those are compared."""
        if id(schema) not in self._by_itself:
            own = {name: value for name, value in schema.items() if name not in _OPENED}
            self._by_itself[id(schema)] = own
        return self._by_itself[id(schema)]

    def _opened(self, schemas: Iterable[Plain]) -> Conjunction | None:
        """Follow references and open ``allOf``; None where nothing can be valid."""
        opened: Conjunction = []
        waiting = list(schemas)[::-1]
        while waiting:
            schema = waiting.pop()
            if schema is False:
                return None
            if schema is True or any(schema is one for one in opened):
                continue
            opened.append(schema)
            waiting += reversed(schema.get("allOf", ()))
            if "$ref" in schema:
                waiting.append(self._definitions[schema["$ref"]])
        return opened

    def _below(self, opened: Conjunction, name: str, depth: int) -> Iterator[WeakSpot]:
        prefix = f"{name}." if name else ""
        members = (schema.get("properties", ()) for schema in opened if _is_contract(schema))
        for member in dict.fromkeys(name for properties in members for name in properties):
            held = [part for schema in opened for part in of_member(schema, member)]
            yield from self.places(held, f"{prefix}{member}", depth)
        for schema in opened:
            for value in schema.get("patternProperties", {}).values():
                yield from self.places([value], f"{prefix}*", depth)
        others = _together(opened, "additionalProperties")
        if others:
            yield from self.places(others, f"{prefix}*", depth)
        for schema in opened:
            for index, item in enumerate(schema.get("prefixItems", ())):
                yield from self.places([item], f"{name}[{index}]", depth)
        items = _together(opened, "items")
        if items:
            yield from self.places(items, f"{name}[]", depth)


def _is_contract(schema: dict[str, Any]) -> bool:
    """Tell whether a schema says what there can be, and is not a policy's that bounds what may be there."""
    return "x-layer" not in schema or schema["x-layer"] == Layer.CONTRACT.value


def _together(opened: Conjunction, keyword: str) -> list[Plain]:
    """Give the schemas that a keyword has, unless one of them is a bare true or false."""
    found = [schema[keyword] for schema in opened if keyword in schema]
    return found if all(isinstance(one, dict) for one in found) else []


def _open_ends(opened: Conjunction) -> Iterator[str]:
    """Say what nothing closes in a conjunction without branches."""
    keywords = {keyword for schema in opened for keyword in schema}
    if keywords & {"enum", "const"}:
        return
    types = _ALL
    for schema in opened:
        types &= frozenset(schema.get("type", _ALL))
    if types == _ALL:
        yield "any type"
        return
    if "string" in types and "maxLength" not in keywords and not any(map(_bounded, opened)):
        yield "string without maxLength"
    if "array" in types and "maxItems" not in keywords:
        yield "array without maxItems"
    closed = any(schema.get(keyword, True) is not True for schema in opened for keyword in _CLOSING)
    if "object" in types and not closed:
        yield "object with any additional property"


_CLOSING: Final = ("additionalProperties", "unevaluatedProperties")


def _bounded(schema: dict[str, Any]) -> bool:
    """Tell whether a pattern bounds the length; of a few that do it says no."""
    pattern = schema.get("pattern", "")
    whole = pattern.startswith("^") and pattern.endswith("$")
    return whole and not _UNBOUNDED.search(pattern)
