"""Strays: bytes of a connection that belong to no request, told in a record once the connection has ended."""

from __future__ import annotations


class Strays:
    """Counts what comes behind the last request that is taken on a connection.

    Neither what is left of that request's own body counts, nor empty lines right behind it, which some
    clients add (RFC 9112 section 2.2). ``came`` is how many bytes there were in all, ``count`` how many of
    them count.
    """

    __slots__ = ("_own", "came", "count")

    def __init__(self, own: int | None) -> None:
        """``own`` bytes of the request come first; None where nobody knows how many: then none counts."""
        self._own = own
        self.came = 0
        self.count = 0

    def take(self, data: bytes) -> None:
        """Count what comes next."""
        self.came += len(data)
        if self._own is None:
            return
        behind = data[self._own :]
        self._own -= min(self._own, len(data))
        self.count += len(behind if self.count else behind.lstrip(b"\r\n"))
