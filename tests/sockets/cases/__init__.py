"""Requests as raw bytes with the answers that they must get. Nothing of the refused ones goes upstream."""

from __future__ import annotations

from tests.sockets.cases.bodies import BODIES, EXPECTATIONS, MEDIA_TYPES
from tests.sockets.cases.case import CHUNKED, CHUNKS, CONTINUE, DROPPED, Case, chunks, get
from tests.sockets.cases.codings import CODINGS
from tests.sockets.cases.fields import FIELDS
from tests.sockets.cases.framing import CHUNK_BODIES, FRAMING
from tests.sockets.cases.heads import HEADS
from tests.sockets.cases.served import SERVED
from tests.sockets.cases.targets import TARGETS

__all__ = [
    "CASES", "CHUNKED", "CHUNKS", "CHUNK_BODIES", "CONTINUE", "DROPPED", "REFUSED", "SERVED", "Case",
    "chunks", "get",
]  # fmt: skip

REFUSED = [*FRAMING, *HEADS, *FIELDS, *TARGETS, *MEDIA_TYPES, *EXPECTATIONS, *CODINGS, *BODIES]
CASES = [*REFUSED, *SERVED]
