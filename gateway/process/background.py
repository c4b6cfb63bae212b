"""One thread for work that need not be done now, such as making the code of validators."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Background:
    """Does one piece of work after another on a thread that starts with the first."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="background")

    def later(self, work: Callable[[], None]) -> None:
        """Have ``work`` done at some time; never, if the process ends before. Never raises."""
        with contextlib.suppress(RuntimeError):  # closed already
            self._executor.submit(work)

    def close(self) -> None:
        """End the thread after what it does now; what waits is dropped. Does not wait."""
        self._executor.shutdown(wait=False, cancel_futures=True)
