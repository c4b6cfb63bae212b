"""A body whose length is known beforehand, taken as it arrives. Pure; the counterpart of ``chunked``."""

from __future__ import annotations


class SizedBody:
    """Collects ``length`` bytes; ``done`` once they are there, ``rest`` then holds the bytes after."""

    __slots__ = ("_bytes", "_missing", "done", "rest")

    def __init__(self, length: int) -> None:
        """Begin a body of ``length`` bytes, at least one."""
        self._missing = length
        self._bytes = bytearray()
        self.done = False
        self.rest = b""

    @property
    def received(self) -> int:
        """Bytes so far."""
        return len(self._bytes)

    def body(self) -> bytes:
        """Give the body as far as it was read."""
        return bytes(self._bytes)

    def feed(self, data: bytes) -> None:
        """Read on."""
        if len(data) > self._missing:
            self.rest = data[self._missing :]
            data = data[: self._missing]
        self._bytes += data
        self._missing -= len(data)
        self.done = self._missing == 0
