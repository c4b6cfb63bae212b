"""Header rules of forwarding, both ways. Pure: fields in, bytes out.

Sources: RFC 9110 section 7.6 (Connection, Via), RFC 9112 section 9.6, RFC 7239 (Forwarded).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.fields import options as options_of
from gateway.core.types import Field

if TYPE_CHECKING:
    from gateway.core.types import Permit, RequestHead
    from gateway.ports import Client

HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-authentication-info", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings",
    }
)  # fmt: skip
"""Fields that speak of one connection only; fields that Connection names join them."""

_FORWARDING: Final = frozenset(
    {
        b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto",
        b"x-forwarded-port", b"x-real-ip",
    }
)  # fmt: skip
_REBUILT: Final = frozenset({b"via", b"x-forwarded-for"})
"""What is rebuilt even for a trusted proxy: its own list with one more at the end."""
_REQUEST_DROPPED: Final = HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_RESPONSE_DROPPED: Final = HOP_BY_HOP | {
    b"content-length", b"x-request-id", b"x-upstream-request-id", b"x-gateway-would-reject",
}  # fmt: skip
_PLAIN_OPTIONS: Final = frozenset({b"keep-alive", b"close"})
"""Connection options that name no field."""


class RequestHeaders:
    """Builds the requests to one upstream address."""

    __slots__ = ("_dropped", "_dropped_trusted", "_forwarded", "_start")

    def __init__(self, authority: str, *, authorization: str | None, forwarded: bool) -> None:
        """Fix what is the same for all requests.

        ``authority`` becomes Host; ``authorization`` replaces the client's if given; ``forwarded`` says
        whether Via, Forwarded and X-Forwarded-* are sent.
        """
        self._start = b" HTTP/1.1\r\nhost: " + authority.encode("ascii") + b"\r\n"
        dropped = _REQUEST_DROPPED
        if authorization is not None:
            self._start += b"authorization: " + authorization.encode("latin-1") + b"\r\n"
            dropped |= {b"authorization"}
        self._forwarded = forwarded
        self._dropped = dropped | _FORWARDING
        self._dropped_trusted = dropped | _REBUILT if forwarded else self._dropped

    def build(self, permit: Permit, client: Client) -> bytes:
        """Give the whole request, head and judged body, ready for the socket."""
        head = permit.head
        derived = head.block.derived.get(self)
        decoded = permit.decoded
        if derived is None or derived[0] != client or derived[1] != head.minor or derived[2] != decoded:
            derived = (client, head.minor, decoded, self._lines(permit, client))
            head.block.keep(self, derived)
        start = b"%b %b%b" % (head.method.encode("ascii"), head.target, derived[3])
        body = permit.body
        if body or head.declared:
            return b"%bcontent-length: %d\r\n\r\n%b" % (start, len(body), body)
        return start + b"\r\n"

    def _lines(self, permit: Permit, client: Client) -> bytes:
        """Give the rest of the request line and all fields but Content-Length."""
        head = permit.head
        dropped = self._dropped_trusted if client.trusted else self._dropped
        if head.block.options:
            dropped |= head.block.options
        if permit.decoded:
            dropped |= {b"content-encoding"}
        prefixes = () if client.trusted and self._forwarded else (b"x-forwarded-",)
        parts = [self._start]
        parts += [
            line for line, lower, _ in head.fields if lower not in dropped and not lower.startswith(prefixes)
        ]
        if self._forwarded:
            parts.append(_forwarding_lines(head, client))
        return b"".join(parts)


def _forwarding_lines(head: RequestHead, client: Client) -> bytes:
    """Give Via, Forwarded and X-Forwarded-* lines for the hop from ``client.peer`` to here."""
    peer = client.peer
    node = f'"[{peer}]"' if ":" in peer else peer
    forwarded = f"for={node};host={_quoted(head.host)};proto={client.scheme}"
    via = f"1.{head.minor} message-gateway"
    chain = peer
    if b"via" in head.first:
        via = _appended(head, b"via", via)
    if client.trusted:
        chain = _appended(head, b"x-forwarded-for", peer)
    lines = f"via: {via}\r\nforwarded: {forwarded}\r\nx-forwarded-for: {chain}\r\n"
    if not client.trusted or b"x-forwarded-host" not in head.first:
        lines += f"x-forwarded-host: {head.host}\r\n"
    if not client.trusted or b"x-forwarded-proto" not in head.first:
        lines += f"x-forwarded-proto: {client.scheme}\r\n"
    return lines.encode("latin-1")


def _appended(head: RequestHead, field: bytes, value: str) -> str:
    """Give a list field's values so far with one more at the end."""
    earlier = [item.value.decode("latin-1") for item in head.fields if item.lower == field and item.value]
    return ", ".join([*earlier, value])


def _quoted(host: str) -> str:
    """Quote a Forwarded value where it is no token: a port's colon is not (RFC 7239 section 4)."""
    return f'"{host}"' if ":" in host else host


class ResponseFields(NamedTuple):
    """What a response's header fields say.

    ``block`` holds the lines that go downstream, ``length`` the Content-Length, ``options`` the Connection
    options, ``request_id`` the upstream's own id.
    """

    block: bytes
    length: int | None
    chunked: bool
    options: frozenset[bytes]
    request_id: bytes | None


# What is done with a response field; numbers, since an enumeration's members are slow to look up.
_PASS: Final = 0
_DROP: Final = 1
_LENGTH: Final = 2
_CODING: Final = 3
_CONNECTION: Final = 4
_REQUEST_ID: Final = 5

_ROLES: Final = dict.fromkeys(_RESPONSE_DROPPED, _DROP) | {
    b"content-length": _LENGTH,
    b"transfer-encoding": _CODING,
    b"connection": _CONNECTION,
    b"x-request-id": _REQUEST_ID,
}
_NO_OPTIONS: Final[frozenset[bytes]] = frozenset()
_KEEP_ALIVE: Final = frozenset({b"keep-alive"})


_MOST_DIGITS: Final = 18
"""Of a Content-Length; more may not fit into 63 bits, and llhttp takes 64."""


def _length(value: bytes) -> int:
    if len(value) > _MOST_DIGITS or (len(value) > 1 and value.startswith(b"0")):
        raise FramingFault
    return int(value)


def _options(value: bytes) -> frozenset[bytes]:
    return _KEEP_ALIVE if value == b"keep-alive" else frozenset(options_of(value))


class FramingFault(ValueError):
    """A transfer coding other than chunked, a second one, or a length that others may read differently."""


class ResponseHeaders:
    """Turns upstream header fields into the lines that go downstream.

    Remembers how a field was read, since most come again with each response: at most 1,024 of at most
    128 bytes.
    """

    MOST: Final = 1024
    LONGEST: Final = 128

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], tuple[Field, int]] = {}

    def read(self, fields: list[tuple[bytes, bytes]]) -> ResponseFields:
        """Read the fields of one response; FramingFault for a length or coding that is in doubt.

        llhttp has refused repeated or signed lengths, and a length beside a transfer coding. It does not
        know a coding that has a tab behind it, and would read on to the connection's end.
        """
        known = self._known
        lines: list[bytes] = []
        length: int | None = None
        chunked = False
        options = _NO_OPTIONS
        request_id: bytes | None = None
        for pair in fields:
            field, role = known.get(pair) or self._learn(pair)
            if role == _PASS:
                lines.append(field.line)
            elif role == _LENGTH:
                length = _length(field.value)
            elif role == _REQUEST_ID:
                if request_id is None:
                    request_id = field.value
                    lines.append(b"x-upstream-request-id: %b\r\n" % request_id)
            elif role == _CONNECTION:
                options |= _options(field.value)
            elif role == _CODING:
                if chunked or pair[1].strip(b" ").lower() != b"chunked":
                    raise FramingFault
                chunked = True
        if not options <= _PLAIN_OPTIONS:
            lines = [line for line in lines if line.partition(b":")[0].lower() not in options]
        return ResponseFields(b"".join(lines), length, chunked, options, request_id)

    def _learn(self, pair: tuple[bytes, bytes]) -> tuple[Field, int]:
        name, value = pair
        value = value.strip(b" \t")
        field = Field(name + b": " + value + b"\r\n", name.lower(), value)
        known = (field, _ROLES.get(field.lower, _PASS))
        if len(field.line) <= self.LONGEST and field.lower not in _NOT_REMEMBERED:
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[pair] = known
        return known


_NOT_REMEMBERED: Final = frozenset({b"set-cookie", b"x-request-id"})
