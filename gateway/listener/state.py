"""Where a downstream connection is."""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """The states of a :class:`listener.connection.Connection`, in the order of a request's way."""

    HEAD = "a head is awaited"
    BODY = "an admitted request's body is awaited"
    BUSY = "its answer is awaited; what arrives meanwhile is kept"
    SKIP = "a refused request's body is dropped"
    LINGER = "the last answer is out, the connection is ending"
    CLOSED = "nothing more is read or written"


# By these names, since looking a member up on its class costs more than the comparison.
HEAD: Final = State.HEAD
BODY: Final = State.BODY
BUSY: Final = State.BUSY
SKIP: Final = State.SKIP
LINGER: Final = State.LINGER
CLOSED: Final = State.CLOSED
