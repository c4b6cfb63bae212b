"""What log lines are made of, in either format: texts, and what exceptions tell."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError

MAX_TEXT: Final = 256
"""How much of a string that a client chose goes into a line, in characters."""

_MAX_FRAMES: Final = 20


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
