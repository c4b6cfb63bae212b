"""Answers of upstreams that nobody may get to see, as raw bytes: each is a 502 and costs the connection."""

from __future__ import annotations

from tests.support.plane import GET

CRLF = b"\r\n"


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return CRLF.join([status, *lines]) + CRLF * 2


def starting(line: bytes) -> bytes:
    """Make an answer of three bytes with another status line."""
    return head(b"Content-Length: 3", status=line) + b"abc"


def having(line: bytes) -> bytes:
    """Make an answer of three bytes with one more field line before its length."""
    return head(line, b"Content-Length: 3") + b"abc"


def length(value: bytes) -> bytes:
    """Make an answer of three bytes with this behind the colon of its Content-Length."""
    return head(b"Content-Length:" + value) + b"abc"


def coded(*lines: bytes) -> bytes:
    """Make an answer of one chunk with these field lines."""
    return head(*lines) + b"3\r\nabc\r\n0\r\n\r\n"


def chunks(content: bytes) -> bytes:
    """Make an answer whose chunked body is ``content``."""
    return head(b"Transfer-Encoding: chunked") + content


def interim(*lines: bytes, status: bytes = b"HTTP/1.1 103 Early Hints", then: bytes = b"") -> bytes:
    """Make an interim answer, what comes ``then``, and a good final one."""
    return head(*lines, status=status) + then + head(b"Content-Length: 0")


NOT_HTTP = {
    "garbage": b"hello, world\r\n\r\n",
    "NUL bytes": b"\x00" * 64,
    "NUL first": b"\x00" + starting(b"HTTP/1.1 200 OK"),
    "an empty line first": CRLF + starting(b"HTTP/1.1 200 OK"),
    "a line feed first": b"\n" + starting(b"HTTP/1.1 200 OK"),
    "a space first": b" " + starting(b"HTTP/1.1 200 OK"),
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/2 SETTINGS": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a request": GET,
}
STATUS_LINES = {
    "status 000": starting(b"HTTP/1.1 000 OK"),
    "status 099": starting(b"HTTP/1.1 099 OK"),
    "status 600": starting(b"HTTP/1.1 600 OK"),
    "status 999": starting(b"HTTP/1.1 999 OK"),
    "status 20": starting(b"HTTP/1.1 20 OK"),
    "status 2000": starting(b"HTTP/1.1 2000 OK"),
    "status 2x0": starting(b"HTTP/1.1 2x0 OK"),
    "status 2 0": starting(b"HTTP/1.1 2 0 OK"),
    "status +200": starting(b"HTTP/1.1 +200 OK"),
    "status -200": starting(b"HTTP/1.1 -200 OK"),
    "status 0200": starting(b"HTTP/1.1 0200 OK"),
    "no status": starting(b"HTTP/1.1 OK"),
    "no space before the reason": starting(b"HTTP/1.1 200OK"),
    "two spaces": starting(b"HTTP/1.1  200 OK"),
    "a tab": starting(b"HTTP/1.1\t200 OK"),
    "another tab": starting(b"HTTP/1.1 200\tOK"),
    "101": head(b"Connection: upgrade", b"Upgrade: x", status=b"HTTP/1.1 101 Switching Protocols") + b"abc",
    "101 alone": head(status=b"HTTP/1.1 101 Switching Protocols"),
    "HTTP/2.0": starting(b"HTTP/2.0 200 OK"),
    "HTTP/2": starting(b"HTTP/2 200"),
    "HTTP/1": starting(b"HTTP/1 200 OK"),
    "HTTP/1.2": starting(b"HTTP/1.2 200 OK"),
    "HTTP/1.10": starting(b"HTTP/1.10 200 OK"),
    "HTTP/01.1": starting(b"HTTP/01.1 200 OK"),
    "HTTP/0.9 in words": starting(b"HTTP/0.9 200 OK"),
    "http/1.1": starting(b"http/1.1 200 OK"),
    "HTTP /1.1": starting(b"HTTP /1.1 200 OK"),
    "RTSP": starting(b"RTSP/1.0 200 OK"),
    "ICE": starting(b"ICE/1.0 200 OK"),
    "ICY": starting(b"ICY 200 OK"),
    "HTP": starting(b"HTP/1.1 200 OK"),
    "NUL in the reason": starting(b"HTTP/1.1 200 O\x00K"),
    "ESC in the reason": starting(b"HTTP/1.1 200 \x1b[2J"),
    "DEL in the reason": starting(b"HTTP/1.1 200 \x7f"),
    "CR in the reason": starting(b"HTTP/1.1 200 O\rSet-Cookie: a=b"),
    "LF in the reason": starting(b"HTTP/1.1 200 O\nSet-Cookie: a=b"),
    "LF behind the status line": b"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc",
    "CR behind the status line": b"HTTP/1.1 200 OK\rContent-Length: 3\r\n\r\nabc",
}
LENGTHS = {
    "CL and TE": coded(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    "TE and CL": coded(b"Transfer-Encoding: chunked", b"Content-Length: 3"),
    "CL and an empty TE": coded(b"Content-Length: 3", b"Transfer-Encoding:"),
    "CL and TE identity": coded(b"Content-Length: 3", b"Transfer-Encoding: identity"),
    "two equal CLs": having(b"Content-Length: 3"),
    "two CLs": having(b"Content-Length: 4"),
    "two CLs, one empty": having(b"Content-Length:"),
    "CL of a list": length(b" 3, 3"),
    "CL 3,": length(b" 3,"),
    "CL 3;": length(b" 3;"),
    "CL 3 3": length(b" 3 3"),
    "CL 03": length(b" 03"),
    "CL 00": head(b"Content-Length: 00"),
    "CL +3": length(b" +3"),
    "CL -3": length(b" -3"),
    "CL 0x3": length(b" 0x3"),
    "CL 3x": length(b" 3x"),
    "CL 3.0": length(b" 3.0"),
    "CL 1e0": length(b" 1e0"),
    "CL 1_0": length(b" 1_0"),
    "CL in other digits": length(" \u0663".encode()),
    "CL behind a vertical tab": length(b" \x0b3"),
    "CL empty": length(b""),
    "CL blank": length(b"   "),
    "CL 2^63": length(b" 9223372036854775808"),
    "CL 2^64 - 1": length(b" 18446744073709551615"),
    "CL 2^64 + 3": length(b" 18446744073709551619"),
    "CL too long": length(b" 99999999999999999999999"),
    "space before the colon": head(b"Content-Length : 3") + b"abc",
    "tab before the colon": head(b"Content-Length\t: 3") + b"abc",
    "obs-fold in CL": length(b" 1\r\n 3"),
    "obs-fold before CL": length(b"\r\n 3"),
    "204 with a length": head(b"Content-Length: 3", status=b"HTTP/1.1 204 No Content") + b"abc",
    "204 with two lengths": head(
        b"Content-Length: 0", b"Content-Length: 0", status=b"HTTP/1.1 204 No Content"
    ),
    "204 with chunks": head(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 204 No Content") + b"0\r\n\r\n",
}
CODINGS = {
    f"TE {value!r}": coded(b"Transfer-Encoding:" + value)
    for value in (
        b"", b"  ", b" gzip", b" gzip, chunked", b" chunked, gzip", b" identity", b" xchunked", b" chunkedx",
        b" chunked,", b" ,chunked", b" chunked, chunked", b" chunked;q=1", b' "chunked"', b" chunked\t",
        b"\tchunked\t", b" chunked \t", b" chunked\x0b", b" \x0bchunked", b" chun\r\n ked",
        b" chunked identity",
    )
} | {
    "TE twice": coded(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "TE chunked and gzip": coded(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"),
    "TE gzip and chunked": coded(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
    "TE empty and chunked": coded(b"Transfer-Encoding:", b"Transfer-Encoding: chunked"),
    "TE chunked and empty": coded(b"Transfer-Encoding: chunked", b"Transfer-Encoding:"),
    "TE on HTTP/1.0": head(b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK") + b"0\r\n\r\n",
}  # fmt: skip
FIELDS = {
    "obs-fold": having(b"X-A: b\r\n c"),
    "obs-fold by a tab": having(b"X-A: b\r\n\tc"),
    "obs-fold first": having(b" X-A: b"),
    "NUL in a value": having(b"X-A: b\x00c"),
    "NUL before a value": having(b"X-A: \x00b"),
    "NUL behind a value": having(b"X-A: b\x00"),
    "NUL in a name": having(b"X-\x00A: b"),
    "NUL between fields": having(b"\x00X-A: b"),
    "NUL before the body": head(b"Content-Length: 3")[:-2] + b"\x00\r\n\r\nabc",
    "control byte in a value": having(b"X-A: b\x01c"),
    "ESC in a value": having(b"X-A: b\x1b[2J"),
    "DEL in a value": having(b"X-A: b\x7f"),
    "vertical tab in a value": having(b"X-A: b\x0bc"),
    "control byte in a name": having(b"X-\x01A: b"),
    "byte outside ASCII in a name": having(b"X-\x80A: b"),
    "space in a name": having(b"X A: b"),
    "delimiter in a name": having(b"X(A): b"),
    "slash in a name": having(b"X/A: b"),
    "quote in a name": having(b'X"A: b'),
    "no colon": having(b"X-A"),
    "no name": having(b": b"),
    "bare CR in a value": having(b"X-A: b\rX-B: c"),
    "bare CR behind a value": having(b"X-A: b\r"),
    "bare LF in a value": having(b"X-A: b\nX-B: c"),
    "bare LF before a value": having(b"X-A:\n b"),
    "bare LF everywhere": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "bare LF at the head's end": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\nabc",
    "bare CR at the head's end": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\rabc",
    "a large field": having(b"X-A: " + b"a" * 70_000),
    "a large name": having(b"X-" + b"a" * 70_000 + b": a"),
    "a large reason": starting(b"HTTP/1.1 200 " + b"a" * 70_000),
    "a large head": having(CRLF.join(b"X-%d: " % n + b"a" * 1000 for n in range(80))),
    "a large head without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000,
    "many fields": having(CRLF.join(b"X-%d: a" % n for n in range(300))),
    "fields without end": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
}
INTERIM = {
    "101 behind 100": head(status=b"HTTP/1.1 100 Continue")
    + head(status=b"HTTP/1.1 101 Switching Protocols"),
    "interim without end": interim(b"Link: </x>")[: -len(head(b"Content-Length: 0"))] * 3000,
    "interim with a body": interim(b"Content-Length: 3", then=b"abc"),
    "interim with a length of nothing": interim(b"Content-Length: 0"),
    "interim that hides an answer": interim(b"Content-Length: 38", then=head(b"Content-Length: 0")),
    "interim with chunks": interim(b"Transfer-Encoding: chunked", then=b"0\r\n\r\n"),
    "interim with chunks unsaid": interim(then=b"0\r\n\r\n"),
    "interim and an empty line": interim(then=CRLF),
    "interim and a line feed": interim(then=b"\n"),
    "interim and a byte": interim(then=b"x"),
    "interim and RTSP": head(status=b"HTTP/1.1 103 Early Hints") + starting(b"RTSP/1.0 200 OK"),
    "interim that closes": interim(b"Connection: close"),
    "interim of HTTP/1.0": interim(status=b"HTTP/1.0 100 Continue"),
    "interim with a control byte in its reason": interim(status=b"HTTP/1.1 103 Early\x0bHints"),
    "interim with obs-fold": interim(b"Link: a\r\n b"),
}
CHUNKS = {
    f"chunk {name}": chunks(content)
    for name, content in {
        "size Z": b"Z\r\nabc\r\n0\r\n\r\n",
        "size +3": b"+3\r\nabc\r\n0\r\n\r\n",
        "size -3": b"-3\r\nabc\r\n0\r\n\r\n",
        "size 0x3": b"0x3\r\nabc\r\n0\r\n\r\n",
        "size 3_0": b"3_0\r\nabc\r\n0\r\n\r\n",
        "size empty": b"\r\nabc\r\n0\r\n\r\n",
        "size huge": b"f" * 40 + CRLF,
        "size 2^64 + 3": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        "size and a space": b"3 \r\nabc\r\n0\r\n\r\n",
        "size and a tab": b"3\t\r\nabc\r\n0\r\n\r\n",
        "size behind a space": b" 3\r\nabc\r\n0\r\n\r\n",
        "size and LF": b"3\nabc\r\n0\r\n\r\n",
        "extension with LF": b"3;a\nabc\r\n0\r\n\r\n",
        "extension with CR": b"3;a\rabc\r\n0\r\n\r\n",
        "extension with NUL": b"3;a\x00\r\nabc\r\n0\r\n\r\n",
        "extension with quoted CRLF": b'3;a="b\r\n"\r\nabc\r\n0\r\n\r\n',
        "extension with escaped CRLF": b'3;a="b\\\r\n"\r\nabc\r\n0\r\n\r\n',
        "extension with quoted LF": b'3;a="b\n"\r\nabc\r\n0\r\n\r\n',
        "extension with an open quote": b'3;a="b\r\nabc\r\n0\r\n\r\n',
        "last LF": b"0\n\n",
        "trailer with a length": b"0\r\nContent-Length: 5\r\n\r\n",
        "trailer with a space": b"0\r\nX y: 5\r\n\r\n",
        "trailer folded": b"0\r\nX: 5\r\n y\r\n\r\n",
        "trailer with NUL": b"0\r\nX: \x00\r\n\r\n",
        "trailer with LF": b"0\r\nX: a\n\r\n",
        "trailer without colon": b"0\r\nX\r\n\r\n",
        "trailers without end": b"0\r\n" + b"X: y\r\n" * 20_000,
        "extension without end": b"0;" + b"x" * 100_000,
    }.items()
}
BAD = NOT_HTTP | STATUS_LINES | LENGTHS | CODINGS | FIELDS | INTERIM | CHUNKS

LATE = {
    f"late, {name}": chunks(content)
    for name, content in {
        "more than its size": b"2\r\nabc\r\n0\r\n\r\n",
        "less than its size": b"4\r\nabc\r\n0\r\n\r\n",
        "LF behind it": b"3\r\nabc\n0\r\n\r\n",
        "CR behind it": b"3\r\nabc\r0\r\n\r\n",
        "nothing behind it": b"3\r\nabc0\r\n\r\n",
        "a bad size next": b"3\r\nabc\r\nx\r\n",
        "a bad trailer": b"3\r\nabc\r\n0\r\nX y: z\r\n\r\n",
    }.items()
}
"""Answers that go wrong behind their first, good piece."""
