"""Reading parameters (OpenAPI 3.1.0, "Parameter Object"): where they stand, how they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from gateway.contracts.described import DescribedParameter
from gateway.contracts.media_types import media_type_kind
from gateway.contracts.notes import at
from gateway.core.fields import TOKEN
from gateway.core.texts.reading import types_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.contracts.notes import Notes
    from gateway.contracts.schemas.reader import SchemaReader
    from gateway.contracts.sources import Place
    from gateway.core.types import ParameterPlace, ParameterStyle, Plain

_DEFAULTS: Final = {"path": "simple", "query": "form", "header": "simple"}
STYLES: Final = {
    "path": frozenset(("simple",)),
    "query": frozenset(("form", "spaceDelimited", "pipeDelimited", "deepObject")),
    "header": frozenset(("simple",)),
}
_TYPES: Final = {
    "spaceDelimited": frozenset(("array", "object")),
    "pipeDelimited": frozenset(("array", "object")),
    "deepObject": frozenset(("object",)),
}
"""What a style can write, where that is not everything (OpenAPI 3.1.0, "Style Values")."""
_KEYS: Final = frozenset(
    (
        "name",
        "in",
        "description",
        "required",
        "deprecated",
        "allowEmptyValue",
        "style",
        "explode",
        "allowReserved",
        "schema",
        "example",
        "examples",
        "content",
    )
)
_OF_SCHEMA: Final = ("style", "explode", "allowReserved")
_IGNORED_HEADERS: Final = frozenset(("accept", "content-type", "authorization"))
"""Their definitions are to be ignored, says OpenAPI: the body and security have them."""


class _Style(NamedTuple):
    style: ParameterStyle
    explode: bool


class ParameterReader:
    """Reads the parameters of a document's operations; those that operations share are read once."""

    def __init__(self, notes: Notes, schemas: SchemaReader) -> None:
        self._notes = notes
        self._schemas = schemas
        self._known: dict[Place, DescribedParameter | None] = {}

    def read_all(self, holders: Iterable[tuple[Mapping[str, Any], Place]]) -> list[DescribedParameter]:
        """Read the ``parameters`` of a path item and of its operation, whose own win by name and place."""
        merged: dict[tuple[str, str], DescribedParameter] = {}
        for holder, place in holders:
            listed = holder.get("parameters", [])
            if not isinstance(listed, list):
                self._notes.fault(at(place, "parameters"), "parameters must be a list")
                continue
            own: set[tuple[str, str]] = set()
            for index in range(len(listed)):
                here = at(place, "parameters", index)
                parameter = self._read(here)
                if parameter is None:
                    continue
                key = parameter.where, parameter.name
                if key in own:
                    self._notes.fault(here, f"the parameter {parameter.name} stands twice")
                own.add(key)
                merged[key] = parameter
        return list(merged.values())

    def _read(self, place: Place) -> DescribedParameter | None:
        found = self._notes.follow(place)
        if found is None:
            return None
        if found not in self._known:
            self._known[found] = self._parameter(found)
        return self._known[found]

    def _parameter(self, place: Place) -> DescribedParameter | None:
        """Read one; None where the fault was noted, and for a header that OpenAPI says to ignore."""
        notes = self._notes
        value = notes.mapping(place, "a parameter")
        if not value:
            return None
        name, where = value.get("name"), value.get("in")
        if not isinstance(name, str) or not name or not isinstance(where, str):
            notes.fault(place, "a parameter needs a name and a place (in)")
            return None
        if where not in STYLES:
            notes.fault(at(place, "in"), _wrong_place(where))
            return None
        notes.known_keys(value, place, _KEYS, "a parameter")
        if where == "header":
            name = name.lower()
            if name in _IGNORED_HEADERS:
                return None
            if re.fullmatch(TOKEN, name.encode("ascii", "replace")) is None:
                notes.fault(at(place, "name"), "this is no name of a header")
        required = notes.flag(value, "required", place)
        if where == "path" and value.get("required") is not True:
            notes.fault(place, "a path parameter must be required: true")
        self._warn_of_leniency(value, place)
        found = self._content(value, place) if "content" in value else self._schema(value, where, place)
        if found is None:
            return None
        (style, explode), schema = found
        return DescribedParameter(name, cast("ParameterPlace", where), style, explode, required, schema)

    def _warn_of_leniency(self, value: Mapping[str, Any], place: Place) -> None:
        """Tell of what the document would let pass and this gateway does not."""
        if self._notes.flag(value, "allowEmptyValue", place):
            self._notes.warn(
                at(place, "allowEmptyValue"), "without effect: an empty value, too, is judged by the schema"
            )
        if self._notes.flag(value, "allowReserved", place):
            self._notes.warn(
                at(place, "allowReserved"), "without effect: what is in doubt unencoded has to be encoded"
            )

    def _schema(self, value: Mapping[str, Any], where: str, place: Place) -> tuple[_Style, Plain] | None:
        if "schema" not in value:
            self._notes.fault(place, "a parameter needs a schema, or content")
            return None
        style = self._style(value, where, place)
        schema = self._schemas.read(at(place, "schema"))
        types = _TYPES.get(style.style)
        if types is not None and not types & types_of(schema, self._schemas.definitions):
            wanted = " or ".join(sorted(types))
            self._notes.fault(at(place, "style"), f"the style {style.style} needs a schema of type {wanted}")
        return style, schema

    def _style(self, value: Mapping[str, Any], where: str, place: Place) -> _Style:
        default = _DEFAULTS[where]
        style = value.get("style", default)
        if not isinstance(style, str) or style not in STYLES[where]:
            known = " or ".join(sorted(STYLES[where]))
            self._notes.fault(at(place, "style"), f"the style of a parameter in {where} must be {known}")
            style = default
        explode = self._notes.flag(value, "explode", place, default=style in {"form", "deepObject"})
        if style == "deepObject" and not explode:
            self._notes.fault(at(place, "explode"), "deepObject without explode has no meaning")
        if style in {"spaceDelimited", "pipeDelimited"} and explode:
            self._notes.fault(at(place, "explode"), f"{style} with explode has no agreed meaning")
        return _Style(cast("ParameterStyle", style), explode)

    def _content(self, value: Mapping[str, Any], place: Place) -> tuple[_Style, Plain] | None:
        """Read a parameter whose value is a whole document of a media type, which must be JSON."""
        if "schema" in value:
            self._notes.fault(place, "a parameter has either a schema or content")
        for key in _OF_SCHEMA:
            if key in value:
                self._notes.warn(at(place, key), f"{key} has no effect beside content")
        content = self._notes.mapping(at(place, "content"), "content")
        if len(content) != 1 or media_type_kind(next(iter(content))) != "json":
            self._notes.fault(at(place, "content"), "the content of a parameter must be one JSON media type")
            return None
        here = at(place, "content", next(iter(content)))
        described = "schema" in self._notes.mapping(here, "a media type")
        return _Style("json", explode=False), self._schemas.read(at(here, "schema")) if described else True


def _wrong_place(where: str) -> str:
    if where == "cookie":
        return "parameters in cookies cannot be enforced"
    return "a parameter's place (in) must be one of: header, path, query"
