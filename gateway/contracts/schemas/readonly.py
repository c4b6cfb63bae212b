"""``readOnly`` properties: no request may have them, so none is required of a request.

OpenAPI 3.0.3, "Schema Object". What is ``readOnly`` may be said where the property stands or where its schema
refers to, and ``required`` may stand in another schema of the same object. So names are collected over all
that judge one object for certain: a schema, its ``allOf``, and what they refer to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.contracts.schemas.resources import ELSEWHERE
from gateway.contracts.sources import ReferenceFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.contracts.schemas.links import Links, Scope
    from gateway.contracts.schemas.resources import Path
    from gateway.contracts.sources import Sources


class ReadOnly:
    """Tells which properties are ``readOnly``; in most documents none is, and nothing is looked at."""

    def __init__(self, links: Links, sources: Sources) -> None:
        self._links = links
        self._sources = sources
        self._active = not links.signs.isdisjoint(("readOnly", ELSEWHERE))
        self._names: dict[int, frozenset[str]] = {}
        self._flags: dict[int, bool] = {}

    def within(self, schema: dict[str, Any], path: Path, scope: Scope) -> Scope:
        """Give the scope of ``schema`` with the names that cannot be required in it."""
        if not self._active or not scope.dialect.openapi:
            return scope
        return self._links.dropping(scope, scope.dropped | self.names(schema, path, scope))

    def names(self, schema: Any, path: Path, scope: Scope) -> frozenset[str]:
        """Give the ``readOnly`` properties of the objects that ``schema`` judges."""
        if not self._active or not isinstance(schema, dict) or not scope.dialect.openapi:
            return frozenset()
        known = self._names.get(id(schema))
        if known is None:
            known = self._names[id(schema)] = frozenset(
                name
                for one, where, inner in self._parts(schema, path, scope)
                for name, member in _properties(one)
                if self.is_read_only(member, (*where, "properties", name), inner)
            )
        return known

    def is_read_only(self, schema: Any, path: Path, scope: Scope) -> bool:
        """Tell whether a property with this schema is ``readOnly``."""
        if not self._active or not isinstance(schema, dict) or not scope.dialect.openapi:
            return False
        known = self._flags.get(id(schema))
        if known is None:
            known = any(one.get("readOnly") is True for one, _, _ in self._parts(schema, path, scope))
            self._flags[id(schema)] = known
        return known

    def _parts(
        self, schema: dict[str, Any], path: Path, scope: Scope
    ) -> Iterator[tuple[dict[str, Any], Path, Scope]]:
        """Give the schemas that judge whatever ``schema`` judges: itself, too, where it says anything."""
        seen: set[int] = set()
        waiting: list[tuple[Any, Path, Scope]] = [(schema, path, scope)]
        while waiting:
            one, where, inner = waiting.pop()
            if not isinstance(one, dict) or id(one) in seen:
                continue
            seen.add(id(one))
            if "$ref" in one:
                waiting += self._target(one["$ref"], where, inner)
            if "$ref" in one and not inner.dialect.siblings:
                continue
            branches = one.get("allOf")
            if isinstance(branches, list):
                waiting += [
                    (branch, (*where, "allOf", index), inner) for index, branch in enumerate(branches)
                ]
            yield one, where, inner

    def _target(self, reference: object, path: Path, scope: Scope) -> list[tuple[Any, Path, Scope]]:
        """Give the schema that the one at ``path`` refers to; none if it cannot be followed."""
        try:
            place, target = self._links.target(reference, scope, scope.place((*path, "$ref")))
        except ReferenceFault:
            return []  # noted where the reference itself is read
        return [(self._sources.value(place), place.path, target)]


def _properties(schema: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    properties = schema.get("properties")
    return properties.items() if isinstance(properties, dict) else ()
