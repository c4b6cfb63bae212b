"""The bytes of responses downstream: relayed heads and refusals. Pure but for the clock's Date."""

from __future__ import annotations

from email.utils import formatdate
from enum import Enum
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Final, Literal

from gateway.render import choose_dialect, render

if TYPE_CHECKING:
    from gateway.core.types import Rejection, RequestHead
    from gateway.ports import ResponseHead


class Framing(Enum):
    """How the end of a relayed body is marked downstream (RFC 9112 section 6.3)."""

    NONE = "no body"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    CLOSE = "the connection's end"

    @staticmethod
    def of(head: ResponseHead, request: RequestHead) -> Framing:
        """Choose for an upstream's response and the client's version of HTTP."""
        if head.bodiless:
            return _NONE
        if head.length is not None:
            return _LENGTH
        return _CHUNKED if request.minor else _CLOSE


_NONE: Final = Framing.NONE
_LENGTH: Final = Framing.LENGTH
_CHUNKED: Final = Framing.CHUNKED
_CLOSE: Final = Framing.CLOSE


def head_bytes(
    head: ResponseHead,
    framing: Framing,
    request: RequestHead,
    request_id: str,
    *,
    keep_alive: bool,
    would_reject: int = 0,
) -> bytes:
    """Give a relayed response's head; ``would_reject`` is how many violations were recorded, not refused."""
    if head.length is not None and head.status != 204:
        frame = b"content-length: %d\r\n" % head.length
    elif framing is _CHUNKED:
        frame = b"transfer-encoding: chunked\r\n"
    else:
        frame = b""
    if would_reject:
        frame += b"x-gateway-would-reject: %d\r\n" % would_reject
    return b"HTTP/1.1 %d %b\r\n%b%b%bx-request-id: %b\r\n\r\n" % (
        head.status,
        head.reason,
        head.block,
        frame,
        _connection(request, keep_alive=keep_alive),
        request_id.encode("ascii"),
    )


def _connection(request: RequestHead | None, *, keep_alive: bool) -> bytes:
    if not keep_alive:
        return b"connection: close\r\n"
    return b"" if request is None or request.minor else b"connection: keep-alive\r\n"


_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def refusal_bytes(
    rejection: Rejection,
    request: RequestHead | None,
    dialect: Literal["openai", "problem"],
    request_id: str,
    *,
    keep_alive: bool,
) -> tuple[bytes, int]:
    """Give a refusal as a whole response, and the length of its body as sent (0 in answer to HEAD)."""
    accept = None if request is None else request.first.get(b"accept")
    rendered = render(rejection, dialect=choose_dialect(accept, dialect), request_id=request_id)
    lines = "".join([f"{name}: {value}\r\n" for name, value in rendered.fields])
    head = (
        f"HTTP/1.1 {rendered.status} {_REASONS.get(rendered.status, '')}\r\ndate: {_date.text()}\r\n{lines}"
        f"content-length: {len(rendered.body)}\r\nx-request-id: {request_id}\r\n"
    ).encode("latin-1")
    head += _connection(request, keep_alive=keep_alive) + b"\r\n"
    if request is not None and request.method == "HEAD":
        return head, 0
    return head + rendered.body, len(rendered.body)


class _Date:
    """The Date field's value (RFC 9110 section 6.6.1), made once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def text(self) -> str:
        now = int(time())
        if now != self._second:
            self._second = now
            self._text = formatdate(now, usegmt=True)
        return self._text


_date = _Date()
