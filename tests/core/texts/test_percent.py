"""Percent-encoded text is decoded once, or refused."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.texts.percent import Undecodable, decode


def test_decoding() -> None:
    """Escapes are UTF-8 and undone once; a plus stays, or stands for what it is said to."""
    assert decode("a%20b%C3%A9+%2B%2525") == "a bé++%25"
    assert decode("+a+%2b+", plus=" ") == " a + "
    assert decode("=%3D==_%5f%3d3D=0A") == "====__=3D=0A"
    assert decode("a%0Ab%09", controls=True) == "a\nb\t"


@pytest.mark.parametrize(
    ("raw", "controls", "reason"),
    [
        ("a b", False, "must be percent-encoded"),
        ("a;b", True, "must be percent-encoded"),
        ("é", True, "must be percent-encoded"),
        ("%", False, "malformed"),
        ("%4", False, "malformed"),
        ("%4g", True, "malformed"),
        ("%FF", False, "UTF-8"),
        ("%ED%A0%80", True, "UTF-8"),
        ("%0A", False, "control"),
        ("%C2%85", False, "control"),
        ("%00", True, "control"),
    ],
)
def test_refused(raw: str, controls: bool, reason: str) -> None:
    """What decoders differ over is refused with a reason that holds nothing of the text."""
    with pytest.raises(Undecodable, match=reason) as caught:
        decode(raw, controls=controls)
    assert caught.value.reason.startswith(("has a ", "is not "))


@given(st.text().filter(lambda text: "\0" not in text))
def test_all_text_can_be_encoded(text: str) -> None:
    """Every text without NUL comes back when each of its bytes is encoded."""
    assert decode("".join(f"%{byte:02x}" for byte in text.encode()), controls=True) == text


@given(st.text(st.sampled_from("%=+_~3dD20A/a"), max_size=12))
def test_as_the_standard_library_does(raw: str) -> None:
    """What is decoded is what the standard library decodes."""
    with suppress(Undecodable):
        assert decode(raw, controls=True, plus=" ") == unquote_plus(raw, errors="strict")
