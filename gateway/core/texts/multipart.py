"""Bodies of multipart/form-data (RFC 7578, RFC 2046 section 5.1), read as one JSON object.

The grammar is what all parsers take alike: CRLF ends every line; nothing stands before the first boundary
and nothing after the last; each part has one Content-Disposition with a name, and at most a Content-Type and
a right Content-Length besides. Everything else is a :class:`FormFault`. Cost is linear in the bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.fields import TOKEN
from gateway.core.head import parse_media_type
from gateway.core.parse import parse
from gateway.core.printable import caller_name
from gateway.core.texts.brackets import Leaf, reading_of_member
from gateway.core.texts.forms import MAX_FIELDS, FormFault, malformed, read_fields, split_field
from gateway.core.texts.reading import ANYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.core.types import Json, MediaType, Reading

MAX_PART_HEAD: Final = 4096
"""Longest head of a part in bytes."""

_LINE: Final = re.compile(rb"(" + TOKEN + rb"):[ \t]*([ -~\x80-\xff]*)")
_HEADERS: Final = frozenset((b"content-disposition", b"content-type", b"content-length"))
_VALUE: Final = rb'(?:"[^"\\]*"|[0-9A-Za-z._-]+)'
_DISPOSITION: Final = re.compile(rb"form-data((?:;[ \t]*[a-z]+=" + _VALUE + rb")*)", re.IGNORECASE)
_PARAMETER: Final = re.compile(rb";[ \t]*([a-z]+)=(" + _VALUE + rb")", re.IGNORECASE)
_NAME: Final = re.compile(rb"name=", re.IGNORECASE)
_DOUBTFUL_NAME: Final = re.compile("%(?:22|0[AD])", re.IGNORECASE)
_SCALARS: Final = frozenset(("string", "integer", "number", "boolean", "null"))
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_BYTES: Final = "application/octet-stream"


class _Part(NamedTuple):
    """One part: its field's name, its media type if it names one, whether it is a file, and its content."""

    name: str
    media_type: MediaType | None
    is_file: bool
    content: bytes


def read_multipart(
    body: bytes,
    boundary: bytes,
    reading: Reading,
    encodings: Mapping[str, tuple[str, ...]],
    *,
    max_depth: int,
) -> dict[str, Json]:
    """Read a multipart form as an object at most ``max_depth`` levels deep; at most 1,000 parts.

    ``encodings`` has, by property, the media types that its parts may have; without, a part is what OpenAPI
    has as the default (3.1.0, "Special Considerations for multipart Content"): text for a scalar, JSON for
    an object, anything at all for a file. A part with a filename is a file: its bytes become a string of one
    character each, so that lengths count bytes. So do those of a part whose media type is not text. Other
    parts are UTF-8 and read by ``reading``. Raises :class:`FormFault`, and
    :class:`gateway.core.parse.JsonFault` for a part that is said to be JSON and is not.
    """
    leaves = ((part.name, _leaf(part, reading, encodings, max_depth)) for part in _split(body, boundary))
    return read_fields(leaves, reading, max_depth)


def _split(body: bytes, boundary: bytes) -> Iterator[_Part]:
    """Give the parts (RFC 2046 section 5.1.1), without white space after boundaries."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_FIELDS + 2)
    if len(pieces) > MAX_FIELDS + 2:
        raise malformed(f"it has more than {MAX_FIELDS} parts")
    if pieces[0] or len(pieces) < 2:
        raise malformed("it does not begin with its boundary")
    if pieces[-1] not in (b"--", b"--\r\n"):
        raise malformed("it does not end with its boundary")
    if body.count(b"--" + boundary) != len(pieces) - 1:
        # There are readers that take any line end before a boundary, or none, and would see more parts.
        raise malformed("its boundary stands inside a part")
    for piece in pieces[1:-1]:
        if not piece.startswith(b"\r\n"):
            raise malformed("a boundary is not alone on its line")
        yield _read_part(piece)


def _read_part(piece: bytes) -> _Part:
    """Read a part, which begins with the line end of its boundary."""
    end = piece.find(b"\r\n\r\n", 0, MAX_PART_HEAD)
    if end < 0:
        raise malformed("a part's head does not end, or is too long")
    headers: dict[bytes, bytes] = {}
    for line in piece[2:end].split(b"\r\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            raise malformed("a part's header field is malformed")
        name = match[1].lower()
        if name not in _HEADERS or name in headers:
            raise malformed("a part has a header field that does not belong there, or stands twice")
        headers[name] = match[2].rstrip(b" \t")
    name, filename = _read_disposition(headers.get(b"content-disposition", b""))
    media_type: MediaType | None = None
    if b"content-type" in headers:
        media_type = parse_media_type(headers[b"content-type"])
        if media_type is None:
            raise malformed(
                f"the Content-Type of the part '{caller_name(name)}' is malformed", caller_name(name)
            )
    content = piece[end + 4 :]
    if filename == "" and content:
        raise malformed(
            f"the part '{caller_name(name)}' has content and an empty filename", caller_name(name)
        )
    if headers.get(b"content-length", length := b"%d" % len(content)) != length:
        raise malformed(f"the Content-Length of the part '{caller_name(name)}' is wrong", caller_name(name))
    return _Part(name, media_type, filename is not None, content)


def _read_disposition(value: bytes) -> tuple[str, str | None]:
    """Give a part's name, and its filename if it has one (RFC 7578 section 4.2).

    Backslashes are refused, and in names percent-encoded quotes and line ends: some undo them, some do not.
    So is ``name=`` within a value, which some take for the parameter.
    """
    match = _DISPOSITION.fullmatch(value)
    parameters = _PARAMETER.findall(match[1]) if match is not None else []
    found = {key.lower(): text.strip(b'"') for key, text in parameters}
    if len(found) != len(parameters) or not {b"name"} <= found.keys() <= {b"name", b"filename"}:
        raise malformed("a part's Content-Disposition is missing, malformed or without a name")
    if len(_NAME.findall(value)) != len(parameters):
        raise malformed("a part's Content-Disposition has a parameter within another")
    try:
        name = found[b"name"].decode("utf-8")
        filename = found[b"filename"].decode("utf-8") if b"filename" in found else None
    except UnicodeDecodeError:
        raise malformed("a part's name or filename is not UTF-8") from None
    if not name or name == "_charset_" or _DOUBTFUL_NAME.search(name):
        raise malformed("a part's name is empty, or one that is read in different ways")
    return name, filename


def _leaf(part: _Part, reading: Reading, encodings: Mapping[str, tuple[str, ...]], max_depth: int) -> Leaf:
    """Read a part's content by its media type and by what its place in the object is meant to be."""
    base, keys = split_field(part.name, reading, max_depth)
    place = reading_of_member(reading, base)
    for key in keys:
        place = reading_of_member(place, key) if key else place.items or ANYTHING
    types = place.types | (place.items.types if place.items is not None else frozenset())
    listed = encodings.get(base) if keys in {(), ("",)} else None
    essence = _BYTES if part.is_file else _TEXT
    if part.media_type is not None:
        essence = part.media_type.essence
    if not (_is_listed(part, essence, listed) if listed is not None else _is_usual(part, essence, types)):
        raise _unsupported(part.name, listed or _usual(types))
    is_text = "string" in types and place.texts is None
    if _is_json(essence) and ("object" in types or not is_text) and not (part.is_file and is_text):
        _refuse_charset(part, essence)
        return Leaf(None, parse(part.content, max_depth=max_depth - 1 - len(keys)))
    if not part.is_file:
        _refuse_charset(part, essence)  # there are readers that go by it, whatever the media type
    if part.is_file or (part.media_type is not None and not essence.startswith("text/")):
        return Leaf(None, part.content.decode("latin-1"))
    return Leaf(_read_text(part))


def _is_json(essence: str) -> bool:
    return essence == _JSON or essence.endswith("+json")


def _refuse_charset(part: _Part, essence: str) -> None:
    """Refuse a part that says it is in anything but UTF-8, which it will be read as."""
    if part.media_type is not None and part.media_type.charset not in {None, "utf-8"}:
        raise _unsupported(part.name, (f"{essence};charset=utf-8",))


def _read_text(part: _Part) -> str:
    try:
        text = part.content.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed(f"the part '{caller_name(part.name)}' is not UTF-8", caller_name(part.name)) from None
    if "\0" in text:
        raise malformed(f"the part '{caller_name(part.name)}' has a NUL", caller_name(part.name))
    return text


def _is_listed(part: _Part, essence: str, listed: tuple[str, ...]) -> bool:
    """Say whether the document lists a part's media type; one that is not named is the only one listed."""
    if part.media_type is None and len(listed) == 1:
        return True
    return not {essence, essence.partition("/")[0] + "/*", "*/*"}.isdisjoint(listed)


def _usual(types: frozenset[str]) -> tuple[str, ...]:
    """Give the media types that parts of these types have where the document names none."""
    usual = ((_TEXT, _SCALARS), (_BYTES, {"string"}), (_JSON, {"object"}))
    return tuple(name for name, meant in usual if not types.isdisjoint(meant))


def _is_usual(part: _Part, essence: str, types: frozenset[str]) -> bool:
    if part.is_file or part.media_type is None:
        return True
    return (_JSON if _is_json(essence) else essence) in _usual(types)


def _unsupported(name: str, accepted: Iterable[str]) -> FormFault:
    name = caller_name(name)
    return FormFault(
        "unsupported_media_type",
        f"The Content-Type of the part '{name}' is not accepted. Accepted: {', '.join(accepted)}.",
        name,
    )
