"""A body of known length is the same however its bytes are cut."""

from __future__ import annotations

import pytest

from gateway.core.sized import SizedBody


@pytest.mark.parametrize("size", range(1, 9))
def test_cuts(size: int) -> None:
    """It is done with its last byte, and what came behind that is left over."""
    sent, body, at = b"abcdeREST", SizedBody(5), 0
    while not body.done:
        assert body.received == len(body.body()) == at
        body.feed(sent[at : at + size])
        at += size
    assert (body.body(), body.received) == (b"abcde", 5)
    assert body.rest == sent[5 : max(at, 5)]
