"""Encodes bodies in every content coding that the gateway decodes."""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from typing import TYPE_CHECKING, Final

import brotli

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.encodings import Coding

try:
    from compression import zstd
except ImportError:
    from backports import zstd


def zstd_frame(body: bytes) -> bytes:
    """Give one zstd frame, with a checksum of its content."""
    return zstd.compress(body, options={zstd.CompressionParameter.checksum_flag: 1})


ENCODERS: Final[Mapping[Coding, Callable[[bytes], bytes]]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": zstd_frame,
}
"""How a body is encoded, by coding."""
CODINGS: Final = tuple(ENCODERS)


@cache
def bomb(coding: Coding, megabytes: int) -> bytes:
    """Encode so many million zeros, piece by piece."""
    piece = bytes(1_000_000)
    if coding == "br":
        encoder = brotli.Compressor(quality=3)
        return b"".join(encoder.process(piece) for _ in range(megabytes)) + encoder.finish()
    if coding == "zstd":
        encoder = zstd.ZstdCompressor()
    else:
        encoder = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    return b"".join(encoder.compress(piece) for _ in range(megabytes)) + encoder.flush()
