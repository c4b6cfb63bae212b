"""Where a body ends: lengths, transfer codings and chunks that are in doubt."""

from __future__ import annotations

from tests.sockets.cases.case import CHUNKED, CHUNKS, LENGTH, POST, Case, bad, chunks
from tests.support.plane import BODY, request

_LENGTHS = (
    b"5, 5", b"5,5", b"+5", b"-1", b"0x5", b"1_0", b"005", b"00", b"", b" ", b"5 5", b"5\t5", b"1e1", b"five",
    b"\xb2", b"18446744073709551616", b"5;", b"5.0", b"'5'", b'"5"', b"\x0b5", b"5\x0c", b"\xa05", b"17,",
    b",17", b"0, 17", b"-0", b"+0", b"0b1", b"0o7", b"17h", b"\xd9\xa1\xd9\xa7", b"10000000000000000",
    b"9223372036854775808", b"18446744073709551633", b"017", b"1\xc2\xa07", b"5\x85", b"#5", b"NaN",
)  # fmt: skip
"""18446744073709551633 is 17 to who counts in 64 bits."""
_CODINGS = (
    b"xchunked", b"chunked, gzip", b"gzip, chunked", b"chunked, chunked", b"", b"gzip", b"identity",
    b" chunked", b"chunked ", b"\tchunked", b"chunked\t", b"\x0bchunked", b"chunked\x0b", b"chunked;q=1",
    b"chunked,", b",chunked", b'"chunked"', b"\xa0chunked", b"chun ked", b"chunked\x0c", b"ChUnKeD,",
    b"chunked, identity", b"identity, chunked", b"chunked;", b"x-chunked", b"chunke", b"chunkedd", b"deflate",
    b"chunked chunked", b"trailers", b"chunked\x85", b"\xd1\x81hunked", b"null", b"chunked, ",
)  # fmt: skip
_OLD = b"POST /v1/messages HTTP/1.0"
_FRAMES = {
    "chunked on HTTP/1.0": request(_OLD, body=CHUNKS, framing=CHUNKED),
    "chunked and kept on HTTP/1.0": request(_OLD, b"Connection: keep-alive", body=CHUNKS, framing=CHUNKED),
    "CL and TE, a body by CL": request(POST, LENGTH, framing=CHUNKED),
    "CL and TE, a body by TE": request(POST, LENGTH, framing=CHUNKED, body=CHUNKS),
    "TE and CL, a body by CL": request(POST, CHUNKED, framing=LENGTH),
    "TE and CL, a body by TE": request(POST, CHUNKED, framing=LENGTH, body=CHUNKS),
    "TE and a CL of odd spelling": request(POST, LENGTH.upper(), framing=CHUNKED),
    "TE and a wrong CL of odd spelling": request(POST, b"CONTENT-LENGTH: 3", framing=CHUNKED, body=CHUNKS),
    "TE and a CL of 0": request(POST, b"Content-Length: 0", framing=CHUNKED, body=CHUNKS),
    "TE of odd spelling and CL": request(POST, b"tRANSFER-eNCODING:chunked", framing=LENGTH, body=CHUNKS),
    "two equal CLs": request(POST, LENGTH, framing=LENGTH),
    "two equal CLs of odd spelling": request(POST, LENGTH.upper(), framing=LENGTH),
    "two CLs that differ": request(POST, b"Content-Length: 3", framing=LENGTH),
    "two CLs, one with a tab": request(POST, b"Content-Length:\t17", framing=LENGTH),
    "two CLs of 0": request(POST, b"Content-Length: 0", framing=b"Content-Length: 0", body=b""),
    "two TEs": request(POST, CHUNKED, framing=CHUNKED, body=CHUNKS),
    "two TEs that differ": request(POST, b"Transfer-Encoding: identity", framing=CHUNKED, body=CHUNKS),
    "two Content-Encodings": request(POST, b"Content-Encoding: identity", b"content-encoding: gzip"),
}
_REST = b"\r\nhello\r\n0\r\n\r\n"
CHUNK_BODIES = {
    "size 0x5": b"0x5" + _REST,
    "size 5_0": b"5_0" + _REST,
    "size +5": b"+5" + _REST,
    "size -5": b"-5" + _REST,
    "size Z": b"Z" + _REST,
    "size 5h": b"5h" + _REST,
    "size 5,5": b"5,5" + _REST,
    "size in quotes": b'"5"' + _REST,
    "size outside ASCII": b"\xd9\xa5" + _REST,
    "size of nine digits": b"000000005" + _REST,
    "size of 33 bits": b"100000005" + _REST,
    "size of 63 bits": b"7fffffffffffffff" + _REST,
    "size of 64 bits": b"8000000000000000" + _REST,
    "size of 64 bits, -1": b"ffffffffffffffff" + _REST,
    "size of 65 bits": b"10000000000000005" + _REST,
    "size of many digits": b"f" * 100 + b"\r\n",
    "no size": _REST,
    "no size but an extension": b";a" + _REST,
    "space before a size": b" 5" + _REST,
    "tab before a size": b"\t5" + _REST,
    "LF before a size": b"\n5" + _REST,
    "NUL before a size": b"\x005" + _REST,
    "space after a size": b"5 " + _REST,
    "tab after a size": b"5\t" + _REST,
    "space before an extension": b"5 ;a=b" + _REST,
    "bare LF after a size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR after a size": b"5\rhello\r\n0\r\n\r\n",
    "CR CR LF after a size": b"5\r\r\nhello\r\n0\r\n\r\n",
    "LF CR after a size": b"5\n\rhello\r\n0\r\n\r\n",
    "chunk longer than its size": b"4" + _REST,
    "chunk shorter than its size": b"6" + _REST,
    "chunk without its CRLF": b"5\r\nhello0\r\n\r\n",
    "bare LF after a chunk": b"5\r\nhello\n0\r\n\r\n",
    "CR without LF after a chunk": b"5\r\nhello\rX0\r\n\r\n",
    "two CRLF after a chunk": b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "extension without end": b"5;" + b"a" * 300,
    "extension without name": b"5;" + _REST,
    "extension of a value alone": b"5;=b" + _REST,
    "extension without value": b"5;a=" + _REST,
    "space within an extension": b"5;a b" + _REST,
    "space after an extension": b"5;a " + _REST,
    "two quoted strings": b'5;a="b""c"' + _REST,
    "quoted string without end": b'5;a="b' + _REST,
    "quoted string with CRLF": b'5;a="\r\nhello\r\n0\r\n\r\n"' + _REST,
    "quoted string with an escaped CR": b'5;a="\\\r\nb"' + _REST,
    "quoted string outside ASCII": b'5;a="\xe4"' + _REST,
    "NUL in an extension": b"5;a\x00" + _REST,
    "LF in an extension": b"5;a\nb" + _REST,
    "CR in an extension": b"5;a\rb" + _REST,
    "byte outside ASCII in an extension": b"5;\xa0a" + _REST,
    "trailer without colon": b"0\r\nX-A\r\n\r\n",
    "trailer with a space": b"0\r\nX-A : b\r\n\r\n",
    "trailer without name": b"0\r\n: b\r\n\r\n",
    "folded trailer": b"0\r\nX-A: b\r\n c\r\n\r\n",
    "trailer with NUL": b"0\r\nX-A: \x00\r\n\r\n",
    "bare LF in the trailers": b"0\r\nX-A: b\n\r\n",
    "bare CR in the trailers": b"0\r\nX-A: b\rX-B: c\r\n\r\n",
    "CR CR LF in the trailers": b"0\r\nX-A: b\r\r\n\r\n",
    "bare LF after the trailers": b"0\r\nX-A: b\r\n\nGET /v1/messages HTTP/1.1\r\n\r\n",
    "a request in place of trailers": b"0\r\nGET /v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "trailers without end": b"0\r\n" + b"X-A: bbbbbbbbbb\r\n" * 600,
    "trailer line without end": b"0\r\nX-A: " + b"b" * 9000,
}
_HUGE = (b"1001", b"7fffffff", b"80000000", b"fffffff0", b"ffffffff", b"ffffffff;a=b")

FRAMING: list[Case] = [
    *(bad(f"CL {value!r}", request(framing=b"Content-Length:" + value)) for value in _LENGTHS),
    *(
        bad(f"TE {value!r}", request(framing=b"Transfer-Encoding: " + value, body=CHUNKS))
        for value in _CODINGS
    ),
    *(bad(name, raw) for name, raw in _FRAMES.items()),
    *(bad(name, chunks(body)) for name, body in CHUNK_BODIES.items()),
    *(
        bad(f"413 by a chunk of {size!r}", chunks(size + b"\r\n" + BODY), 413, "body_too_large")
        for size in _HUGE
    ),
]
