"""The movable timer, on a clock of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gateway.deadline import Deadline

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Handle:
    """A pending call."""

    def __init__(self, loop: Loop, when: float, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._when = when
        self.callback = callback

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self._loop.pending.remove(self)


class Loop:
    """As much of an event loop as timers need; time passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.armed = 0
        self.pending: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        self.armed += 1
        handle = Handle(self, when, callback)
        self.pending.append(handle)
        return handle

    def advance(self, now: float, *, early: float = 0) -> None:
        """Let time pass, and call what is due; ``early`` is how much too soon the loop is."""
        self.now = now
        for handle in [item for item in self.pending if item.when() <= now + early]:
            self.pending.remove(handle)
            handle.callback()


def made() -> tuple[Loop, Deadline, list[float]]:
    loop = Loop()
    expired: list[float] = []
    return loop, Deadline(cast("asyncio.AbstractEventLoop", loop), lambda: expired.append(loop.now)), expired


def test_expires_once() -> None:
    """It expires when its time has come, and not again."""
    loop, deadline, expired = made()
    deadline.after(5)
    loop.advance(4)
    assert expired == []
    loop.advance(5)
    loop.advance(99)
    assert expired == [5]
    assert loop.pending == []


def test_later_costs_no_timer() -> None:
    """Moving it later leaves the pending timer, which looks again when it fires."""
    loop, deadline, expired = made()
    for now in range(5):
        loop.now = now
        deadline.after(5)
    assert loop.armed == 1
    loop.advance(5)
    assert (expired, loop.armed) == ([], 2)
    loop.advance(9)
    assert expired == [9]


def test_earlier_takes_a_new_timer() -> None:
    """Moving it earlier is kept to."""
    loop, deadline, expired = made()
    deadline.after(5)
    deadline.after(2)
    assert len(loop.pending) == 1
    loop.advance(2)
    assert expired == [2]


def test_extended() -> None:
    """It expires later by what was earned, never later than so far ahead, and that costs no timer."""
    loop, deadline, expired = made()
    deadline.after(5)
    loop.now = 4
    deadline.extend(2, 5)
    deadline.extend(0, 5)
    assert loop.armed == 1
    loop.advance(5)
    loop.advance(6)
    assert expired == []
    deadline.extend(100, 5)
    loop.advance(7)
    loop.advance(10)
    assert expired == []
    loop.advance(11)
    assert expired == [11]
    deadline.extend(1, 5)
    assert loop.pending == [], "one that is not set stays so"


def test_cleared() -> None:
    """Cleared, it does not expire, until it is set again."""
    loop, deadline, expired = made()
    deadline.after(5)
    assert deadline.pending
    deadline.clear()
    assert not deadline.pending
    loop.advance(6)
    assert expired == []
    deadline.after(5)
    loop.advance(11)
    assert expired == [11]
    assert not deadline.pending


def test_cleared_and_set_again_before_the_timer() -> None:
    """A pending timer of an earlier time does no harm."""
    loop, deadline, expired = made()
    deadline.after(5)
    deadline.clear()
    loop.now = 3
    deadline.after(5)
    loop.advance(5)
    assert expired == []
    loop.advance(8)
    assert expired == [8]


def test_closed() -> None:
    """Closed, nothing is pending; closing twice is fine."""
    loop, deadline, expired = made()
    deadline.after(5)
    deadline.close()
    deadline.close()
    assert loop.pending == []
    loop.advance(6)
    assert expired == []


def test_a_loop_that_is_early() -> None:
    """A loop whose clock is coarse calls too soon; it only waits on."""
    loop, deadline, expired = made()
    deadline.after(5)
    loop.advance(4.999, early=0.01)
    assert expired == []
    loop.advance(5)
    assert expired == [5]


def test_set_again_from_its_own_call() -> None:
    """What it calls may set it anew."""
    loop = Loop()
    times: list[float] = []

    def expired() -> None:
        times.append(loop.now)
        if len(times) < 3:
            deadline.after(1)

    deadline = Deadline(cast("asyncio.AbstractEventLoop", loop), expired)
    deadline.after(1)
    for now in range(1, 6):
        loop.advance(now)
    assert times == [1, 2, 3]
