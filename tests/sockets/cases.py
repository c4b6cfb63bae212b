"""Requests as raw bytes with the answers that they must get. Nothing of the refused ones goes upstream."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.plane import BODY, SMALL, request


class Case(NamedTuple):
    """A request, and its answer: status, refusal code (None: served), whether the connection ends."""

    name: str
    raw: bytes
    status: int
    code: str | None
    closed: bool


CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"4\r\n" + BODY[:4] + b"\r\n%x\r\n" % len(BODY[4:]) + BODY[4:] + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(BODY)


def chunks(body: bytes) -> bytes:
    return request(body=body, framing=CHUNKED)


def get(target: bytes, *headers: bytes, host: bytes = b"gateway.test") -> bytes:
    return request(b"GET " + target, *headers, body=b"", host=host)


def bad(name: str, raw: bytes, status: int = 400, code: str = "bad_request") -> Case:
    return Case(name, raw, status, code, closed=True)


def kept(name: str, raw: bytes, status: int, code: str) -> Case:
    return Case(name, raw, status, code, closed=False)


def good(name: str, raw: bytes, *, closed: bool = False) -> Case:
    return Case(name, raw, 200, None, closed)


_LENGTHS = (
    b"5, 5", b"5,5", b"+5", b"-1", b"0x5", b"1_0", b"005", b"00", b"", b" ", b"5 5", b"5\t5", b"1e1", b"five",
    b"\xb2", b"18446744073709551616", b"5;", b"5.0", b"'5'", b'"5"', b"\x0b5", b"5\x0c", b"\xa05",
)  # fmt: skip
_CODINGS = (
    b"xchunked", b"chunked, gzip", b"gzip, chunked", b"chunked, chunked", b"", b"gzip", b"identity",
    b" chunked", b"chunked ", b"\tchunked", b"chunked\t", b"\x0bchunked", b"chunked\x0b", b"chunked;q=1",
    b"chunked,", b",chunked", b'"chunked"', b"\xa0chunked", b"chun ked", b"chunked\x0c",
)  # fmt: skip
_HOSTS = (
    b"", b"a/path", b"u@a", b"a, b", b"a b", b"a:b", b"a:123456", b"a:", b"[::1", b"a#b", b"a?b", b"\xe4",
    b"a\\b", b"[g]", b"a%41", b"a,b", b"<a>", b"a:80:80",
)  # fmt: skip
_TARGETS = (
    b"/v1/./messages", b"/v1/../messages", b"/v1/x/..", b"/.", b"/v1/%2e%2e/messages", b"/v1/%2E/messages",
    b"/v1/.%2e/messages", b"/v1/..;/messages", b"/v1%2fmessages", b"/v1%2Fmessages", b"/v1%5cmessages",
    b"/v1\\messages", b"/v1/messages%00", b"/v1/messages%zz", b"/v1/messages%2", b"/v1/messages#f",
    b"/v1/m\xc3\xbcssages", b"/v1/messages\x7f", b"v1/messages", b"*", b"", b"?x", b"/v1/messages|",
    b"/v1/messages?a=\xff", b"/v1/messages?<", b"/v1/messages%0d%0aX:1", b"/v1/<messages>", b'/v1/"',
    b"/v1/{thread_id}", b"/v1/messages^", b"/v1/messages`", b"ftp://gateway.test/v1/messages",
    b"http://other.test/v1/messages", b"http://gateway.test:81/v1/messages", b"http://u@gateway.test/",
    b"http:///v1/messages", b"http://gateway.test#f", b"gateway.test:80", b"http://gateway.test/v1/../x",
)  # fmt: skip
_UNKNOWN = (
    b"//v1/messages", b"/v1//messages", b"/v1/messages/", b"/V1/messages", b"/v1/messages;x", b"/", b"//",
    b"/v1/Messages", b"/v1/%6Dessages", b"/v1/threads//messages", b"/v1/threads/a/b/messages", b"/...",
    b"http://gateway.test", b"http://gateway.test?x", b"/v1/messages:", b"/v1/messages%20",
)  # fmt: skip
_FIELD_LINES = {
    "space before the colon": b"X-A : b",
    "tab before the colon": b"X-A\t: b",
    "space before the name": b" X-A: b",
    "no colon": b"X-A",
    "no name": b": b",
    "obs-fold": b"X-A: b\r\n c",
    "obs-fold with a tab": b"X-A: b\r\n\tc",
    "folded line of blanks": b"X-A: b\r\n ",
    "bare LF": b"X-A: b\nX-B: c",
    "bare CR": b"X-A: b\rX-B: c",
    "CR CR LF": b"X-A: b\r",
    "LF CR": b"X-A: b\n\rX-B: c",
    "NUL in a value": b"X-A: b\x00c",
    "NUL in a name": b"X-\x00A: b",
    "control byte in a value": b"X-A: b\x01",
    "DEL in a value": b"X-A: \x7f",
    "vertical tab in a value": b"X-A: \x0bb",
    "escape in a value": b"X-A: \x1b[31m",
    "byte outside ASCII in a name": b"X-\xc3\xa4: b",
    "byte outside ASCII before a name": b"\xa0X-A: b",
    "byte outside ASCII before a value": b"X-A: \xa0b",
    "byte outside ASCII after a value": b"X-A: b\x85",
    "quote in a name": b'X"A: b',
    "parenthesis in a name": b"X(A): b",
    "slash in a name": b"X/A: b",
    "at in a name": b"X@A: b",
    "bracket in a name": b"X[A]: b",
    "Content_Length": b"Content_Length: 3",
    "content_length": b"content_length: 3",
    "Transfer_Encoding": b"Transfer_Encoding: chunked",
    "X_Forwarded_For": b"X_Forwarded_For: 1.2.3.4",
    "X-Forwarded_For": b"X-Forwarded_For: 1.2.3.4",
    "method override": b"X-HTTP-Method-Override: DELETE",
    "method override, another": b"X-HTTP-Method: DELETE",
    "method override, a third": b"x-method-override: GET",
    "Connection names Host": b"Connection: host",
    "Connection names Content-Length": b"Connection: close, Content-Length",
    "Connection names Authorization": b"Connection: authorization",
    "Connection names Content-Type": b"Connection: Content-TYPE",
    "Connection names X-Request-Id": b"Connection: x-request-id",
    "Connection names Cookie, in the second": b"Connection: keep-alive\r\nConnection: cookie",
    "Connection malformed": b"Connection: a b",
    "Connection with an empty member": b"Connection: a,,b",
}
_LINES = {
    "HTTP/0.9": b"GET /v1/messages\r\n\r\n",
    "HTTP/1.2": b"GET /v1/messages HTTP/1.2\r\nHost: gateway.test\r\n\r\n",
    "HTTP/2.0": b"GET /v1/messages HTTP/2.0\r\nHost: gateway.test\r\n\r\n",
    "HTTP/1.10": b"GET /v1/messages HTTP/1.10\r\nHost: gateway.test\r\n\r\n",
    "http/1.1": b"GET /v1/messages http/1.1\r\nHost: gateway.test\r\n\r\n",
    "HTTP/1,1": b"GET /v1/messages HTTP/1,1\r\nHost: gateway.test\r\n\r\n",
    "RTSP": b"GET /v1/messages RTSP/1.0\r\nHost: gateway.test\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "NUL first": b"\x00" * 16,
    "two spaces": b"GET  /v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "two spaces before the version": b"GET /v1/messages  HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "a tab for a space": b"GET\t/v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "a leading space": b" GET /v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "a trailing space": b"GET /v1/messages HTTP/1.1 \r\nHost: gateway.test\r\n\r\n",
    "a space in the target": b"GET /v1/mess ages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "method with a bracket": b"G[T /v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "bare LF after the line": b"GET /v1/messages HTTP/1.1\nHost: gateway.test\r\n\r\n",
    "bare LF everywhere": b"GET /v1/messages HTTP/1.1\nHost: gateway.test\n\n",
    "bare CR after the line": b"GET /v1/messages HTTP/1.1\rHost: gateway.test\r\n\r\n",
    "no fields": b"GET /v1/messages HTTP/1.1\r\n\r\n",
    "LF first": b"\nGET /v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "CONNECT": b"CONNECT gateway.test:80 HTTP/1.1\r\nHost: gateway.test:80\r\n\r\n",
    "CONNECT in absolute form": b"CONNECT http://gateway.test/ HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "two Hosts": get(b"/v1/messages", b"Host: gateway.test"),
    "two Hosts that differ": get(b"/v1/messages", b"host: other.test"),
    "chunked on HTTP/1.0": request(b"POST /v1/messages HTTP/1.0", body=CHUNKS, framing=CHUNKED),
    "CL and TE": request(b"POST /v1/messages", LENGTH, framing=CHUNKED),
    "TE and CL": request(b"POST /v1/messages", CHUNKED, framing=LENGTH),
    "TE and a CL of odd spelling": request(b"POST /v1/messages", b"CONTENT-LENGTH: 3", framing=CHUNKED),
    "two equal CLs": request(b"POST /v1/messages", LENGTH, framing=LENGTH),
    "two equal CLs of odd spelling": request(b"POST /v1/messages", LENGTH.upper(), framing=LENGTH),
    "two CLs that differ": request(b"POST /v1/messages", b"Content-Length: 3", framing=LENGTH),
    "two TEs": request(b"POST /v1/messages", CHUNKED, framing=CHUNKED, body=CHUNKS),
    "two Expects": request(b"POST /v1/messages", b"Expect: 100-continue", b"Expect: 100-continue"),
    "two Authorizations": request(b"POST /v1/messages", b"Authorization: a", b"Authorization: b"),
    "two Content-Encodings": request(
        b"POST /v1/messages", b"Content-Encoding: identity", b"content-encoding: gzip"
    ),
}
_CHUNK_BODIES = {
    "size 0x5": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size 5_0": b"5_0\r\nhello\r\n0\r\n\r\n",
    "size +5": b"+5\r\nhello\r\n0\r\n\r\n",
    "size -5": b"-5\r\nhello\r\n0\r\n\r\n",
    "size Z": b"Z\r\nhello\r\n0\r\n\r\n",
    "size of nine digits": b"000000005\r\nhello\r\n0\r\n\r\n",
    "size of many digits": b"f" * 100 + b"\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "space before a size": b" 5\r\nhello\r\n0\r\n\r\n",
    "space after a size": b"5 \r\nhello\r\n0\r\n\r\n",
    "space before an extension": b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
    "bare LF after a size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR after a size": b"5\rhello\r\n0\r\n\r\n",
    "chunk longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
    "chunk without its CRLF": b"5\r\nhello0\r\n\r\n",
    "bare LF after a chunk": b"5\r\nhello\n0\r\n\r\n",
    "CR without LF after a chunk": b"5\r\nhello\rX0\r\n\r\n",
    "extension without end": b"5;" + b"a" * 300,
    "NUL in an extension": b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    "LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "trailer without colon": b"0\r\nX-A\r\n\r\n",
    "trailer with a space": b"0\r\nX-A : b\r\n\r\n",
    "folded trailer": b"0\r\nX-A: b\r\n c\r\n\r\n",
    "trailer with NUL": b"0\r\nX-A: \x00\r\n\r\n",
    "bare LF in the trailers": b"0\r\nX-A: b\n\r\n",
    "trailers without end": b"0\r\n" + b"X-A: bbbbbbbbbb\r\n" * 600,
    "trailer line without end": b"0\r\nX-A: " + b"b" * 9000,
}
_MEDIA_TYPES = (
    b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"*/*",
    b"application/*", b"application", b"application/json; charset", b"application/jsonp",
    b"application/json; charset=utf-16", b"application/json; charset=latin1", b"application/json, text/plain",
    b"application/json; charset=utf-8; charset=utf-8", b"application/problem+json", b"application /json",
    b'application/json; charset="utf-8', b"application/json charset=utf-8", b";charset=utf-8", b"",
)  # fmt: skip
_GOOD_MEDIA_TYPES = (
    b"application/json",
    b"APPLICATION/JSON",
    b"application/json; charset=utf-8",
    b"application/json;charset=UTF-8",
    b'application/json; charset="utf-8"',
    b"Application/Json ; CharSet=Utf-8",
    b"application/json; x=y",
    b"application/json;",
)


def _bodies() -> list[Case]:
    """Give bodies that are whole and refused: the connection lives on."""
    return [
        kept("not JSON", request(body=b"{"), 400, "invalid_json"),
        kept("no body", request(framing=b"Content-Length: 0", body=b""), 400, "invalid_json"),
        kept("wrong type", request(body=b'{"text": 1}'), 400, "invalid_type"),
        kept("missing", request(body=b"{}"), 400, "missing_required_parameter"),
        kept("unknown", request(body=b'{"text": "a", "x": 1}'), 400, "unknown_parameter"),
        kept("twice", request(body=b'{"text": "a", "text": "b"}'), 400, "duplicate_key"),
        kept("too deep", request(body=b"[" * 40 + b"]" * 40), 400, "json_too_deep"),
        kept("wrong enum", request(body=b'{"text": "a", "role": "x"}'), 400, "invalid_value"),
        kept("unexpected", request(b"GET /v1/messages"), 400, "unexpected_body"),
        kept("query parameter", get(b"/v1/messages?x=1"), 400, "unknown_parameter"),
        kept("query out of range", get(b"/v1/threads/a/messages?limit=101"), 400, "integer_above_max_value"),
        kept(
            "path too long", get(b"/v1/threads/" + b"a" * 21 + b"/messages"), 400, "string_above_max_length"
        ),
        kept("chunked not JSON", chunks(b"1\r\n{\r\n0\r\n\r\n"), 400, "invalid_json"),
        kept("chunked empty", chunks(b"0\r\n\r\n"), 400, "invalid_json"),
        kept("405", request(b"PUT /v1/messages"), 405, "method_not_allowed"),
        kept("405 TRACE", get(b"/v1/messages").replace(b"GET", b"TRACE"), 405, "method_not_allowed"),
        kept("405 OPTIONS", get(b"/v1/messages").replace(b"GET", b"OPTIONS"), 405, "method_not_allowed"),
        kept("405 lower case", get(b"/v1/messages").replace(b"GET", b"get"), 405, "method_not_allowed"),
        kept("405 odd token", get(b"/v1/messages").replace(b"GET", b"!X"), 405, "method_not_allowed"),
        kept(
            "gzip",
            request(b"POST /v1/messages", b"Content-Encoding: gzip"),
            415,
            "unsupported_content_encoding",
        ),
        kept(
            "no encoding",
            request(b"POST /v1/messages", b"Content-Encoding:"),
            415,
            "unsupported_content_encoding",
        ),
        kept(
            "unexpected, chunked",
            request(b"GET /v1/messages", framing=CHUNKED, body=CHUNKS),
            400,
            "unexpected_body",
        ),
        bad("404, chunked", request(b"POST /v1/x", framing=CHUNKED, body=CHUNKS), 404, "unknown_route"),
        bad("404, long body", request(b"POST /v1/x", body=b"x" * 300_000), 404, "unknown_route"),
        bad("413 by length", request(body=b"x" * (SMALL + 1)), 413, "body_too_large"),
        bad(
            "413 by announcement", request(framing=b"Content-Length: 9999999999999999"), 413, "body_too_large"
        ),
        bad("413 by one chunk", chunks(b"1001\r\n"), 413, "body_too_large"),
        bad("413 by many chunks", chunks((b"400\r\n" + b"x" * 1024 + b"\r\n") * 5), 413, "body_too_large"),
        bad("413 by a huge chunk", chunks(b"ffffffff\r\n"), 413, "body_too_large"),
        bad("417", request(b"POST /v1/messages", b"Expect: 200-ok"), 417, "expectation_failed"),
        bad("417 empty", request(b"POST /v1/messages", b"Expect:"), 417, "expectation_failed"),
        bad(
            "two Content-Types",
            request(b"POST /v1/messages", b"Content-Type: text/plain"),
            415,
            "unsupported_media_type",
        ),
        bad("414", get(b"/" + b"a" * 9000), 414, "uri_too_long"),
        bad("414 without end", b"GET /" + b"a" * 9000, 414, "uri_too_long"),
        bad("431 one field", get(b"/v1/messages", b"X-A: " + b"a" * 17_000), 431, "headers_too_large"),
        bad(
            "431 many fields",
            get(b"/v1/messages", *[b"X-%d: a" % n for n in range(128)]),
            431,
            "headers_too_large",
        ),
        bad(
            "431 all",
            get(b"/v1/messages", *[b"X-%d: " % n + b"a" * 8000 for n in range(9)]),
            431,
            "headers_too_large",
        ),
        bad(
            "431 without end",
            b"GET / HTTP/1.1\r\n" + b"X-A: %b\r\n" % (b"a" * 60) * 1100,
            431,
            "headers_too_large",
        ),
    ]


def _served() -> list[Case]:
    """Give requests that are odd and right."""
    close = b"Connection: close"
    old = b"POST /v1/messages HTTP/1.0"
    return [
        good("plain", request()),
        good("chunked", chunks(CHUNKS)),
        good("chunked, extensions and trailers", chunks(b"11;a=b\r\n" + BODY + b"\r\n0;c\r\nX-T: 1\r\n\r\n")),
        good("chunked, leading zeros", chunks(b"00000011\r\n" + BODY + b"\r\n000\r\n\r\n")),
        good("chunked in capitals", request(framing=b"TRANSFER-ENCODING:CHUNKED", body=CHUNKS)),
        good("length without a space", request(framing=b"content-length:17")),
        good("length with spaces", request(framing=b"CoNtEnT-LeNgTh: \t 17 \t")),
        good("an empty line first", b"\r\n" + request()),
        good("two empty lines first", b"\r\n\r\n" + request()),
        good("close", request(b"POST /v1/messages", close), closed=True),
        good("close in capitals", request(b"POST /v1/messages", b"CONNECTION: x, CLOSE"), closed=True),
        good("close in the second", request(b"POST /v1/messages", b"Connection: x", close), closed=True),
        good("HTTP/1.0", request(old), closed=True),
        good("HTTP/1.0 kept", request(old, b"Connection: keep-alive")),
        good("HTTP/1.0 kept and closed", request(old, b"Connection: keep-alive, close"), closed=True),
        good("HTTP/1.0 with Expect", request(old, b"Expect: 100-continue"), closed=True),
        good("absolute form", request(b"POST http://Gateway.Test/v1/messages")),
        good("absolute form, https", request(b"POST HTTPS://gateway.test/v1/messages")),
        good("a port", request(host=b"gateway.test:8080")),
        good("IPv6", request(host=b"[::1]:8080")),
        good("an upgrade", request(b"POST /v1/messages", b"Upgrade: websocket", b"Connection: upgrade")),
        good("h2c", request(b"POST /v1/messages", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings")),
        good("identity", request(b"POST /v1/messages", b"Content-Encoding: Identity")),
        good("bytes outside ASCII inside", request(b"POST /v1/messages", b"X-A: a\xc3\xa4b")),
        good("an empty value", request(b"POST /v1/messages", b"X-A:", b"Connection:")),
        good("a query", get(b"/v1/threads/a%20b/messages?limit=5")),
        good("an empty query", get(b"/v1/messages?")),
        good("an optional body", request(b"PUT /v1/notes")),
        good("an optional body left out", request(b"PUT /v1/notes", body=b"")),
        good(
            "an optional body of length 0", request(b"PUT /v1/notes", body=b"", framing=b"Content-Length: 0")
        ),
        good("127 fields", get(b"/v1/messages", *[b"X-%d: a" % n for n in range(127)])),
        good("a long field", get(b"/v1/messages", b"X-A: " + b"a" * 16_000)),
    ]


def _cases() -> list[Case]:
    return [
        *(bad(f"CL {value!r}", request(framing=b"Content-Length:" + value)) for value in _LENGTHS),
        *(
            bad(f"TE {value!r}", request(framing=b"Transfer-Encoding: " + value, body=CHUNKS))
            for value in _CODINGS
        ),
        *(bad(f"Host {value!r}", request(host=value)) for value in _HOSTS),
        *(bad(f"target {value!r}", get(value)) for value in _TARGETS),
        *(kept(f"target {value!r}", get(value), 404, "unknown_route") for value in _UNKNOWN),
        *(bad(name, request(b"POST /v1/messages", line)) for name, line in _FIELD_LINES.items()),
        *(bad(name, raw) for name, raw in _LINES.items()),
        *(bad(name, chunks(body)) for name, body in _CHUNK_BODIES.items()),
        *(
            kept(f"media type {value!r}", request(content_type=value), 415, "unsupported_media_type")
            for value in _MEDIA_TYPES
        ),
        *(good(f"media type {value!r}", request(content_type=value)) for value in _GOOD_MEDIA_TYPES),
        *_bodies(),
        *_served(),
    ]


CASES = _cases()
REFUSED = [case for case in CASES if case.code is not None]
SERVED = [case for case in CASES if case.code is None]
