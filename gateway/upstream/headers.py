"""Header rules of forwarding, both ways. Pure: fields in, bytes out.

Sources: RFC 9110 section 7.6 (Connection, Via), RFC 9112 section 9.6, RFC 7239 (Forwarded).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.fields import connection_options
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
_RESPONSE_DROPPED: Final = HOP_BY_HOP | {b"content-length", b"x-request-id", b"x-upstream-request-id"}
_PLAIN_OPTIONS: Final = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close"})
"""Connection values that name no field; compared as they come, before any splitting."""


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
        dropped = self._dropped_trusted if client.trusted else self._dropped
        if b"connection" in head.first and head.first[b"connection"] not in _PLAIN_OPTIONS:
            dropped |= connection_options(head.fields)
        parts = [head.method.encode("ascii"), b" ", head.target, self._start]
        parts += [line for line, lower, _ in head.fields if lower not in dropped]
        if self._forwarded:
            parts.append(_forwarding_lines(head, client))
        body = permit.body
        if body or head.length != 0 or b"content-length" in head.first:
            parts.append(b"content-length: %d\r\n\r\n" % len(body))
            parts.append(body)
        else:
            parts.append(b"\r\n")
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


class ResponseHeaders:
    """Turns upstream header fields into the lines that go downstream.

    Remembers how a field was read, since most come again with each response: at most 1,024 of at most
    128 bytes.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], Field] = {}

    def read(self, fields: list[tuple[bytes, bytes]]) -> list[Field]:
        """Give the fields with their names in lower case and the lines that they make."""
        known = self._known
        read: list[Field] = []
        for pair in fields:
            field = known.get(pair)
            if field is None:
                name, value = pair
                value = value.strip(b" \t")
                field = Field(name + b": " + value + b"\r\n", name.lower(), value)
                if len(field.line) <= _LONGEST_KNOWN and field.lower != b"set-cookie":
                    if len(known) >= _MOST_KNOWN:
                        known.clear()
                    known[pair] = field
            read.append(field)
        return read


_MOST_KNOWN: Final = 1024
_LONGEST_KNOWN: Final = 128


def response_block(fields: list[Field]) -> tuple[bytes, bytes | None]:
    """Give the header lines that go downstream, and the upstream's own request id."""
    dropped = _RESPONSE_DROPPED
    request_id: bytes | None = None
    for _, lower, value in fields:
        if lower == b"connection":
            if value not in _PLAIN_OPTIONS:
                dropped |= connection_options(fields)
        elif lower == b"x-request-id" and request_id is None:
            request_id = value
    lines = [line for line, lower, _ in fields if lower not in dropped]
    if request_id is not None:
        lines.append(b"x-upstream-request-id: " + request_id + b"\r\n")
    return b"".join(lines), request_id
