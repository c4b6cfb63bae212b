"""What each keyword of each dialect becomes in plain form, or why it cannot.

A rule is called as ``rule(reader, spot, name, value, out)``: it reads the keyword ``name`` with its ``value``
of the schema at ``spot`` and writes into ``out``. It notes every value of the wrong kind as a fault.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gateway.contracts.schemas.dialects import named_dialect
from gateway.core.schema.pattern import PatternFault, matcher
from gateway.core.schema.plain import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.contracts.schemas.links import Scope
    from gateway.contracts.schemas.reader import SchemaReader
    from gateway.contracts.schemas.resources import Path
    from gateway.contracts.sources import Place
    from gateway.core.types import Json, Plain


class Spot(NamedTuple):
    """A schema while it is read: as written, where, and what names mean there."""

    schema: dict[str, Json]
    path: Path
    scope: Scope

    def at(self, *steps: str | int) -> Place:
        """Give the place of something in the schema."""
        return self.scope.place((*self.path, *steps))


Rule: TypeAlias = "Callable[[SchemaReader, Spot, str, Json, dict[str, Json]], None]"


def also(out: dict[str, Json], schema: Plain) -> None:
    """Have ``out`` hold only where ``schema`` holds, too."""
    out["allOf"] = [*out.get("allOf", ()), schema]


def read_type(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``type``."""
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(one, str) and one in TYPES for one in names):
        reader.fault(spot.at(name), f"a type must be one or more of {', '.join(TYPES)}")
    else:
        out[name] = list(dict.fromkeys(names))


def read_enum(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``enum``."""
    if not isinstance(value, list) or not value:
        reader.fault(spot.at(name), "enum must be a list of at least one value")
    elif not all(map(is_json, value)):
        reader.fault(spot.at(name), "enum has a number that JSON cannot have")
    else:
        out[name] = value


def read_const(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``const``."""
    if is_json(value):
        out[name] = value
    else:
        reader.fault(spot.at(name), "const has a number that JSON cannot have")


def is_json(value: Json) -> bool:
    """Tell whether JSON can say the value: YAML also has infinities and NaN."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_json, value.values()))
    return not isinstance(value, list) or all(map(is_json, value))


def read_length(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read a number of characters, items or properties."""
    if not is_number(value) or value < 0 or value != int(value):
        reader.fault(spot.at(name), f"{name} must be a whole number of at least 0")
    else:
        out[name] = int(value)


def read_contained(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``minContains`` or ``maxContains``, which are nothing without ``contains``."""
    counted: dict[str, Json] = {}
    read_length(reader, spot, name, value, counted)
    if "contains" in spot.schema:
        out.update(counted)


def is_number(value: Json) -> bool:
    """Tell whether the value is a number that JSON can say."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_number(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read a bound, or ``multipleOf``."""
    if not is_number(value):
        reader.fault(spot.at(name), f"{name} must be a number")
    elif name == "multipleOf" and value <= 0:
        reader.fault(spot.at(name), "multipleOf must be above 0")
    else:
        out[name] = int(value) if value == int(value) else value


def read_flag(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``uniqueItems``."""
    if not isinstance(value, bool):
        reader.fault(spot.at(name), f"{name} must be true or false")
    elif value:
        out[name] = True


def read_pattern(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``pattern``."""
    if is_pattern(reader, value, spot.at(name)):
        out[name] = value


def is_pattern(reader: SchemaReader, value: Json, place: Place) -> bool:
    """Tell whether the value is a pattern that can be enforced, and note a fault if not."""
    if not isinstance(value, str):
        reader.fault(place, "a pattern must be a string")
        return False
    try:
        matcher(value)
    except PatternFault as fault:
        reader.fault(place, f"the pattern cannot be used: {fault}")
        return False
    return True


def names_in(reader: SchemaReader, place: Place, name: str, value: Json) -> list[str]:
    """Give a list of property names, each once."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        reader.fault(place, f"{name} must be a list of names")
        return []
    return list(dict.fromkeys(value))


def read_required(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``required``."""
    names = names_in(reader, spot.at(name), name, value)
    if spot.scope.dropped:
        names = [one for one in names if one not in spot.scope.dropped]
    if names:
        out[name] = names


def read_same(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``then`` or ``else``."""
    schema = reader.schema(value, (*spot.path, name), spot.scope)
    if "if" in spot.schema:
        out[name] = schema


def read_below(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read one schema of members of the value, or ``not`` or ``if``."""
    out[name] = reader.below(value, (*spot.path, name), spot.scope)


def read_other_members(
    reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]
) -> None:
    """Read ``additionalProperties``."""
    out[name] = reader.member(value, (*spot.path, name), spot.scope)


def read_branches(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``allOf``, ``anyOf`` or ``oneOf``."""
    if not isinstance(value, list) or not value:
        reader.fault(spot.at(name), f"{name} must be a list of at least one schema")
        return
    path, scope = (*spot.path, name), spot.scope
    branches = [reader.schema(branch, (*path, index), scope) for index, branch in enumerate(value)]
    out[name] = [*out.get(name, ()), *branches]


def read_prefix(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``prefixItems``, or ``items`` as a list of schemas."""
    if not isinstance(value, list) or (name == "prefixItems" and not value):
        reader.fault(spot.at(name), f"{name} must be a list of at least one schema")
        return
    path, scope = (*spot.path, name), spot.scope
    schemas = [reader.below(one, (*path, index), scope) for index, one in enumerate(value)]
    if schemas:
        out["prefixItems"] = schemas


def read_items(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``items`` as before 2020-12: one schema for all items, or one for each of the first."""
    if isinstance(value, list):
        read_prefix(reader, spot, name, value, out)
    else:
        read_below(reader, spot, name, value, out)


def read_further_items(
    reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]
) -> None:
    """Read ``additionalItems``, which is nothing unless ``items`` is a list."""
    schema = reader.below(value, (*spot.path, name), spot.scope)
    if isinstance(spot.schema.get("items"), list):
        out["items"] = schema


def _members(reader: SchemaReader, spot: Spot, name: str, value: Json) -> Iterable[tuple[str, Json, Path]]:
    """Give each named schema with its path; none, and the fault noted, if there cannot be any."""
    if not isinstance(value, dict):
        reader.fault(spot.at(name), f"{name} must be an object of schemas")
        return ()
    path = (*spot.path, name)
    return ((key, one, (*path, key)) for key, one in value.items())


def read_members(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``properties`` or ``patternProperties``."""
    scope = spot.scope
    out[name] = {
        key: reader.member(one, path, scope) for key, one, path in _members(reader, spot, name, value)
    }
    if name == "patternProperties":
        for pattern in out[name]:
            is_pattern(reader, pattern, spot.at(name, pattern))


def read_dependent_schemas(
    reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]
) -> None:
    """Read ``dependentSchemas``."""
    _depend(out, {}, {k: reader.schema(v, p, spot.scope) for k, v, p in _members(reader, spot, name, value)})


def read_dependent_required(
    reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]
) -> None:
    """Read ``dependentRequired``."""
    if not isinstance(value, dict):
        reader.fault(spot.at(name), f"{name} must be an object of lists of names")
        return
    _depend(out, {key: names_in(reader, spot.at(name, key), name, one) for key, one in value.items()}, {})


def read_dependencies(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``dependencies`` (draft 7): names of properties or a schema for each property."""
    names: dict[str, list[str]] = {}
    schemas: dict[str, Plain] = {}
    for key, one, path in _members(reader, spot, name, value):
        if isinstance(one, list):
            names[key] = names_in(reader, spot.at(name, key), name, one)
        else:
            schemas[key] = reader.schema(one, path, spot.scope)
    _depend(out, names, schemas)


def _depend(out: dict[str, Json], names: Mapping[str, list[str]], schemas: Mapping[str, Plain]) -> None:
    """Add dependencies to those that another keyword gave."""
    for key, required in names.items():
        known = out.setdefault("dependentRequired", {})
        known[key] = list(dict.fromkeys([*known.get(key, ()), *required]))
    for key, schema in schemas.items():
        known = out.setdefault("dependentSchemas", {})
        known[key] = {"allOf": [known[key], schema]} if key in known else schema


def read_reference(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``$ref`` where other keywords can stand beside it."""
    refer(out, reader.reference(spot, name, value))


def read_dynamic(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``$dynamicRef``."""
    scope = spot.scope
    refer(out, reader.follow(spot, name, lambda here: reader.links.dynamic_target(value, scope, here)))


def read_recursive(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``$recursiveRef``, which is always ``#`` (JSON Schema 2019-09 Core section 8.2.4.2)."""
    if value != "#":
        reader.fault(spot.at(name), "$recursiveRef must be #")
        return
    refer(out, reader.follow(spot, name, lambda _: reader.links.recursive_target(spot.scope)))


def refer(out: dict[str, Json], key: str | None) -> None:
    """Add a reference to a definition; None for one that leads nowhere."""
    if key is None:
        return
    if "$ref" in out:
        also(out, {"$ref": key})
    else:
        out["$ref"] = key


def read_dialect(reader: SchemaReader, spot: Spot, name: str, value: Json, _out: dict[str, Json]) -> None:
    """Read ``$schema``: what it means was found out before; here it has to be one that is known."""
    if named_dialect(value) is None:
        reader.fault(spot.at(name), f"{value} is no dialect that can be read")
