"""Header fields of requests, read strictly one line at a time (RFC 9110 section 5, RFC 9112 section 5).

Most lines of a head come again with the next request, letter by letter. :class:`FieldMemo` remembers
what such lines were read as, so that a repeated line costs one look-up; it never changes an answer.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Final

from gateway.core.types import Field, FieldBlock, Phase, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_FIELDS: Final = 128
"""Most header fields, a Content-Length not counted; more: 431."""
MAX_FIELD_LINE: Final = 16 * 1024
"""Longest header field line in bytes, its CRLF not counted; longer: 431."""
TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

_LINE: Final = re.compile(rb"(" + TOKEN + rb"):([\t -~\x80-\xff]*)")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9\-._~]+|\[([0-9A-Fa-f:.]+)\])(?::([1-9][0-9]{0,4}))?")
_MAX_PORT: Final = 65535
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,15}")
_TOKEN_LIST: Final = re.compile(TOKEN + rb"(?:[ \t]*,[ \t]*" + TOKEN + rb")*")

SINGLE: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect",
     b"authorization"}
)  # fmt: skip
"""Fields that the gateway or its upstream acts on: a second one is refused, not joined."""
_GUARDED: Final = SINGLE | {
    b"connection", b"keep-alive", b"te", b"upgrade", b"trailer", b"proxy-authorization", b"proxy-connection",
    b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port",
    b"x-real-ip", b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url",
    b"x-rewrite-url", b"cookie",
}  # fmt: skip
"""Fields that must not be imitated with other signs, which CGI-like upstreams fold into dashes."""
_FORWARDED: Final = b"x-forwarded-"
_FOLD: Final = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)
_END_TO_END: Final = SINGLE - {b"transfer-encoding", b"expect"} | {b"cookie", b"x-request-id"}
"""Fields that Connection may not name: dropping them would change what was judged."""
_NOT_REMEMBERED: Final = frozenset(
    {b"authorization", b"proxy-authorization", b"cookie", b"x-api-key", b"api-key", b"content-length",
     b"x-request-id", b"idempotency-key", b"traceparent", b"tracestate", b"x-forwarded-for", b"forwarded"}
)  # fmt: skip
"""Fields that are secret, or another with each request."""


def refuse(message: str, code: str = "bad_request") -> Rejection:
    """Make the head phase's refusal; the connection always ends with it."""
    return Rejection(Phase.HEAD, code, message, close=True)


class FieldMemo:
    """Remembers how lines were read: at most 1,024 of at most 128 bytes, secrets never among them."""

    MOST: Final = 1024
    LONGEST: Final = 128

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[bytes, Field] = {}

    def read(self, line: bytes) -> Field | Rejection:
        """Read a line that is not known yet, and remember it if it may come again."""
        field = read_field(line)
        if isinstance(field, Field) and len(line) <= self.LONGEST and field.lower not in _NOT_REMEMBERED:
            if len(self.known) >= self.MOST:
                self.known.clear()
            self.known[line] = field
        return field


class HeadMemo:
    """What one connection keeps from head to head: the field block it sent last, and the lines of all.

    Clients repeat themselves: with a kept-alive connection all but the request line and the length is
    mostly the same bytes again. ``lines`` is shared between connections; the block, which may hold
    secrets, stays with the connection that sent it.
    """

    LONGEST: Final = 4096
    """Longest block in bytes that is kept."""

    __slots__ = ("block", "lines", "raw")

    def __init__(self, lines: FieldMemo) -> None:
        self.lines = lines
        self.raw = b""
        self.block: FieldBlock | None = None

    def read(self, raw: bytes) -> FieldBlock | Rejection:
        """Read the block ``raw``: CRLF and a field line, any number of times."""
        block = read_block(raw, self.lines)
        if isinstance(block, FieldBlock) and len(raw) <= self.LONGEST:
            self.raw = raw
            self.block = block
        return block


def read_block(raw: bytes, memo: FieldMemo) -> FieldBlock | Rejection:
    """Read all field lines of a head and what they say together; ``raw`` as for :meth:`HeadMemo.read`."""
    lines = raw.split(b"\r\n")
    if len(lines) > MAX_FIELDS + 1:
        return refuse(f"The request has more than {MAX_FIELDS} header fields.", "headers_too_large")
    known = memo.known
    fields: list[Field] = []
    for line in lines[1:]:
        field = known.get(line) or memo.read(line)
        if isinstance(field, Rejection):
            return field
        fields.append(field)
    first = {lower: value for _, lower, value in reversed(fields)}
    if len(first) != len(fields):
        rejection = _check_repeated(fields)
        if rejection is not None:
            return rejection
    if b"host" not in first:
        return refuse("The request needs exactly one Host.")
    if b"transfer-encoding" in first and b"content-length" in first:
        return refuse("Transfer-Encoding and Content-Length exclude each other.")
    expect = first.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        return refuse("The only expectation known is 100-continue.", "expectation_failed")
    return FieldBlock(
        tuple(fields),
        first,
        first[b"host"].decode("ascii"),
        frozenset(connection_options(fields) if b"connection" in first else ()),
        chunked=b"transfer-encoding" in first,
        expect=expect is not None,
    )


def _check_repeated(fields: list[Field]) -> Rejection | None:
    """Refuse a second field of a name that may stand only once."""
    seen: set[bytes] = set()
    for _, lower, _ in fields:
        if lower in seen and lower in SINGLE:
            return repeated(lower)
        seen.add(lower)
    return None


def repeated(lower: bytes) -> Rejection:
    """Refuse the second field of a name."""
    code = "unsupported_media_type" if lower == b"content-type" else "bad_request"
    return refuse(f"The header field {lower.decode()} stands more than once.", code)


def read_field(line: bytes) -> Field | Rejection:
    """Read one field line, its CRLF removed; refuse what it should not say whatever else the head holds."""
    if len(line) > MAX_FIELD_LINE:
        return refuse(f"A header field is longer than {MAX_FIELD_LINE} bytes.", "headers_too_large")
    match = _LINE.fullmatch(line)
    if match is None:
        return refuse("A header field is malformed.")
    name, raw = match.groups()
    value = raw.strip(b" \t")
    if value and (value[0] >= 0x80 or value[-1] >= 0x80):
        return refuse("A header field's value begins or ends with a byte outside ASCII.")
    lower = name.lower()
    if lower not in _GUARDED and _is_guarded(folded(lower)) and not lower.startswith(_FORWARDED):
        return refuse("A header field imitates another with signs in place of dashes.")
    check = _CHECKS.get(lower)
    if check is not None and (message := check(raw, value)) is not None:
        return refuse(message)
    return Field(name + b": " + value + b"\r\n", lower, value)


def _is_guarded(lower: bytes) -> bool:
    return lower in _GUARDED or lower.startswith(_FORWARDED)


def folded(lower: bytes) -> bytes:
    """Give a name as CGI-like upstreams know it: underscores become dashes (RFC 3875 section 4.1.18).

    Some servers do the same with every other sign that a name may hold.
    """
    return lower.translate(_FOLD)


# What single fields may say: those that tell where a message ends and whom it is for.


def _check_host(_raw: bytes, value: bytes) -> str | None:
    """Take names, IPv4 and IPv6 addresses without a zone, and ports that exist (RFC 9110 section 7.2)."""
    match = _HOST.fullmatch(value)
    if match is None or int(match[2] or 0) > _MAX_PORT or not _is_address(match[1]):
        return "The Host header field is malformed."
    return None


def _is_address(literal: bytes | None) -> bool:
    """Say whether what stands in brackets, if anything does, is an IPv6 address."""
    try:
        return literal is None or IPv6Address(literal.decode("ascii")) is not None
    except AddressValueError:
        return False


def _check_length(_raw: bytes, value: bytes) -> str | None:
    return None if _LENGTH.fullmatch(value) is not None else "The Content-Length is malformed."


def _check_coding(raw: bytes, _value: bytes) -> str | None:
    # As it came: white space that another parser might keep is a way to smuggle.
    if raw.lower() in (b" chunked", b"chunked"):
        return None
    return "The only Transfer-Encoding accepted is chunked."


def _check_connection(_raw: bytes, value: bytes) -> str | None:
    if not value:
        return None
    if _TOKEN_LIST.fullmatch(value) is None:
        return "The Connection header field is malformed."
    if _END_TO_END.isdisjoint(options(value)):
        return None
    return "The Connection header field names a field that has to arrive."


def _refuse_override(_raw: bytes, _value: bytes) -> str | None:
    return "Header fields that override method or target are not accepted."


_CHECKS: Final[dict[bytes, Callable[[bytes, bytes], str | None]]] = {
    b"host": _check_host,
    b"content-length": _check_length,
    b"transfer-encoding": _check_coding,
    b"connection": _check_connection,
    b"x-http-method-override": _refuse_override,
    b"x-http-method": _refuse_override,
    b"x-method-override": _refuse_override,
    b"x-original-url": _refuse_override,
    b"x-rewrite-url": _refuse_override,
}


def options(value: bytes) -> set[bytes]:
    """Give the options of a Connection field's value in lower case (RFC 9110 section 7.6.1)."""
    return {option.strip(b" \t") for option in value.lower().split(b",")}


def connection_options(fields: Iterable[Field]) -> set[bytes]:
    """Give the options of all Connection fields."""
    found: set[bytes] = set()
    for _, lower, value in fields:
        if lower == b"connection":
            found |= options(value)
    return found
