"""Which values of a property a schema lets pass, where it lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.core.types import Json, Plain

Values: TypeAlias = "frozenset[str | bool | float | None] | None"
"""The only values that can pass; None says that there is no such list. Arrays and objects are left out."""


class Admitted:
    """Looks for lists of values in plain schemas and the definitions that they refer to.

    ``before`` is called with every schema that is looked into.
    """

    def __init__(self, definitions: Mapping[str, Plain], before: Callable[[dict[str, Any]], None]) -> None:
        self._definitions = definitions
        self._before = before

    def values(self, schema: Plain, name: str) -> Values:
        """Give the values that the property ``name`` can have in an object that ``schema`` lets pass."""
        return self._look(schema, name, frozenset())

    def _look(self, schema: Plain, name: str | None, within: frozenset[str]) -> Values:
        """Give the values of property ``name``, or of what ``schema`` judges for None.

        ``within`` are the definitions that are being looked into: a circle adds nothing to what it is in.
        """
        if isinstance(schema, bool):
            return None if schema else frozenset()
        self._before(schema)
        found: Values = None
        if name is None:
            found = _listed(schema)
        else:
            properties = schema.get("properties", {})
            if name in properties:
                found = self._look(properties[name], None, frozenset())
        key = schema.get("$ref")
        if key is not None and key not in within:
            found = _both(found, self._look(self._definitions[key], name, within | {key}))
        for branch in schema.get("allOf", ()):
            found = _both(found, self._look(branch, name, within))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                found = _both(found, _any(self._look(branch, name, within) for branch in schema[keyword]))
        return found


def _listed(schema: Mapping[str, Json]) -> Values:
    """Give the values that a schema lists itself."""
    if "const" in schema:
        listed = [schema["const"]]
    elif "enum" in schema:
        listed = schema["enum"]
    else:
        return frozenset((None,)) if schema.get("type") == ["null"] else None
    return frozenset(one for one in listed if not isinstance(one, dict | list))


def _both(one: Values, other: Values) -> Values:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _any(lists: Iterable[Values]) -> Values:
    found: frozenset[str | bool | float | None] = frozenset()
    for one in lists:
        if one is None:
            return None
        found |= one
    return found
