"""Content codings of request bodies (RFC 9110 section 8.4.1): the encoded bytes in, the decoded bytes out.

Read strictly, so that no two decoders can differ on what a body says: it is one whole gzip member, zlib
stream, Brotli stream or zstd frame, and not one byte besides. A second member or frame, and skippable zstd
frames, are read by some decoders and passed over by others; they are refused.

The libraries of ``br`` and ``zstd`` are imported when they are first needed: most gateways never do.
"""

from __future__ import annotations

import sys
import zlib
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import brotli

Coding: TypeAlias = Literal["gzip", "deflate", "br", "zstd"]

CODINGS: Final[Mapping[bytes, Coding]] = MappingProxyType(
    {b"gzip": "gzip", b"x-gzip": "gzip", b"deflate": "deflate", b"br": "br", b"zstd": "zstd"}
)
"""The values of Content-Encoding that are decoded, in lower case; x-gzip by RFC 9110 section 8.4.1.3."""
ACCEPTED: Final = ", ".join(sorted({*CODINGS.values()}))
"""What Accept-Encoding answers (RFC 9110 section 12.5.3)."""
STEP: Final = 64 * 1024
"""How many bytes a decoder is given, and asked for, at once; br may give half as much more."""
MAX_WINDOW: Final = 8 * 1024 * 1024
"""The largest window of a zstd frame in bytes (RFC 9659 section 3)."""


class EncodingFault(Exception):
    """The body cannot be decoded, or not within its limits.

    ``code`` is a refusal's: ``bad_request`` where the encoded bytes are not what the coding asks for,
    ``body_too_large`` where they hold more than they may. ``message`` is for the client and repeats nothing
    of the body.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Decoder(Protocol):
    """Takes a stream in pieces and gives it decoded; the shape is that of the standard library's bz2."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was read, its checksum included."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end together with it."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Take ``data`` and give about ``max_length`` bytes at most, or b"" where more input is needed."""


def decode(body: bytes, coding: Coding, *, max_bytes: int, max_ratio: int) -> bytes:
    """Decode a whole body.

    At most ``max_bytes`` may come out, and at most ``max_ratio`` times the bytes that went in, however few
    these are. Work ends as soon as either is passed: at no time are more decoded bytes held than the lower
    of them and two steps; the decoder of br itself holds up to twice as many, or 256 KiB. Raises
    EncodingFault; a body of no bytes is one that ends too early.
    """
    limit = min(max_bytes, max_ratio * len(body))
    if coding == "br":
        body = _narrowed(body, limit)
    decoded = BytesIO()  # which gives its bytes without a copy
    for piece in _pieces(body, coding):
        if decoded.tell() + len(piece) > limit:
            raise _too_large(max_bytes, max_ratio, limit)
        decoded.write(piece)
    return decoded.getvalue()


def _too_large(max_bytes: int, max_ratio: int, limit: int) -> EncodingFault:
    if limit == max_bytes:
        message = f"The request body is larger than {max_bytes} bytes once it is decoded."
    else:
        message = f"The request body is more than {max_ratio} times as large decoded as it is encoded."
    return EncodingFault("body_too_large", message)


def _pieces(body: bytes, coding: Coding) -> Iterator[bytes]:
    """Give the decoded body in pieces of about a step at most, each when it is asked for."""
    decoder, error = _DECODERS[coding](body)
    data = b""
    start = 0
    try:
        while True:
            piece = decoder.decompress(data, STEP)
            yield piece
            if decoder.eof:
                break
            data = b""
            if piece:
                continue  # what the decoder has taken in it need not have given out yet
            if start >= len(body):
                raise EncodingFault("bad_request", f"The request body ends before its {coding} coding does.")
            data = body[start : start + STEP]
            start += STEP
    except error:
        raise EncodingFault("bad_request", f"The request body is not valid {coding}.") from None
    if start < len(body) or decoder.unused_data:
        raise EncodingFault("bad_request", f"The request body goes on after its {coding} coding has ended.")


class _Inflater:
    """A decoder of gzip (RFC 1952) or zlib (RFC 1950), by the size of its window as zlib takes it."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


class _Unbrotli:
    """A decoder of Brotli (RFC 7932); its library itself refuses what comes after the end."""

    unused_data: Final = b""

    def __init__(self, stream: brotli.Decompressor) -> None:
        self._stream = stream

    @property
    def eof(self) -> bool:
        finished: bool = self._stream.is_finished()
        return finished

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        decoded: bytes = self._stream.process(data, output_buffer_limit=max_length)
        return decoded


def _narrowed(body: bytes, limit: int) -> bytes:
    """Give a Brotli stream a window no larger than ``limit`` decoded bytes need (RFC 7932 section 9.1).

    The library fills a whole window before it gives anything out: 14 bytes cost it 16 MiB. To a stream that
    keeps to its limit a smaller window means the same, and one that does not is refused. Only those from
    256 KiB on are changed: these are all stated in the same four bits.
    """
    stated = body[0] >> 1 & 7 if body and body[0] & 1 else 0  # in bits, less 17; 0 for less than 256 KiB
    needed = max((limit + 15).bit_length() - 17, 1)  # a distance is at most 16 bytes less than the window
    return body if stated <= needed else bytes((body[0] & 0xF0 | needed << 1 | 1,)) + body[1:]


_Started: TypeAlias = "tuple[_Decoder, type[Exception]]"
"""A decoder, and what it raises for malformed input."""


def _start_gzip(_body: bytes) -> _Started:
    return _Inflater(16 + zlib.MAX_WBITS), zlib.error


def _start_deflate(_body: bytes) -> _Started:
    return _Inflater(zlib.MAX_WBITS), zlib.error


def _start_br(_body: bytes) -> _Started:
    import brotli  # noqa: PLC0415 - see the module's text

    return _Unbrotli(brotli.Decompressor()), brotli.error


def _start_zstd(body: bytes) -> _Started:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - see the module's text
    else:
        from backports import zstd  # noqa: PLC0415 - see the module's text

    if len(body) >= 6:
        _check_frame(body)
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW.bit_length() - 1}
    return zstd.ZstdDecompressor(options=options), zstd.ZstdError


def _check_frame(body: bytes) -> None:
    """Check what libzstd lets pass: a skippable frame, and any window where the content is small.

    RFC 8878 sections 3.1.1 and 3.1.2. A frame of a single segment has no window but its content.
    """
    if not body.startswith(_ZSTD_MAGIC):
        raise EncodingFault("bad_request", "The request body does not begin with a zstd frame.")
    descriptor, window = body[4], body[5]
    if not descriptor & _SINGLE_SEGMENT and (8 + (window & 7)) << (7 + (window >> 3)) > MAX_WINDOW:
        message = f"The window of the request body's zstd frame is larger than {MAX_WINDOW} bytes."
        raise EncodingFault("bad_request", message)


_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SINGLE_SEGMENT: Final = 0x20

_DECODERS: Final[Mapping[Coding, Callable[[bytes], _Started]]] = MappingProxyType(
    {"gzip": _start_gzip, "deflate": _start_deflate, "br": _start_br, "zstd": _start_zstd}
)
