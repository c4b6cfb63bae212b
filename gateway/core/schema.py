"""The schema phase: one schema in, two judges out: a fast one for yes or no, a full one that lists it all.

The fast form is fastjsonschema's generated code, for what that enforces exactly and in linear time; where it
does not, the full form's own checks answer yes or no. Patterns are given to both in the same translation.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import fastjsonschema

from gateway.core.checks import build
from gateway.core.keywords import SchemaFault, map_schemas, read_schema
from gateway.core.pattern import translate
from gateway.core.report import ROOT, Report
from gateway.core.types import Layer, Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.checks import Check
    from gateway.core.types import Json, Violation

__all__ = ["SchemaFault", "compile_schema"]

_DRAFT_7: Final = "http://json-schema.org/draft-07/schema#"
_SCALARS: Final = frozenset(("string", "integer", "number", "boolean", "null"))


def compile_schema(
    schema: Mapping[str, Json] | bool, *, layer: Layer = Layer.CONTRACT, parameter: str | None = None
) -> Validator:
    """Compile an OpenAPI 3.0 or JSON Schema draft 7 schema whose references were resolved.

    ``layer`` is written into each violation. ``parameter`` names the path or query parameter that the schema
    is for: its violations then have that param, and no pointer. Values are never changed.

    Raises :class:`SchemaFault` with all that cannot be enforced.
    """
    draft7 = read_schema(schema)
    check = build(draft7).check
    return Validator(_fast(draft7, check), partial(_full, check, layer, parameter), _readable(draft7))


def _full(check: Check, layer: Layer, parameter: str | None, value: Json) -> list[Violation]:
    report = Report(layer, parameter)
    report.passes(partial(check, value, ROOT))
    return report.violations


class _Inexact(Exception):
    """The generated code would not be exact, or not linear, for this schema."""


def _fast(schema: dict[str, Json] | bool, check: Check) -> Callable[[Json], bool]:
    try:
        generated = _generate(schema)
    except (_Inexact, fastjsonschema.JsonSchemaDefinitionException, SyntaxError):
        # SyntaxError: Python allows 20 statically nested blocks, and generated code can need more.
        return partial(_probe, check)

    def fast(value: Json) -> bool:
        try:
            generated(value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return fast


def _probe(check: Check, value: Json) -> bool:
    return Report(silent=True).passes(partial(check, value, ROOT))


def _generate(schema: dict[str, Json] | bool) -> Callable[[Json], object]:
    plain = _plain(schema)
    if isinstance(plain, dict):
        plain["$schema"] = _DRAFT_7
    generated: Callable[[Json], object] = fastjsonschema.compile(
        plain, use_default=False, use_formats=False, detailed_exceptions=False
    )
    return generated


def _plain(schema: Json) -> dict[str, Json] | bool:
    """Write a schema so that fastjsonschema means by it what we do."""
    if isinstance(schema, bool):
        return schema
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    # multipleOf rounds there, and a "$ref" inside an enumerated object would be taken for a reference.
    if "multipleOf" in schema or any(isinstance(value, dict | list) for value in values):
        raise _Inexact
    plain = map_schemas(schema, _plain)
    if "patternProperties" in plain:
        members = plain["patternProperties"]
        plain["patternProperties"] = {translate(name).pattern: member for name, member in members.items()}
    if "const" in plain:  # which it cannot generate without details
        plain["allOf"] = [*plain.get("allOf", ()), {"enum": [plain.pop("const")]}]
    if "pattern" in plain:
        plain["pattern"] = translate(plain["pattern"]).pattern
    return _judge_items_first(plain) if plain.pop("uniqueItems", False) else plain


def _judge_items_first(plain: dict[str, Json]) -> dict[str, Json]:
    """Ask for unique items only once all are known to be strings, numbers, booleans or null.

    fastjsonschema hashes items before it judges them, and a caller can make arrays of numbers whose hashes
    collide: comparing them would take quadratic time.
    """
    items = plain.get("items", True)
    if isinstance(items, bool) or "type" not in items or not _SCALARS.issuperset(items["type"]):
        raise _Inexact
    others = {name: value for name, value in plain.items() if name != "items"}
    return {**others, "allOf": [*plain.get("allOf", ()), {"items": items}, {"uniqueItems": True}]}


def _readable(schema: dict[str, Json] | bool) -> dict[str, Json] | bool:
    """Write types of one name as the name alone, throughout."""
    if isinstance(schema, bool):
        return schema
    result = map_schemas(schema, _readable)
    if len(result.get("type", ())) == 1:
        (result["type"],) = result["type"]
    return result
