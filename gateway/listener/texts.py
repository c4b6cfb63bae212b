"""What the record keeps of a request's header fields; worked out once for each field block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.head import trace_id

if TYPE_CHECKING:
    from gateway.core.types import RequestHead

MAX_TEXT: Final = 256
"""How much of a field's value the record keeps, in bytes."""

_MAX_DIGITS: Final = 9


class Texts(NamedTuple):
    """What the record keeps of the header fields."""

    client_request_id: str | None = None
    trace_id: str | None = None
    user_agent: str | None = None
    sdk_retry: str | None = None


NO_TEXTS: Final = Texts()


def texts_of(head: RequestHead) -> Texts:
    """Give the texts of a head's field block."""
    block = head.block
    texts: Texts | None = block.derived.get(Texts)
    if texts is None:
        first = block.first
        texts = Texts(
            text(first.get(b"x-request-id")),
            trace_id(first[b"traceparent"]) if b"traceparent" in first else None,
            text(first.get(b"user-agent")),
            _figure(first.get(b"x-stainless-retry-count", b"")),
        )
        block.keep(Texts, texts)
    return texts


def _figure(value: bytes) -> str | None:
    """Keep a number of an SDK; a text that is none would only be a place to hide one."""
    return value.decode("ascii") if value.isdigit() and len(value) <= _MAX_DIGITS else None


def text(value: bytes | None) -> str | None:
    """Decode the first 256 bytes of a header field's value; those outside ASCII become replacements."""
    return None if value is None else value[:MAX_TEXT].decode("ascii", "replace")
