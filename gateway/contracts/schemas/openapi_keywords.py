"""What OpenAPI says in schemas that JSON Schema does not, or says otherwise.

In a 3.1 document the keywords of 3.0 keep their meaning, and a remark tells so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.contracts.schemas.dialects import Dialect
from gateway.contracts.schemas.keywords import read_dependencies, read_number, refer
from gateway.contracts.sources import Place, ReferenceFault
from gateway.core.schema.formats import FORMATS

if TYPE_CHECKING:
    from gateway.contracts.schemas.keywords import Spot
    from gateway.contracts.schemas.links import Scope
    from gateway.contracts.schemas.reader import SchemaReader
    from gateway.core.types import Json

INTEGERS: Final = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
    "double-int": (1 - (1 << 53), (1 << 53) - 1),
}
"""Formats of whole numbers, with their bounds (OpenAPI Format Registry)."""
OPEN: Final = frozenset(
    ("binary", "commonmark", "decimal", "double", "float", "html", "password", "unixtime")
)
"""Formats that say how a value is meant and judge none that its type allows (OpenAPI Format Registry)."""


def _remark_on_age(reader: SchemaReader, spot: Spot, name: str, source: str) -> None:
    if spot.scope.dialect is Dialect.OPENAPI_3_1:
        reader.remark(
            spot.at(name), f"{name} is not a keyword of OpenAPI 3.1: it keeps its meaning of {source}"
        )


def finish_nullable(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``nullable``: it adds ``null`` to the ``type`` in the same schema, and nothing else anywhere.

    An ``enum`` must list null itself (OpenAPI 3.0.3, as clarified by its proposal of 2019-10-31).
    """
    if not isinstance(value, bool):
        reader.fault(spot.at(name), "nullable must be true or false")
        return
    _remark_on_age(reader, spot, name, "OpenAPI 3.0")
    if not value:
        return
    if "type" not in spot.schema:
        reader.warn(spot.at(name), "nullable has no effect without a type in the same schema")
    elif "type" in out and "null" not in out["type"]:
        out["type"] = [*out["type"], "null"]
        if None not in out.get("enum", (None,)):
            reader.warn(spot.at(name), "nullable has no effect beside an enum that does not list null")


def finish_exclusive(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read a boolean ``exclusiveMinimum`` or ``exclusiveMaximum`` (draft 4); numbers where there can be."""
    bound = "minimum" if name == "exclusiveMinimum" else "maximum"
    if not isinstance(value, bool):
        if spot.scope.dialect.openapi:
            read_number(reader, spot, name, value, out)
        else:
            reader.fault(spot.at(name), f"{name} must be true or false")
        return
    _remark_on_age(reader, spot, name, "OpenAPI 3.0 where it is true or false")
    if value and bound not in spot.schema:
        reader.fault(spot.at(name), f"{name} is true, but there is no {bound}")
    elif value and bound in out:
        out[name] = out.pop(bound)


def finish_format(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``format``: a rule where the reader says so, of strings or numbers as the format has it."""
    if not isinstance(value, str):
        reader.fault(spot.at(name), "format must be a string")
        return
    if not reader.formats or value in OPEN:
        return
    types = out.get("type")
    if value in FORMATS:
        if types is None or "string" in types:
            out[name] = value
        else:
            reader.remark(spot.at(name), f"the format {value} judges strings only")
    elif value not in INTEGERS:
        reader.remark(spot.at(name), f"the format {value} is not known and judges nothing")
    elif types is None or not {"integer", "number"}.isdisjoint(types):
        low, high = INTEGERS[value]
        out["minimum"] = max(out.get("minimum", low), low)
        out["maximum"] = min(out.get("maximum", high), high)
        if types is not None:
            out["type"] = list(dict.fromkeys("integer" if one == "number" else one for one in types))
    else:
        reader.remark(spot.at(name), f"the format {value} judges numbers only")


def note_discriminator(
    reader: SchemaReader, spot: Spot, _name: str, value: Json, out: dict[str, Json]
) -> None:
    """Read ``discriminator``, once what it discriminates was read."""
    reader.postpone_discriminator(spot, value, out)


def read_older_dependencies(
    reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]
) -> None:
    """Read ``dependencies`` where ``dependentRequired`` and ``dependentSchemas`` have replaced it."""
    _remark_on_age(reader, spot, name, "JSON Schema draft 7")
    read_dependencies(reader, spot, name, value, out)


def read_enclosing(reader: SchemaReader, spot: Spot, name: str, value: Json, out: dict[str, Json]) -> None:
    """Read ``$recursiveRef`` (JSON Schema 2019-09) in an OpenAPI document, which is no schema itself.

    It means the innermost schema around it that has ``$recursiveAnchor: true``.
    """
    if value != "#":
        reader.fault(spot.at(name), "$recursiveRef must be #")
        return
    _remark_on_age(reader, spot, name, "JSON Schema 2019-09")

    def find(here: Place) -> tuple[Place, Scope]:
        for length in range(len(spot.path), -1, -1):
            place = spot.scope.place(spot.path[:length])
            around = reader.sources.value(place)
            if isinstance(around, dict) and around.get("$recursiveAnchor") is True:
                return place, reader.links.dropping(spot.scope, frozenset())
        raise ReferenceFault(here, "no schema around $recursiveRef has $recursiveAnchor: true")

    refer(out, reader.follow(spot, name, find))
