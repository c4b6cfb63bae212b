"""Which keywords each dialect has, and what reads them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from gateway.contracts.schemas.dialects import Dialect
from gateway.contracts.schemas.keywords import (
    read_below,
    read_branches,
    read_const,
    read_contained,
    read_dependencies,
    read_dependent_required,
    read_dependent_schemas,
    read_dialect,
    read_dynamic,
    read_enum,
    read_flag,
    read_further_items,
    read_items,
    read_length,
    read_members,
    read_number,
    read_other_members,
    read_pattern,
    read_prefix,
    read_recursive,
    read_reference,
    read_required,
    read_same,
    read_type,
)
from gateway.contracts.schemas.openapi_keywords import (
    finish_exclusive,
    finish_format,
    finish_nullable,
    note_discriminator,
    read_enclosing,
    read_older_dependencies,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.contracts.schemas.keywords import Rule, Spot
    from gateway.contracts.schemas.reader import SchemaReader
    from gateway.core.types import Json

_ANNOTATIONS: Final = (
    "$comment",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "examples",
    "format",
    "readOnly",
    "title",
    "writeOnly",
)
_DRAFT_4: Final[dict[str, Rule | None]] = {
    **dict.fromkeys(_ANNOTATIONS),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), read_length
    ),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), read_number),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), read_branches),
    **dict.fromkeys(("properties", "patternProperties"), read_members),
    "$ref": read_reference,
    "$schema": read_dialect,
    "additionalItems": read_further_items,
    "additionalProperties": read_other_members,
    "dependencies": read_dependencies,
    "enum": read_enum,
    "exclusiveMaximum": None,
    "exclusiveMinimum": None,
    "id": None,
    "items": read_items,
    "not": read_below,
    "pattern": read_pattern,
    "required": read_required,
    "type": read_type,
    "uniqueItems": read_flag,
}
_DRAFT_6: Final[dict[str, Rule | None]] = {
    **{name: rule for name, rule in _DRAFT_4.items() if name != "id"},
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), read_number),
    "$id": None,
    "const": read_const,
    "contains": read_below,
    "propertyNames": read_below,
}
_DRAFT_7: Final[dict[str, Rule | None]] = {
    **_DRAFT_6,
    "if": read_below,
    "then": read_same,
    "else": read_same,
}
_DRAFT_2019_09: Final[dict[str, Rule | None]] = {
    **{name: rule for name, rule in _DRAFT_7.items() if name != "dependencies"},
    **dict.fromkeys(("$anchor", "$defs", "$recursiveAnchor", "$vocabulary")),
    **dict.fromkeys(("minContains", "maxContains"), read_contained),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), read_below),
    "$recursiveRef": read_recursive,
    "dependentRequired": read_dependent_required,
    "dependentSchemas": read_dependent_schemas,
}
_DRAFT_2020_12: Final[dict[str, Rule | None]] = {
    **{
        name: rule
        for name, rule in _DRAFT_2019_09.items()
        if name not in {"$recursiveRef", "$recursiveAnchor", "additionalItems"}
    },
    "$dynamicAnchor": None,
    "$dynamicRef": read_dynamic,
    "items": read_below,
    "prefixItems": read_prefix,
}
_OPENAPI: Final = dict.fromkeys(
    (
        "discriminator",
        "example",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "externalDocs",
        "nullable",
        "xml",
    )
)
_OPENAPI_3_0: Final[dict[str, Rule | None]] = {
    **{
        name: rule
        for name, rule in _DRAFT_2020_12.items()
        if name not in {"$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary"}
    },
    **_OPENAPI,
    **{name: _DRAFT_7[name] for name in ("additionalItems", "dependencies", "items")},
}
_OPENAPI_3_1: Final[dict[str, Rule | None]] = {
    **_DRAFT_2020_12,
    **_OPENAPI,
    "$recursiveAnchor": None,
    "$recursiveRef": read_enclosing,
    "dependencies": read_older_dependencies,
}

RULES: Final[Mapping[Dialect, Mapping[str, Rule | None]]] = {
    Dialect.OPENAPI_3_0: _OPENAPI_3_0,
    Dialect.OPENAPI_3_1: _OPENAPI_3_1,
    Dialect.DRAFT_2020_12: _DRAFT_2020_12,
    Dialect.DRAFT_2019_09: _DRAFT_2019_09,
    Dialect.DRAFT_7: _DRAFT_7,
    Dialect.DRAFT_6: _DRAFT_6,
    Dialect.DRAFT_4: _DRAFT_4,
}
"""What reads each keyword of a dialect; None for one that judges nothing, or is in FINISHING."""

_EXCLUSIVE: Final = (("exclusiveMinimum", finish_exclusive), ("exclusiveMaximum", finish_exclusive))
_OPENAPI_FINISHING: Final[tuple[tuple[str, Rule], ...]] = (
    *_EXCLUSIVE,
    ("nullable", finish_nullable),
    ("format", finish_format),
    ("discriminator", note_discriminator),
)
FINISHING: Final[Mapping[Dialect, tuple[tuple[str, Rule], ...]]] = {
    **dict.fromkeys(Dialect, (("format", finish_format),)),
    **dict.fromkeys((Dialect.OPENAPI_3_0, Dialect.OPENAPI_3_1), _OPENAPI_FINISHING),
    Dialect.DRAFT_4: (*_EXCLUSIVE, ("format", finish_format)),
}
"""What is read of a dialect once all other keywords of a schema were: it changes what those gave."""

BESIDE: Final = frozenset(
    ("discriminator", "exclusiveMaximum", "exclusiveMinimum", "format", "nullable", "readOnly")
)
"""Keywords with a meaning that RULES does not show."""


def read_unknown(reader: SchemaReader, spot: Spot, name: str, _value: Json, _out: dict[str, Json]) -> None:
    """Take note of a keyword that the dialect does not have, and of what was probably meant."""
    if name.startswith("x-"):
        return
    dialect = spot.scope.dialect
    known = {one.lower(): one for one, rule in RULES[dialect].items() if rule is not None}
    near = get_close_matches(name.replace("_", "").replace("-", "").lower(), known, 1, 0.8)
    hint = f"; did you mean {known[near[0]]}?" if near else ""
    reader.warn(spot.at(name), f"{dialect.value} has no keyword {name}: it judges nothing{hint}")
