"""Request ids: UUIDv7 (RFC 9562 section 5.7)."""

from __future__ import annotations

import os
from time import time_ns

_BATCH = 64
_VARIANTS = "89ab"


class RequestIds:
    """Makes ids that sort by the millisecond they were made in; the rest of each is random.

    Random bits are drawn from the system for many ids at once, and the part that an id shares with others
    of its millisecond is written once.
    """

    __slots__ = ("_millisecond", "_prefix", "_suffixes")

    def __init__(self) -> None:
        self._millisecond = -1
        self._prefix = ""
        self._suffixes: list[str] = []

    def next(self) -> str:
        """Give a new id in the usual text form, 36 characters."""
        now = time_ns() // 1_000_000
        if now != self._millisecond:
            self._millisecond = now
            text = f"{now & 0xFFFF_FFFF_FFFF:012x}"
            self._prefix = f"{text[:8]}-{text[8:]}-7"
        if not self._suffixes:
            random = os.urandom(_BATCH * 10).hex()
            self._suffixes = [_suffix(random[at : at + 20]) for at in range(0, len(random), 20)]
        return self._prefix + self._suffixes.pop()


def _suffix(random: str) -> str:
    """Make the part after the version out of 20 random hexadecimal digits."""
    variant = _VARIANTS[int(random[3], 16) & 3]
    return f"{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
