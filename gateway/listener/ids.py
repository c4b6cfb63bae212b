"""Request ids: UUIDv7 (RFC 9562 section 5.7)."""

from __future__ import annotations

from random import SystemRandom
from time import time_ns

_random = SystemRandom()


class RequestIds:
    """Makes ids that sort by time; their random bits are drawn from the system in bulk."""

    __slots__ = ("_pool",)

    def __init__(self) -> None:
        self._pool: list[int] = []

    def next(self) -> str:
        """Give a new id in the usual text form, 36 characters."""
        if not self._pool:
            bits = _random.getrandbits(74 * 64)
            self._pool = [(bits >> (74 * index)) & ((1 << 74) - 1) for index in range(64)]
        random = self._pool.pop()
        value = (
            ((time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF) << 80
            | 0x7 << 76
            | (random >> 62) << 64
            | 0b10 << 62
            | (random & 0x3FFF_FFFF_FFFF_FFFF)
        )
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
