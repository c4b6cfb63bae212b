"""How one text carries arrays and objects: OpenAPI's styles of parameters (3.1.0, "Style Values").

Delimiters are split at before anything is decoded, as RFC 6570 has it. What readers differ over is refused
(:class:`Unreadable`), or judged in both ways (:func:`read_styled`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gateway.core.parse import JsonFault, parse
from gateway.core.texts.brackets import reading_of_member
from gateway.core.texts.percent import Undecodable, decode
from gateway.core.texts.reading import ANYTHING, fits, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.core.types import Json, Parameter, Reading

_COMMA: Final = re.compile(",")
_DELIMITERS: Final = {
    "spaceDelimited": re.compile("%20"),
    "pipeDelimited": re.compile(r"\||%7C", re.IGNORECASE),
}
_ENCODED_COMMA: Final = re.compile("%2C", re.IGNORECASE)
_NEEDLESS_ESCAPE: Final = re.compile("%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE)
"""An encoded letter, digit, ``-``, ``.``, ``_`` or ``~`` (RFC 3986 section 2.3)."""


class Unreadable(Exception):
    """A parameter whose value is in doubt. ``reason`` completes a sentence and holds nothing of the value."""

    def __init__(self, reason: str, code: str = "invalid_value") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


def decode_value(raw: str) -> str:
    """Undo a value's percent-encoding; see :func:`gateway.core.texts.percent.decode`."""
    try:
        return decode(raw)
    except Undecodable as fault:
        raise Unreadable(f"the value {fault.reason}") from None


def decode_segment(raw: str) -> str:
    """Undo the percent-encoding of a path's segment, where nobody encodes what needs no encoding.

    Whoever does may want the path to be taken for another one (``/%61dmin``) by those who decode it first.
    """
    if _NEEDLESS_ESCAPE.search(raw):
        raise Unreadable("the value has a percent-encoded character that needs no encoding")
    return decode_value(raw)


def read_styled(parameter: Parameter, raw: str, max_depth: int) -> Iterator[Json]:
    """Give what the text ``raw`` of one parameter in path or query stands for; every reading has to be good.

    There are two where an array's or object's comma is percent-encoded: it belongs to a value for those who
    split first, and is a delimiter for those who decode first. Raises :class:`Unreadable`.
    """
    decode_one = decode_segment if parameter.where == "path" else decode_value
    text = decode_one(raw)
    if parameter.style == "json":
        yield _read_json(text, max_depth)
        return
    value = read_text(text, parameter.reading)
    if fits(value, parameter.reading) or parameter.reading.types.isdisjoint(("array", "object")):
        yield value
        return
    delimiter = _DELIMITERS.get(parameter.style, _COMMA)
    yield read_delimited(parameter, [decode_one(part) for part in delimiter.split(raw)])
    if delimiter is _COMMA and _ENCODED_COMMA.search(raw):
        yield read_delimited(parameter, text.split(","))


def read_delimited(parameter: Parameter, parts: list[str]) -> Json:
    """Give the array or object whose members are ``parts``; raises :class:`Unreadable`."""
    reading = parameter.reading
    if "array" in reading.types:
        return [read_text(part, reading.items or ANYTHING) for part in parts]
    if parameter.explode:
        pairs = [part.partition("=") for part in parts]
        if not all(equals for _, equals, _ in pairs):
            raise Unreadable("the value has a key without a value")
        return _object([(key, value) for key, _, value in pairs], reading)
    if len(parts) % 2:
        raise Unreadable("the value has a key without a value")
    return _object(list(zip(parts[::2], parts[1::2], strict=True)), reading)


def _object(pairs: list[tuple[str, str]], reading: Reading) -> dict[str, Json]:
    value = {key: read_text(text, reading_of_member(reading, key)) for key, text in pairs}
    if len(value) != len(pairs):
        raise Unreadable("the value has a key twice", "duplicate_key")
    return value


def read_field(parameter: Parameter, values: list[bytes], max_depth: int) -> Json:
    """Give what the values of the header fields with a parameter's name stand for, undecoded.

    Several fields are one list (RFC 9110 section 5.3). Raises :class:`Unreadable` also for bytes outside
    ASCII, for empty members of a list and for quotes in it.
    """
    reading = parameter.reading
    listed = parameter.style != "json" and not reading.types.isdisjoint(("array", "object"))
    if len(values) > 1 and not listed:
        raise Unreadable("it is given more than once")
    joined = b",".join(values)
    if not joined.isascii():
        raise Unreadable("the value has bytes outside ASCII")
    text = joined.decode("ascii")
    if parameter.style == "json":
        return _read_json(text, max_depth)
    value = read_text(text, reading)
    if not listed or (fits(value, reading) and len(values) == 1):
        return value
    if not text:
        return read_delimited(parameter, [])
    parts = [part.strip(" \t") for part in text.split(",")]
    if '"' in text or "" in parts:
        raise Unreadable("the list has quotes or an empty member")
    return read_delimited(parameter, parts)


def _read_json(text: str, max_depth: int) -> Json:
    try:
        return parse(text.encode(), max_depth=max_depth)
    except JsonFault as fault:
        raise Unreadable("the value is not acceptable JSON", fault.code) from None
