"""What the record keeps of header fields."""

from __future__ import annotations

import pytest

from gateway.core.head import read_head
from gateway.core.types import RequestHead
from gateway.listener.texts import MAX_TEXT, texts_of


def head(*fields: bytes) -> RequestHead:
    found = read_head(b"\r\n".join((b"GET / HTTP/1.1", b"Host: a", *fields, b"", b"")))
    assert isinstance(found, RequestHead)
    return found


@pytest.mark.parametrize(
    ("value", "kept"),
    [(b"0", "0"), (b"12", "12"), (b"9" * 9, "9" * 9)]
    + [(value, None) for value in (b"", b"9" * 10, b"-1", b"1.5", b"0x1", b"secret", b"a\xb2a", b"1 2")],
)
def test_retries_are_figures(value: bytes, kept: str | None) -> None:
    """An SDK's count of retries is kept where it is one; any other text is dropped."""
    assert texts_of(head(b"x-stainless-retry-count: " + value)).sdk_retry == kept


def test_texts_are_cut() -> None:
    """Of a long value the beginning is kept; what is not ASCII is replaced; what is not there is None."""
    found = texts_of(head(b"User-Agent: " + b"a" * 300, b"X-Request-Id: a\xe4b"))
    assert found.user_agent == "a" * MAX_TEXT
    assert found.client_request_id == "a\ufffdb"
    assert (found.trace_id, found.sdk_retry) == (None, None)
