"""Ending a connection by a TCP RST instead of a FIN."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which close() sends a RST and drops what is still to be sent (socket(7))."""


def reset_on_close(transport: asyncio.Transport | None) -> None:
    """Have ``transport`` end with a RST once it is aborted; one that has ended already is left alone."""
    if transport is None:
        return
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
