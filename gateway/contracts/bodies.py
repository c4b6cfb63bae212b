"""Reading request bodies (OpenAPI 3.1.0, "Request Body Object"): media types, schemas, the parts of forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.contracts.described import DescribedContent
from gateway.contracts.media_types import essence, media_type_kind
from gateway.contracts.notes import at
from gateway.core.texts.reading import types_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.contracts.notes import Notes
    from gateway.contracts.schemas.reader import SchemaReader
    from gateway.contracts.sources import Place
    from gateway.core.types import ContentKind

_BODY_KEYS: Final = frozenset(("description", "content", "required"))
_MEDIA_TYPE_KEYS: Final = frozenset(("schema", "example", "examples", "encoding"))
_ENCODING_KEYS: Final = frozenset(("contentType", "headers", "style", "explode", "allowReserved"))
_ENCODING_DEFAULTS: Final = {"style": "form", "explode": True, "allowReserved": False}
_FORMS: Final = ("form", "multipart")


def read_body(
    notes: Notes, schemas: SchemaReader, place: Place
) -> tuple[bool, dict[str, DescribedContent] | None]:
    """Read the request body at ``place``: whether it is required, and its media types.

    Gives None for the media types where a fault was noted.
    """
    found = notes.follow(place)
    if found is None:
        return False, None
    value = notes.mapping(found, "a request body")
    notes.known_keys(value, found, _BODY_KEYS, "a request body")
    required = notes.flag(value, "required", found)
    listed = notes.mapping(at(found, "content"), "the content of a request body") if value else {}
    if not listed:
        notes.fault(found, "a request body needs at least one media type")
        return required, None
    content: dict[str, DescribedContent] = {}
    for media_type in listed:
        here = at(found, "content", media_type)
        name = essence(media_type)
        if name is None:
            notes.fault(here, "this is no media type, or has parameters that nothing would compare")
        elif name in content:
            notes.fault(here, f"the media type {name} stands twice")
        else:
            content[name] = _read_content(notes, schemas, here, media_type_kind(name))
    return required, content


def _read_content(notes: Notes, schemas: SchemaReader, place: Place, kind: ContentKind) -> DescribedContent:
    value = notes.mapping(place, "a media type")
    notes.known_keys(value, place, _MEDIA_TYPE_KEYS, "a media type")
    schema = schemas.read(at(place, "schema")) if "schema" in value else True
    types = types_of(schema, schemas.definitions)
    if kind == "opaque" and "string" not in types:
        notes.fault(
            place, "a body of this media type can only be judged as a string, which its schema refuses"
        )
    if kind in _FORMS and "object" not in types:
        notes.fault(place, "a form is judged as an object, which its schema refuses")
    if "encoding" not in value:
        return DescribedContent(kind, schema)
    if kind not in _FORMS:
        notes.warn(at(place, "encoding"), "encoding has no effect: it is for forms alone")
        return DescribedContent(kind, schema)
    return DescribedContent(kind, schema, _read_encodings(notes, at(place, "encoding")))


def _read_encodings(notes: Notes, place: Place) -> dict[str, tuple[str, ...]]:
    """Give the media types of a form's parts, by property, for those where the document says."""
    encodings: dict[str, tuple[str, ...]] = {}
    for name in notes.mapping(place, "encoding"):
        here = at(place, name)
        value = notes.mapping(here, "an encoding")
        notes.known_keys(value, here, _ENCODING_KEYS, "an encoding")
        for key, default in _ENCODING_DEFAULTS.items():
            if value.get(key, default) != default:
                notes.fault(at(here, key), f"only {key}: {str(default).lower()} can be read in a form")
        _refuse_headers(notes, value, here)
        if "contentType" in value:
            encodings[name] = _media_types(notes, value["contentType"], at(here, "contentType"))
    return encodings


def _refuse_headers(notes: Notes, value: Mapping[str, Any], place: Place) -> None:
    """Refuse headers of a part; its Content-Type is described separately and ignored here, says OpenAPI."""
    if "headers" not in value:
        return
    for name in notes.mapping(at(place, "headers"), "headers"):
        if name.lower() != "content-type":
            notes.fault(at(place, "headers", name), "headers of a form's parts cannot be enforced")


def _media_types(notes: Notes, value: Any, place: Place) -> tuple[str, ...]:
    names = [essence(one) for one in value.split(",")] if isinstance(value, str) else [None]
    known = tuple(name for name in names if name is not None)
    if len(known) < len(names):
        notes.fault(place, "contentType must be media types, joined by commas")
    return known
