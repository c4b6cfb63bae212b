"""What bounds a connection beside the limits and deadlines that are configured."""

from __future__ import annotations

from typing import Final

LINGER_SECONDS: Final = 2.0
"""How long an ending connection waits for its client to read the answer and hang up."""
LINGER_BYTES: Final = 64 * 1024 * 1024
"""How much a client may still send meanwhile; some read no answer before they have sent a whole upload."""
SKIPPABLE: Final = 256 * 1024
"""A refused request's body of at most this many bytes is read and dropped to keep the connection."""
MAX_BUFFERED: Final = 64 * 1024
"""How many bytes of pipelined requests are kept before reading stops."""
MIN_BODY_RATE: Final = 8 * 1024
"""Bytes of a body that buy it one more second, up to ``deadlines.body`` seconds ahead.

So a large body on a slow line gets through, a dripping client does not: 64 kbit/s, less than any mobile line.
"""
MAX_AT_ONCE: Final = 32
"""How many steps a connection takes before it lets others have their turn."""
