"""The values that travel through the phases."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.core.codes import CODES, status_of
from gateway.core.head import read_head
from gateway.core.types import Phase, Rejection, RequestHead, Violation


def test_values_cannot_be_changed() -> None:
    """What one phase has decided no later one changes."""
    violation = Violation("/a", "a", "invalid_type", "m", "/a", "a")
    rejection = Rejection(Phase.HEAD, "bad_request", "m")
    for value in (violation, rejection):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.code = "other"  # type: ignore[misc]
    head = read_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(head, RequestHead)
    with pytest.raises(AttributeError):
        head.method = "POST"  # type: ignore[misc]


def test_codes() -> None:
    """Every code is a refusal's, none is 409 (SDKs would send again) and none a 500."""
    assert all(400 <= code.status <= 504 and code.title for code in CODES.values())
    assert not {409, 500} & {code.status for code in CODES.values()}
    assert status_of("body_too_large") == 413
    with pytest.raises(KeyError):
        status_of("no_such_code")


def test_what_is_kept_with_a_head_is_bounded() -> None:
    """However many snapshots add to it, one head does not grow without end; the newest is there."""
    head = read_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(head, RequestHead)
    for key in range(1000):
        head.block.keep(key, value=str(key))
        assert head.block.derived[key] == str(key)
        assert len(head.block.derived) <= 64
