"""How often a schema asks about one value: what tells whether code that remembers nothing stays linear.

A value can be judged by several schemas, and by the same one several times: two branches that both lead on to
the same definition ask twice about each member, and where definitions are circular they ask twice as often
at every level. Counted here, before anything runs, is how many schemas at most are asked about one value so
and so deep inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.schema.plain import IN_PLACE, inner_schemas
from gateway.core.schema.references import circles, references

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from gateway.core.types import Json, Plain

MAX_DEPTH: Final = 200
"""How deep a value can nest at most: the limit of ``body.max_depth``."""
MAX_EFFORT: Final = 1000
"""How many schemas may be asked about one value, all in all."""


class Efforts:
    """Tells for which definitions, and for which schemas that refer to them, the effort is bounded.

    A definition whose effort is not bounded counts as one schema in those that refer to it: it is to be
    judged by what remembers its verdicts. The definitions may not change afterwards.
    """

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._efforts: dict[str, list[int]] = {}
        self._unbounded: set[str] = set()
        self._growing: frozenset[str] = frozenset()

    def bounded(self, schema: Plain) -> bool:
        """Say whether a schema asks at most :data:`MAX_EFFORT` others about any one value."""
        self._settle(schema)
        return self._rest([schema], lambda depth: [self._measure(schema, depth)]) is not None

    def bounded_definition(self, name: str) -> bool:
        """Say the same of a definition that a schema refers to which was asked about."""
        return name not in self._unbounded

    def _settle(self, schema: Plain) -> None:
        """Measure all definitions that a schema can lead to, those first that others refer to."""
        links: dict[str, Collection[str]] = {}
        pending = list(references(schema))
        while pending:
            name = pending.pop()
            if name not in links and name not in self._efforts:
                links[name] = set(references(self._definitions[name]))
                pending += links[name]
        for circle in circles(links):
            if not self._grow(circle):
                self._unbounded.update(circle)
                self._efforts.update((name, [1, 0]) for name in circle)

    def _grow(self, circle: Sequence[str]) -> bool:
        """Measure definitions that refer to one another; say whether they stay in bounds."""
        self._efforts.update((name, []) for name in circle)
        self._growing = frozenset(circle)
        rest = self._rest(
            [self._definitions[name] for name in circle],
            lambda depth: [self._effort(name, depth) for name in circle],
        )
        self._growing = frozenset()
        if rest is None:
            return False
        for known in (self._efforts[name] for name in circle):
            known[rest:] = [max(known[rest:])]
            while known[-2:-1] == known[-1:]:  # the last one goes on for ever
                known.pop()
        return True

    def _rest(self, schemas: Sequence[Plain], measure: Callable[[int], list[int]]) -> int | None:
        """Measure level by level; give the one where it begins to repeat itself, None beyond the bounds.

        A level follows from those above that the schemas themselves reach up to, and from what they refer to.
        When the latter is at rest and the former are as they were once before, so is all that follows.
        """
        reach = max(map(_height, schemas))
        others = (len(self._efforts[name]) for schema in schemas for name in references(schema))
        start = reach + max(others, default=0)
        levels: list[tuple[int, ...]] = []
        seen: dict[tuple[tuple[int, ...], ...], int] = {}
        for depth in range(MAX_DEPTH):
            levels.append(tuple(measure(depth)))
            if max(levels[-1]) > MAX_EFFORT:
                return None
            if depth >= start:
                first = seen.setdefault(tuple(levels[-reach - 1 :]), depth)
                if first < depth:
                    return first
        return MAX_DEPTH - 1

    def _effort(self, name: str, depth: int) -> int:
        known = self._efforts[name]
        if depth == len(known) and name in self._growing:
            # On one level references never lead in a circle (see the plain form), so this comes to an end.
            known.append(self._measure(self._definitions[name], depth))
        return known[min(depth, len(known) - 1)]

    def _measure(self, schema: Plain, depth: int) -> int:
        """Count the schemas that are asked about a value ``depth`` levels below the one that is judged."""
        if isinstance(schema, bool):
            return 0
        count = sum(self._measure(one, depth) for one in inner_schemas(schema, IN_PLACE))
        if "$ref" in schema:
            count += self._effort(schema["$ref"], depth)
        if not depth:
            return count + 1
        names = self._measure(schema.get("propertyNames", True), depth - 1)
        return (
            count
            + names
            + max(self._below(_MEMBERS, schema, depth - 1), self._below(_ITEMS, schema, depth - 1))
        )

    def _below(self, keywords: Sequence[tuple[str, ...]], schema: Mapping[str, Json], depth: int) -> int:
        """Count what is asked about a member or item: one schema of the first kind, all of the second."""
        one, every = (
            [self._measure(inner, depth) for inner in inner_schemas(schema, names)] for names in keywords
        )
        return max(one, default=0) + sum(every)


_MEMBERS: Final = (("properties", "additionalProperties"), ("patternProperties", "unevaluatedProperties"))
_ITEMS: Final = (("prefixItems", "items"), ("contains", "unevaluatedItems"))


def _height(schema: Plain) -> int:
    """Say how deep schemas are nested in a schema."""
    if isinstance(schema, bool):
        return 0
    return 1 + max(map(_height, inner_schemas(schema)), default=0)
