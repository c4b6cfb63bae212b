"""Work that may wait is done one after another on one thread, and never raises to whoever hands it over."""

from __future__ import annotations

import threading

from gateway.process.background import Background


def test_in_order_on_one_thread() -> None:
    """Each piece of work is done, also after one that raised."""
    background = Background()
    done: list[tuple[int, str]] = []
    ended = threading.Event()

    def note(number: int) -> None:
        done.append((number, threading.current_thread().name))

    background.later(lambda: note(1))
    background.later(lambda: 1 // 0)  # type: ignore[arg-type,return-value] # on purpose
    background.later(lambda: note(2))
    background.later(ended.set)
    assert ended.wait(30)
    background.close()
    assert [number for number, _ in done] == [1, 2]
    assert len({name for _, name in done}) == 1
    assert done[0][1] != threading.current_thread().name


def test_after_the_end() -> None:
    """Work that comes too late is dropped, without a word."""
    background = Background()
    background.close()
    background.later(lambda: None)
    background.close()


def test_what_waits_is_dropped() -> None:
    """Closing does not wait, and nothing begins after it."""
    background = Background()
    begun, go, late = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(30)

    background.later(hold)
    background.later(late.set)
    assert begun.wait(30)
    background.close()
    go.set()
    background._executor.shutdown(wait=True)
    assert not late.is_set()
