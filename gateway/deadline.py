"""One timer that is cheap to move: what connections on both sides of the data plane wait by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Deadline:
    """Calls ``expired`` once, unless moved or cleared before.

    Moving it later costs no timer: the pending one looks again when it fires. A connection that serves
    many requests so arms a timer every few seconds rather than several for each request.
    """

    __slots__ = ("_expired", "_handle", "_loop", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._handle: asyncio.TimerHandle | None = None
        self._when: float | None = None

    def after(self, seconds: float) -> None:
        """Expire ``seconds`` from now, in place of any earlier time."""
        when = self._loop.time() + seconds
        self._when = when
        handle = self._handle
        if handle is not None:
            if handle.when() <= when:
                return
            handle.cancel()
        self._handle = self._loop.call_at(when, self._fire)

    @property
    def pending(self) -> bool:
        """Whether it is set."""
        return self._when is not None

    def extend(self, seconds: float, most: float) -> None:
        """Expire ``seconds`` later than was set, but at most ``most`` seconds from now; costs no timer."""
        if self._when is not None:
            self._when = min(self._when + seconds, self._loop.time() + most)

    def clear(self) -> None:
        """Never expire, until set again."""
        self._when = None

    def close(self) -> None:
        """Let go of the timer for good, and of whom it called: the two know each other."""
        self._when = None
        self._expired = _nothing
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        when = self._when
        if when is None:
            return
        # Event loops round timers to their clock's resolution: one that fires early only waits on.
        if when > self._loop.time():
            self._handle = self._loop.call_at(when, self._fire)
        else:
            self._when = None
            self._expired()


def _nothing() -> None:
    """Stand in for what a closed deadline called."""
