"""What log lines are made of, in either format: times and exceptions."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError

MAX_TEXT: Final = 256
"""How much of a string that a client chose goes into a line, in characters."""

_MILLISECONDS: Final = tuple(f"{number:03d}Z" for number in range(1000))
_MAX_FRAMES: Final = 20


class Stamp:
    """Formats times as RFC 3339, UTC, milliseconds; remembers the last second, which most calls share."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = (-1, "")

    def __call__(self, seconds: float) -> str:
        """Give the text for ``seconds`` since the epoch, not below 0."""
        second = int(seconds)
        last, text = self._last
        if second != last:
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._last = (second, text)  # one assignment, so that threads may share it
        return text + _MILLISECONDS[int((seconds - second) * 1000)]


def exception_fields(error: BaseException) -> dict[str, object]:
    """Give the fields that tell of ``error``: ``error`` and, for a bug, ``frames``, innermost frame last.

    A :class:`GatewayError` is an expected fault: its text, no stack. An OSError's text is the system's own.
    The text of any other exception may quote a request (``KeyError`` does), so that only its type is told.
    """
    if isinstance(error, GatewayError):
        return {"error": str(error)}
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return {
        "error": f"{name}: {error}" if isinstance(error, OSError) else name,
        "frames": [
            f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}" for frame in frames
        ],
    }
