"""Percent-encoded text (RFC 3986 section 2.1), decoded once or refused: nothing that decoders differ over."""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import Final

_GOOD: Final = re.compile(r'[!"$&-:<-~]*+(?:%[0-9A-Fa-f]{2}[!"$&-:<-~]*+)*+')
_DOUBTFUL: Final = re.compile(r"[^!-~]|[;#]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Undecodable(Exception):
    """Text that is in doubt; ``reason`` says why and holds nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(raw: str, *, controls: bool = False, plus: str = "+") -> str:
    """Undo percent-encoding once, as UTF-8; ``plus`` is what a ``+`` stands for.

    Raises :class:`Undecodable` for a malformed escape, ``;`` and ``#`` as they stand, anything else that is
    not printable ASCII, what is not UTF-8 (encoded surrogates, too), and encoded control characters;
    ``controls`` takes all of these but NUL, since the texts of forms have lines.
    """
    if _GOOD.fullmatch(raw) is None:
        doubtful = _DOUBTFUL.search(raw) is not None
        raise Undecodable(
            "has a character that must be percent-encoded" if doubtful else "has a malformed percent-encoding"
        )
    raw = raw.replace("+", plus)
    if "%" not in raw:
        return raw
    try:
        # Quoted-printable is the same with another sign, and decoded a hundred times as fast.
        value = a2b_qp(raw.replace("=", "=3D").replace("%", "=")).decode("utf-8")
    except UnicodeDecodeError:
        raise Undecodable("is not percent-encoded UTF-8") from None
    if "\0" in value if controls else _CONTROL.search(value):
        raise Undecodable("has a control character")
    return value
