"""Lines of content segments: what is kept of one request's body. Pure.

A line is one JSON object in ASCII and a line feed. It begins with ``id``, the request's, and has one more
member, whose name is the form in which the body is kept:

- ``full``: the bytes, as the string that they are in UTF-8; ``full_base64`` where they are not UTF-8
- ``redacted``: the redacted form of a JSON body; see :mod:`gateway.audit.redaction`
- ``form``: the same of the fields that a form or a multipart body was read into, files among them as strings
- ``opaque``: of any other body, of JSON that could not be read, and of what has more to redact than one body
  may have, its length in bytes and its HMAC

The record's ``content`` is the HMAC of what is kept: of the bytes of a body kept in full, else of the JSON
text as it stands in the line. A line of blanks is one that was erased.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from contextlib import suppress
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from gateway.audit.redaction import TooMuch, opaque, redact

if TYPE_CHECKING:
    from gateway.audit.instance import Keys
    from gateway.core.types import ContentKind, Json

Form: TypeAlias = Literal["full", "redacted", "form", "opaque"]

ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A request's id."""
ID_PLACE: Final = slice(7, 43)
"""Where a line has its id."""

_LINE: Final = re.compile(
    rb'\{"id":"[0-9a-f-]{36}","(full|full_base64|redacted|form|opaque)":(.*)\}\n', re.DOTALL
)


class Kept(NamedTuple):
    """What is kept of a body: the line of the content segment, and the ``content`` of the record."""

    line: bytes
    hmac: str


def keep_full(keys: Keys, identity: str, body: bytes) -> Kept:
    """Keep all of a body."""
    try:
        name, text = "full", quote(body.decode("utf-8"))
    except UnicodeDecodeError:
        name, text = "full_base64", f'"{b64encode(body).decode("ascii")}"'
    return Kept(_line(identity, name, text.encode("ascii")), keys.sign(body))


def keep_redacted(
    keys: Keys, identity: str, body: bytes, value: Json, words: frozenset[str], kind: ContentKind | None
) -> Kept:
    """Keep a body's structure.

    ``value`` is what it was read as, None where it was not or could not be; ``kind`` is what it was read by.
    ``words`` are the strings that stay: those of :func:`gateway.audit.redaction.enumerated`.
    """
    name, text = "opaque", None
    if value is not None and kind in ("json", "form", "multipart"):
        with suppress(TooMuch):
            name, text = "redacted" if kind == "json" else "form", redact(value, words, keys.sign)
    if text is None:
        text = opaque(body, keys.sign)
    return Kept(_line(identity, name, text), keys.sign(text))


def _line(identity: str, name: str, text: bytes) -> bytes:
    return b'{"id":"%b","%b":%b}\n' % (identity.encode("ascii"), name.encode("ascii"), text)


def line_start(identity: str) -> bytes:
    """Give what the line of a request begins with."""
    return b'{"id":"%b",' % identity.encode("ascii")


def read_line(line: bytes) -> tuple[Form, bytes] | None:
    """Give the form of what a line keeps, and the bytes that its HMAC is of; None for no sound line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    name, text = match[1].decode("ascii"), match[2]
    try:
        if name == "full":
            return "full", json.loads(text).encode("utf-8")
        if name == "full_base64":
            return "full", b64decode(json.loads(text), validate=True)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return _FORMS[name], text


_FORMS: Final[dict[str, Form]] = {"redacted": "redacted", "form": "form", "opaque": "opaque"}
