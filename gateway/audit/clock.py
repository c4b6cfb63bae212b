"""The clock by which the trail is pruned: not believed once it was set ahead, as what is gone is gone.

The system's clock may be set by anybody at any time, rightly or not; a second one, which counts from when the
machine was started and cannot be set, tells when that was done. A clock that is wrong from the beginning
cannot be told by either.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from gateway.audit.faults import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable

LEAP_SECONDS: Final = 3600.0
"""By how much more than what has passed the system's clock may go ahead: records are kept for days."""

# Where there is one, a clock that goes on while the machine is suspended
# (https://man7.org/linux/man-pages/man2/clock_gettime.2.html): waking up is no leap.
_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class ClockAhead(AuditError):
    """The system's clock was set ahead: by it, nothing can be said to be old."""


def steady() -> float:
    """Give the seconds since the machine was started, for all its processes alike."""
    return time.clock_gettime(_STEADY)


class Clock:
    """The system's clock, as long as it goes on as it did at the start.

    ``offset`` is that start, for a process that another one starts: what the system's clock was ahead of
    :func:`steady` then, in seconds.
    """

    def __init__(
        self,
        offset: float | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
    ) -> None:
        """Start now, or where ``offset`` says that another one was started."""
        self._wall = wall
        self._steady = steady
        self.offset = wall() - steady() if offset is None else offset

    def now(self) -> float:
        """Give the present, in seconds since the epoch.

        :raises ClockAhead: while it is more than ``LEAP_SECONDS`` ahead of the time that has passed
        """
        now = self._wall()
        ahead = now - self._steady() - self.offset
        if ahead > LEAP_SECONDS:
            raise ClockAhead(
                f"the system's clock was set ahead by {ahead / 3600:.1f} hours: nothing is pruned until it is"
                " set back, or, if it is right, the gateway is started again."
            )
        return now
