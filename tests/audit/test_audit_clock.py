"""The clock by which the trail is pruned: a leap ahead is told from time that has passed."""

from __future__ import annotations

import pytest

from gateway.audit.clock import LEAP_SECONDS, Clock, ClockAhead, steady

DAY = 86_400.0


class Times:
    """What the two clocks say."""

    wall = 1_800_000_000.0
    steady = 100.0

    def clock(self, offset: float | None = None) -> Clock:
        """Make a clock that goes by them."""
        return Clock(offset, wall=lambda: self.wall, steady=lambda: self.steady)


def test_time_that_passes_is_believed() -> None:
    """However much it is, and with as much of a leap as summer time has; so is a clock that is set back."""
    times = Times()
    clock = times.clock()
    times.wall += 400 * DAY + LEAP_SECONDS
    times.steady += 400 * DAY
    assert clock.now() == times.wall
    times.wall -= 900 * DAY
    assert clock.now() == times.wall


def test_a_leap_is_not_believed_until_it_is_taken_back() -> None:
    """By whoever was started before it; who is started after it cannot tell, unless told of the start."""
    times = Times()
    clock = times.clock()
    times.wall += 400 * DAY
    for one in (clock, times.clock(clock.offset)):
        with pytest.raises(ClockAhead, match=r"set ahead by 9600\.0 hours: nothing is pruned until"):
            one.now()
    assert times.clock().now() == times.wall
    times.wall -= 400 * DAY
    assert clock.now() == times.wall


def test_the_machines_own_clocks() -> None:
    """They are believed, and what a process says of its start holds for another one."""
    assert Clock(Clock().offset).now() > 1_700_000_000
    assert 0 < steady() <= steady()
