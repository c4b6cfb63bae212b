"""Percent-encoded text (RFC 3986 section 2.1), decoded once or refused: nothing that decoders differ over."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_MALFORMED_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOUBTFUL: Final = re.compile(r"[^!-~]|[;#]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Undecodable(Exception):
    """Text that is in doubt; ``reason`` says why and holds nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(raw: str, *, controls: bool = False) -> str:
    """Undo percent-encoding once, as UTF-8; ``+`` stays a plus.

    Raises :class:`Undecodable` for a malformed escape, ``;`` and ``#`` as they stand, anything else that is
    not printable ASCII, what is not UTF-8 (encoded surrogates, too), and encoded control characters;
    ``controls`` takes all of these but NUL, since the texts of forms have lines.
    """
    if _DOUBTFUL.search(raw):
        raise Undecodable("has a character that must be percent-encoded")
    if "%" not in raw:
        return raw
    if _MALFORMED_ESCAPE.search(raw):
        raise Undecodable("has a malformed percent-encoding")
    try:
        value = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Undecodable("is not percent-encoded UTF-8") from None
    if "\0" in value if controls else _CONTROL.search(value):
        raise Undecodable("has a control character")
    return value
