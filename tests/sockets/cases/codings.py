"""Content codings that are not known, and bodies that are not what their coding says."""

from __future__ import annotations

import zlib

from tests.sockets.cases.case import CHUNKED, POST, Case, kept
from tests.support.plane import BODY, request

_UNKNOWN = (
    b"", b"x", b"compress", b"gzip, br", b"gzip, gzip", b"gzip,", b",gzip", b"identity, gzip", b"gzip;q=1",
    b'"gzip"', b"gzip gzip", b"*", b"chunked", b"aes128gcm", b"gzi", b"gzipp", b"utf-8", b"none",
)  # fmt: skip
_ZIPPED = zlib.compress(BODY, wbits=31)
_BROKEN = {
    "gzip, plain": (b"gzip", BODY),
    "gzip, without end": (b"gzip", _ZIPPED[:-1]),
    "gzip, without its checksum": (b"gzip", _ZIPPED[:-8]),
    "gzip, another checksum": (b"gzip", _ZIPPED[:-8] + b"\0" * 4 + _ZIPPED[-4:]),
    "gzip, a second member": (b"gzip", _ZIPPED * 2),
    "gzip, a request behind it": (b"gzip", _ZIPPED + request()),
    "gzip, zeros behind it": (b"gzip", _ZIPPED + b"\0" * 8),
    "gzip, which is zlib": (b"gzip", zlib.compress(BODY)),
    "deflate, plain": (b"deflate", BODY),
    "deflate, without a header": (b"deflate", zlib.compress(BODY, wbits=-15)),
    "deflate, without end": (b"deflate", zlib.compress(BODY)[:-1]),
    "deflate, which is gzip": (b"deflate", _ZIPPED),
    "br, plain": (b"br", BODY),
    "zstd, plain": (b"zstd", BODY),
}

CODINGS: list[Case] = [
    *(
        kept(
            f"coding {value!r}",
            request(POST, b"Content-Encoding: " + value),
            415,
            "unsupported_content_encoding",
        )
        for value in _UNKNOWN
    ),
    *(
        kept(name, request(POST, b"Content-Encoding: " + coding, body=body), 400, "bad_request")
        for name, (coding, body) in _BROKEN.items()
    ),
    kept(
        "gzip in chunks, without end",
        request(
            POST,
            b"Content-Encoding: gzip",
            framing=CHUNKED,
            body=b"8\r\n" + _ZIPPED[:8] + b"\r\n0\r\n\r\n",
        ),
        400,
        "bad_request",
    ),
]
