"""What a schema is known to say of the values at one place, seen through references and branches.

Proofs only go one way: what is proved holds of every value that the schema accepts; what is not proved may
hold all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.core.types import Plain

Test: TypeAlias = "Callable[[dict[str, Any]], bool]"
"""Says of one schema whether it alone makes sure of something."""

_BRANCHES: Final = ("anyOf", "oneOf")


class Bound(NamedTuple):
    """A keyword that bounds values of one type: from above (``sign`` 1) or from below (-1)."""

    kind: str
    sign: int


BOUNDS: Final = {
    "maxLength": Bound("string", 1),
    "maxItems": Bound("array", 1),
    "maxProperties": Bound("object", 1),
    "maximum": Bound("number", 1),
    "exclusiveMaximum": Bound("number", 1),
    "minLength": Bound("string", -1),
    "minItems": Bound("array", -1),
    "minProperties": Bound("object", -1),
    "minimum": Bound("number", -1),
    "exclusiveMinimum": Bound("number", -1),
}


def excludes(schema: Mapping[str, Any], kind: str) -> bool:
    """Whether a schema's own ``type`` leaves out all values, or for ``number`` some, of a JSON type."""
    types = schema.get("type")
    return types is not None and kind not in types and not (kind == "integer" and "number" in types)


class View:
    """What a schema in plain form says of the values at one place.

    ``proves(test)`` whether ``test`` holds of a schema that all of those values keep to: one that is reached
    through ``$ref`` and ``allOf`` alone, or one in each branch of an ``anyOf`` or ``oneOf``. Where no value
    can be, everything is proved. ``schemas`` are all that may apply to one of the values.
    """

    __slots__ = ("_definitions", "_roots", "proves")

    def __init__(
        self, definitions: Mapping[str, Plain], proves: Callable[[Test], bool], roots: Sequence[Plain]
    ) -> None:
        self._definitions = definitions
        self._roots = roots
        self.proves = proves

    @classmethod
    def of(cls, schema: Plain, definitions: Mapping[str, Plain]) -> Self:
        """Look at the values of a whole schema."""
        return cls(definitions, lambda test: proves(schema, definitions, test), [schema])

    def schemas(self) -> Iterator[dict[str, Any]]:
        """Give every schema that may apply to a value at this place, each once."""
        seen: set[int] = set()
        waiting = list(reversed(self._roots))
        while waiting:
            schema = waiting.pop()
            if isinstance(schema, bool) or id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema
            waiting += reversed(list(self._beside(schema)))

    @property
    def possible(self) -> bool:
        """Whether a value may be here at all, as far as is known."""
        return not self.proves(lambda _schema: False)

    def names(self, name: str) -> bool:
        """Whether a schema at this place names the property ``name`` as one that may be there."""
        return any(schema.get("properties", {}).get(name, False) is not False for schema in self.schemas())

    def member(self, name: str) -> View:
        """Look at the values of one property."""
        return self._inside("object", lambda schema: of_member(schema, name))

    def items(self) -> View:
        """Look at the items of an array."""
        return self._inside(
            "array", lambda schema: [*schema.get("prefixItems", ()), schema.get("items", True)]
        )

    def members(self) -> View:
        """Look at the values of all properties."""
        return self._inside("object", _members)

    def member_names(self) -> View:
        """Look at the names of all properties."""
        return self._inside("object", lambda schema: [schema.get("propertyNames", True)])

    def _inside(self, kind: str, parts: Callable[[dict[str, Any]], list[Plain]]) -> View:
        """Look at values inside those here; ``parts`` gives the schemas that they keep to."""

        def inside(test: Test) -> bool:
            return self.proves(
                lambda schema: (
                    excludes(schema, kind)
                    or all(proves(part, self._definitions, test) for part in parts(schema))
                )
            )

        return View(self._definitions, inside, [part for schema in self.schemas() for part in parts(schema)])

    def _beside(self, schema: dict[str, Any]) -> Iterator[Plain]:
        if "$ref" in schema:
            yield self._definitions.get(schema["$ref"], True)
        for keyword in ("allOf", *_BRANCHES):
            yield from schema.get(keyword, ())
        for keyword in ("then", "else"):
            if keyword in schema:
                yield schema[keyword]
        yield from schema.get("dependentSchemas", {}).values()


def proves(schema: Plain, definitions: Mapping[str, Plain], test: Test) -> bool:
    """Whether ``test`` holds of a schema that all values of ``schema`` keep to; see :class:`View`."""
    if isinstance(schema, bool):
        return not schema
    if test(schema):
        return True
    if "$ref" in schema and proves(definitions.get(schema["$ref"], True), definitions, test):
        return True
    if any(proves(part, definitions, test) for part in schema.get("allOf", ())):
        return True
    return any(
        keyword in schema and all(proves(branch, definitions, test) for branch in schema[keyword])
        for keyword in _BRANCHES
    )


def forbids(schema: Mapping[str, Any], name: str) -> bool:
    """Whether a schema alone forbids the property ``name``."""
    return of_member(schema, name) == [False]


def of_member(schema: Mapping[str, Any], name: str) -> list[Plain]:
    """Give what a schema alone says of the property ``name``, as far as is known without its patterns."""
    properties = schema.get("properties", {})
    if name in properties:
        return [properties[name]]
    return [True if "patternProperties" in schema else schema.get("additionalProperties", True)]


def _members(schema: Mapping[str, Any]) -> list[Plain]:
    named = [*schema.get("properties", {}).values(), *schema.get("patternProperties", {}).values()]
    return [*named, schema.get("additionalProperties", True)]


def closed(schema: Mapping[str, Any]) -> bool:
    """Whether a schema alone forbids all properties that it does not name."""
    return schema.get("additionalProperties") is False and "patternProperties" not in schema


def keeps(view: View, keyword: str, limit: float) -> bool:
    """Whether all values at a place keep to ``limit`` in what ``keyword``, one of :data:`BOUNDS`, bounds."""
    kind, sign = BOUNDS[keyword]

    def kept(schema: Mapping[str, Any]) -> bool:
        if excludes(schema, kind) and (kind != "number" or excludes(schema, "integer")):
            return True
        return keyword in schema and schema[keyword] * sign <= limit * sign

    return view.proves(kept)


def tightest(view: View, keyword: str) -> float | None:
    """Give the tightest bound of ``keyword`` that all values at a place keep to; None where none is known."""
    sign = BOUNDS[keyword].sign
    found = {schema[keyword] * sign for schema in view.schemas() if keyword in schema}
    return next((bound * sign for bound in sorted(found) if keeps(view, keyword, bound * sign)), None)
