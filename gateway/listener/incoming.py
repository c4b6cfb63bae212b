"""A request's body as it comes in, and what may go wrong with it before it is whole."""

from __future__ import annotations

from typing import Final

from gateway.core.chunked import BodyTooLarge, ChunkedBody, ChunkedFault
from gateway.core.decide import too_large
from gateway.core.sized import SizedBody
from gateway.core.types import Phase, Rejection

HEAD_LATE: Final = Rejection(
    Phase.HEAD, "request_timeout", "The request head did not arrive in time.", close=True
)
BODY_LATE: Final = Rejection(
    Phase.BODY, "request_timeout", "The request body did not arrive in time.", close=True
)
BODY_CUT: Final = Rejection(Phase.BODY, "bad_request", "The connection ended within the body.", close=True)
_MALFORMED: Final = Rejection(Phase.BODY, "bad_request", "The chunked body is malformed.", close=True)


def incoming(length: int | None, max_bytes: int) -> SizedBody | ChunkedBody:
    """Begin a body of ``length`` bytes, or a chunked one (None) of at most ``max_bytes``."""
    return ChunkedBody(max_bytes) if length is None else SizedBody(length)


def feed(body: SizedBody | ChunkedBody, data: bytes, max_bytes: int) -> Rejection | None:
    """Give a body what has arrived; a rejection where its framing is wrong or its limit passed."""
    try:
        body.feed(data)
    except ChunkedFault:
        return _MALFORMED
    except BodyTooLarge:
        return too_large(max_bytes)
    return None
