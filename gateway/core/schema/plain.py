"""The plain form of a schema: what every dialect is read into, and all that the compilers know.

A plain schema is ``True``, ``False`` or a dict of the keywords below, each with its JSON Schema 2020-12
meaning and with a value of the right kind; nothing else ever stands in it. The readers in
:mod:`gateway.contracts` make it and refuse, with file and place, what it cannot say.

- ``type``: a list of type names; a float without fraction is an ``integer``, too
- ``enum`` (a list, not empty), ``const``
- ``minLength``, ``maxLength``, ``pattern`` (ECMA 262, accepted by :mod:`gateway.core.schema.pattern`),
  ``format`` (a name in :data:`gateway.core.schema.formats.FORMATS`; only where it has to hold)
- ``minimum``, ``maximum``, ``exclusiveMinimum``, ``exclusiveMaximum`` (numbers), ``multipleOf``
- ``prefixItems``, ``items`` (of what follows those), ``minItems``, ``maxItems``, ``uniqueItems``,
  ``contains`` with ``minContains`` and ``maxContains``, ``unevaluatedItems``
- ``required``, ``properties``, ``patternProperties``, ``additionalProperties``, ``propertyNames``,
  ``minProperties``, ``maxProperties``, ``dependentRequired``, ``dependentSchemas``,
  ``unevaluatedProperties``
- ``allOf``, ``anyOf``, ``oneOf``, ``not``, ``if`` / ``then`` / ``else``
- ``$ref``: a key of the definitions that go with the schema; other keywords may stand beside it. References
  may be circular, but never lead back to the same instance without going down into it.
- ``x-layer``: who set this schema and what is below it (``contract`` where nothing says otherwise)
- ``x-discriminator``: ``{"property": name, "branches": {value: index}}`` beside ``anyOf`` or ``oneOf``: which
  branch a value of that property means. It changes no verdict; it chooses what a report tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from gateway.core.types import Json, Plain

TYPES: Final = ("string", "integer", "number", "boolean", "array", "object", "null")

SCHEMA_MEMBERS: Final = frozenset(("properties", "patternProperties", "dependentSchemas"))
"""Keywords whose value maps names to schemas."""
SCHEMA_ITEMS: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
"""Keywords whose value is a list of schemas."""
SCHEMA_VALUE: Final = frozenset(
    (
        "items",
        "contains",
        "unevaluatedItems",
        "additionalProperties",
        "propertyNames",
        "unevaluatedProperties",
        "not",
        "if",
        "then",
        "else",
    )
)
"""Keywords whose value is a schema."""
IN_PLACE: Final = frozenset(("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"))
"""Keywords whose schemas judge the value itself, and not its members or items."""
ANNOTATIONS: Final = frozenset(("x-layer", "x-discriminator"))
"""Keywords that judge nothing."""


def map_schemas(schema: Mapping[str, Json], change: Callable[[Json], Json]) -> dict[str, Json]:
    """Copy a schema with each schema directly inside it changed."""
    result: dict[str, Json] = {}
    for name, value in schema.items():
        if name in SCHEMA_MEMBERS:
            result[name] = {key: change(member) for key, member in value.items()}
        elif name in SCHEMA_ITEMS:
            result[name] = [change(branch) for branch in value]
        else:
            result[name] = change(value) if name in SCHEMA_VALUE else value
    return result


def inner_schemas(schema: Mapping[str, Json], keywords: Collection[str] | None = None) -> Iterator[Plain]:
    """Give each schema directly inside a schema, or those alone that stand under one of ``keywords``."""
    for name, value in schema.items():
        if keywords is not None and name not in keywords:
            continue
        if name in SCHEMA_MEMBERS:
            yield from value.values()
        elif name in SCHEMA_ITEMS:
            yield from value
        elif name in SCHEMA_VALUE:
            yield value
