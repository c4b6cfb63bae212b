"""The parse phase: strict JSON (RFC 8259), and nothing that two parsers could read differently.

One pass of the standard library's C scanner does the reading; hooks refuse what it would let through
(repeated keys, numbers that do not fit). What is cheap to know beforehand is judged beforehand: the
encoding, and the depth, so that the scanner never recurses deeper than the limit. Cost is linear in the
bytes; keys that all fall into one slot cannot be made, since Python hashes them with SipHash under a random
key. Everything goes out as :class:`JsonFault`; any other exception is a bug.

Repeated keys are found by a hook on each object. That there are none could often be told by counting colons,
without hooks; measured, that saves half a microsecond of a small body and costs more than it saves on a
large one.
"""

from __future__ import annotations

import json
import re
from _json import make_scanner  # the one in C: Python's takes other scripts' digits, and is slow
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.types import Json

JsonFaultCode: TypeAlias = Literal["duplicate_key", "json_too_deep", "invalid_json"]

INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
_INTEGER_CHARACTERS: Final = 20  # of INTEGER_MIN; a longer one is refused without being converted
# A double has at most 767 significant digits. Go keeps 800 of those before the point and takes the rest for
# absent: for it 1, 5,000 zeros and e-5000 is 0.
_DECIMAL_CHARACTERS: Final = 800

_WHITE: Final = re.compile(r"[ \t\n\r]*")
# Possessive, and the closing quote optional: linear also where a string never ends.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP: Final = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]
_BACKSLASH: Final = ord("\\")
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89abcdefABCDEF]")

# The scanner's own texts, matched by their beginning, and ours: some of its name what was found.
_REASONS: Final = (
    ("Expecting value", "a value was expected"),
    ("Expecting property name", "a key in double quotes was expected"),
    ("Expecting ':'", "a colon was expected"),
    ("Expecting ','", "a comma or the end of the object or array was expected"),
    ("Illegal trailing comma", "a comma stands before the end of an object or array"),
    ("Extra data", "the value has ended, but more follows"),
    ("Unterminated string", "a string does not end that starts"),
    ("Invalid control character", "a string has an unescaped control character"),
    ("Invalid \\u", "a string has a malformed \\u escape"),
    ("Invalid \\escape", "a string has an unknown escape"),
)


class JsonFault(Exception):
    """A body that is refused as JSON.

    ``code`` is ``duplicate_key``, ``json_too_deep`` or ``invalid_json``. ``message`` is for the client and
    holds nothing of the body; it names line and column (both from 1, in characters) where they are known.
    """

    def __init__(self, code: JsonFaultCode, message: str) -> None:
        super().__init__(message)
        self.code: JsonFaultCode = code
        self.message = message


def _invalid(reason: str) -> JsonFault:
    return JsonFault("invalid_json", f"We could not parse the JSON body of your request: {reason}.")


def _too_deep(max_depth: int) -> JsonFault:
    return JsonFault(
        "json_too_deep", f"The JSON body is nested too deep. At most {max_depth} levels are allowed."
    )


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonFault("duplicate_key", "The JSON body has an object in which a key stands twice.")
    return members


def _integer(text: str) -> int:
    if len(text) <= _INTEGER_CHARACTERS:
        value = int(text)
        if INTEGER_MIN <= value <= INTEGER_MAX:
            return value
    raise _invalid(f"an integer is outside {INTEGER_MIN} to {INTEGER_MAX}")


def _decimal(text: str) -> float:
    if len(text) > _DECIMAL_CHARACTERS:
        raise _invalid(f"a number has more than {_DECIMAL_CHARACTERS} characters")
    value = float(text)
    # Twice the value: only the infinities are equal to their double, but for zero.
    if value + value == value and value:
        raise _invalid("a number is beyond the range of a double")
    return value


def _constant(_: str) -> NoReturn:
    raise _invalid("NaN and Infinity are not JSON")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
# What raw_decode calls, without the call around it; it raises StopIteration where no value begins.
_read: Final[Callable[[str, int], tuple[Json, int]]] = make_scanner(_decoder)  # type: ignore[arg-type]


def parse(body: bytes, *, max_depth: int) -> Json:
    """Read ``body`` as one JSON value, at most ``max_depth`` arrays and objects deep.

    Refused (:class:`JsonFault`): anything outside RFC 8259; keys that stand twice in one object, compared
    after unescaping (section 4); numbers beyond a double or of more than 800 characters, and integers beyond
    64 bits (section 6); a byte order mark, any encoding but UTF-8 (section 8.1); lone surrogates, also as
    escapes (section 8.2).
    ``-0`` is the integer 0; a number too small for a double is 0.0.
    """
    if _opens_more_than(max_depth, body) and _depth(body) > max_depth:
        raise _too_deep(max_depth)
    text = _text(body)
    try:
        value, end = _read(text, 0 if text[0] == "{" else _skip(text, 0))
        if _BACKSLASH in body and _SURROGATE_ESCAPE.search(body):
            _refuse_lone_surrogates(value)
    except StopIteration as stop:
        raise _at("Expecting value", text, stop.value) from None
    except json.JSONDecodeError as error:
        raise _at(error.msg, text, error.pos) from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    if end != len(text):
        end = _skip(text, end)
        if end != len(text):
            raise _at("Extra data", text, end)
    return value


def _opens_more_than(limit: int, body: bytes) -> bool:
    """Say whether ``body`` has more than ``limit`` opening brackets, those in strings included.

    ``find`` skips what has none at memory's speed, where ``count`` looks at each byte.
    """
    for bracket in b"[{":
        position = body.find(bracket)
        while position >= 0:
            limit -= 1
            if limit < 0:
                return True
            position = body.find(bracket, position + 1)
    return False


def _depth(body: bytes) -> int:
    """Give the deepest nesting.

    Exact as far as the scanner gets: up to its first error it sees the same strings and brackets.
    """
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _text(body: bytes) -> str:
    if not body:
        raise _invalid("it is empty")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid(f"it is not UTF-8 at byte {error.start}") from None
    if text[0] == "\ufeff":
        raise _invalid("it starts with a byte order mark")
    return text


def _skip(text: str, start: int) -> int:
    """Give the index of the first character from ``start`` that is not JSON white space."""
    found = _WHITE.match(text, start)
    assert found is not None
    return found.end()


def _refuse_lone_surrogates(value: Json) -> None:
    # The body was UTF-8, so only escapes can have made a surrogate; one that is left has no partner.
    try:
        json.dumps(value, ensure_ascii=False, check_circular=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _invalid("a string has half of a surrogate pair") from None


def _at(found: str, text: str, position: int) -> JsonFault:
    reason = next((ours for theirs, ours in _REASONS if found.startswith(theirs)), "it is malformed")
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return _invalid(f"{reason}, at line {line}, column {column}")
