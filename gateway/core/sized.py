"""A body whose length is known beforehand, taken as it arrives. Pure; the counterpart of ``chunked``."""

from __future__ import annotations


class SizedBody:
    """Collects ``length`` bytes; ``done`` once they are there, ``rest`` then holds the bytes after."""

    __slots__ = ("_missing", "_pieces", "done", "received", "rest")

    def __init__(self, length: int) -> None:
        """Begin a body of ``length`` bytes, at least one."""
        self._missing = length
        self._pieces: list[bytes] = []
        self.received = 0
        self.done = False
        self.rest = b""

    def body(self) -> bytes:
        """Give the body as far as it was read."""
        return b"".join(self._pieces)

    def feed(self, data: bytes) -> None:
        """Read on."""
        if len(data) > self._missing:
            self.rest = data[self._missing :]
            data = data[: self._missing]
        self._pieces.append(data)
        self.received += len(data)
        self._missing -= len(data)
        self.done = self._missing == 0
