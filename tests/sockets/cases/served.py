"""Requests that are odd and right."""

from __future__ import annotations

from tests.sockets.cases.bodies import GOOD_MEDIA_TYPES
from tests.sockets.cases.case import CHUNKED, CHUNKS, CONTINUE, DROPPED, POST, Case, chunks, get, good
from tests.sockets.cases.heads import LARGEST
from tests.support.plane import BODY, request

_CLOSE = b"Connection: close"
_OLD = POST + b" HTTP/1.0"
_CHUNK = b"11\r\n" + BODY + b"\r\n"
_EXTENDED = b"11;a=b;" + DROPPED + b';c="' + DROPPED + b'\\"; 5";\td = e\r\n' + BODY + b"\r\n0;c\r\n\r\n"
_TRAILERS = b"X-T: " + DROPPED + b"\r\nX-U:\r\n"
_FORBIDDEN_TRAILERS = (
    b"Content-Length: 3\r\nTransfer-Encoding: gzip\r\nHost: " + DROPPED + b"\r\nAuthorization: " + DROPPED
    + b"\r\nContent-Type: " + DROPPED + b"\r\nConnection: close\r\nExpect: x\r\nX-HTTP-Method: DELETE\r\n"
)  # fmt: skip
"""Trailers that RFC 9110 section 6.5.1 does not allow."""
_ANNOUNCED = (b"Trailer: X-T", b"TE: trailers")
_EMPTY = b"Content-Length: 0"
_UPGRADE = (b"Upgrade: websocket, " + DROPPED, b"Connection: Upgrade")
_H2C = (b"Upgrade: h2c", b"HTTP2-Settings: " + DROPPED, b"Connection: Upgrade, HTTP2-Settings")

SERVED: list[Case] = [
    good("plain", request()),
    good("chunked", chunks(CHUNKS)),
    good("chunked, extensions", chunks(_EXTENDED)),
    good("chunked, trailers", chunks(_CHUNK + b"0\r\n" + _TRAILERS + b"\r\n")),
    good("chunked, forbidden trailers", chunks(_CHUNK + b"0\r\n" + _FORBIDDEN_TRAILERS + b"\r\n")),
    good(
        "chunked, announced trailers",
        request(POST, *_ANNOUNCED, framing=CHUNKED, body=_CHUNK + b"0\r\n" + _TRAILERS + b"\r\n"),
    ),
    good("chunked, leading zeros", chunks(b"00000011\r\n" + BODY + b"\r\n000\r\n\r\n")),
    good("chunked in capitals", request(framing=b"TRANSFER-ENCODING:CHUNKED", body=CHUNKS)),
    good("length without a space", request(framing=b"content-length:17")),
    good("length with spaces", request(framing=b"CoNtEnT-LeNgTh: \t 17 \t")),
    good("length with a tab", request(framing=b"Content-Length:\t17")),
    good("an empty line first", b"\r\n" + request()),
    good("two empty lines first", b"\r\n\r\n" + request()),
    good("close", request(POST, _CLOSE), closed=True),
    good("close in capitals", request(POST, b"CONNECTION: x, CLOSE"), closed=True),
    good("close in the second", request(POST, b"Connection: x", _CLOSE), closed=True),
    good("HTTP/1.0", request(_OLD), closed=True),
    good("HTTP/1.0 kept", request(_OLD, b"Connection: keep-alive")),
    good("HTTP/1.0 kept and closed", request(_OLD, b"Connection: keep-alive, close"), closed=True),
    good("HTTP/1.0 with Expect", request(_OLD, CONTINUE), closed=True),
    good("Expect in capitals", request(POST, b"EXPECT: 100-CONTINUE")),
    good("Expect and no body", get(b"/v1/messages", CONTINUE)),
    good("Expect and a length of 0", request(b"PUT /v1/notes", CONTINUE, body=b"", framing=_EMPTY)),
    good("absolute form", request(b"POST http://Gateway.Test/v1/messages")),
    good("absolute form, capitals", request(b"POST HTTP://gateway.test/v1/messages")),
    good("absolute form, a port", request(b"POST http://a.test:8080/v1/messages", host=b"A.test:8080")),
    good("a port", request(host=b"gateway.test:8080")),
    good("the lowest port", request(host=b"gateway.test:1")),
    good("the highest port", request(host=b"gateway.test:65535")),
    good("a dot at the end of a Host", request(host=b"gateway.test.")),
    good("a Host with white space around", request(host=b"\tgateway.test \t")),
    good("IPv4", request(host=b"127.0.0.1:8080")),
    good("IPv6", request(host=b"[::1]:8080")),
    good("IPv4 in IPv6", request(host=b"[::FFFF:127.0.0.1]")),
    good("an upgrade", request(POST, *_UPGRADE)),
    good("an upgrade of a GET", get(b"/v1/messages", *_UPGRADE)),
    good("an upgrade that Connection does not name", request(POST, _UPGRADE[0])),
    good("h2c", request(POST, *_H2C)),
    good("h2c, chunked", request(POST, *_H2C, framing=CHUNKED, body=CHUNKS)),
    good("a field of this hop", request(POST, b"X-Hop: " + DROPPED, b"Connection: x-hop")),
    good("identity", request(POST, b"Content-Encoding: Identity")),
    good("bytes outside ASCII inside", request(POST, b"X-A: a\xc3\xa4b")),
    good("an empty value", request(POST, b"X-A:", b"Connection:")),
    good("every sign of a name", request(POST, b"!#$%&'*+-.^_`|~09AZaz: b")),
    good("a query", get(b"/v1/threads/a%20b/messages?limit=5")),
    good("an empty query", get(b"/v1/messages?")),
    good("a value in UTF-8", get(b"/v1/threads/%e4%B8%ad/messages")),
    good("three dots", get(b"/v1/threads/.../messages")),
    good("a value that begins with a dot", get(b"/v1/threads/.a/messages")),
    good("a percent sign in a value", get(b"/v1/threads/100%25/messages")),
    good("an optional body", request(b"PUT /v1/notes")),
    good("an optional body left out", request(b"PUT /v1/notes", body=b"")),
    good("an optional body of length 0", request(b"PUT /v1/notes", body=b"", framing=_EMPTY)),
    *(good(name, raw) for name, raw in (LARGEST | GOOD_MEDIA_TYPES).items()),
]
