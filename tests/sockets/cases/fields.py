"""Header fields that are in doubt, or that would have an upstream see another request than was judged."""

from __future__ import annotations

from tests.sockets.cases.case import POST, Case, bad
from tests.support.plane import request

_LINES = {
    "space before the colon": b"X-A : b",
    "tab before the colon": b"X-A\t: b",
    "vertical tab before the colon": b"X-A\x0b: b",
    "CR before the colon": b"X-A\r: b",
    "CRLF before the colon": b"X-A\r\n: b",
    "space before the name": b" X-A: b",
    "no colon": b"X-A",
    "no name": b": b",
    "no name and no value": b":",
    "obs-fold": b"X-A: b\r\n c",
    "obs-fold with a tab": b"X-A: b\r\n\tc",
    "obs-fold at once": b"X-A:\r\n b",
    "folded line of blanks": b"X-A: b\r\n ",
    "folded Content-Length": b"X-A: b\r\n Content-Length: 3",
    "bare LF": b"X-A: b\nX-B: c",
    "bare LF before a smuggled length": b"X-A: b\nContent-Length: 0",
    "bare CR": b"X-A: b\rX-B: c",
    "bare CR in a name": b"X-\rA: b",
    "bare CR after the colon": b"X-A:\rb",
    "CR CR LF": b"X-A: b\r",
    "LF CR": b"X-A: b\n\rX-B: c",
    "LF LF": b"X-A: b\n\nX-B: c",
    "NUL in a value": b"X-A: b\x00c",
    "NUL before a value": b"X-A: \x00b",
    "NUL after a value": b"X-A: b\x00",
    "NUL in a name": b"X-\x00A: b",
    "control byte in a value": b"X-A: b\x01",
    "control byte before a name": b"\x01X-A: b",
    "DEL in a value": b"X-A: \x7f",
    "DEL in a name": b"X-A\x7f: b",
    "vertical tab in a value": b"X-A: \x0bb",
    "form feed after a value": b"X-A: b\x0c",
    "escape in a value": b"X-A: \x1b[31m",
    "byte outside ASCII in a name": b"X-\xc3\xa4: b",
    "byte outside ASCII before a name": b"\xa0X-A: b",
    "byte outside ASCII after a name": b"X-A\xa0: b",
    "byte outside ASCII before a value": b"X-A: \xa0b",
    "byte outside ASCII after a value": b"X-A: b\x85",
    "byte outside ASCII alone": b"X-A: \xff",
    "zero-width space after a value": b"X-A: b\xe2\x80\x8b",
    "byte order mark before a name": b"\xef\xbb\xbfX-A: b",
    "Connection names Host": b"Connection: host",
    "Connection names Content-Length": b"Connection: close, Content-Length",
    "Connection names Authorization": b"Connection: authorization",
    "Connection names Content-Type": b"Connection: Content-TYPE",
    "Connection names Content-Encoding": b"Connection:content-encoding",
    "Connection names X-Request-Id": b"Connection: x-request-id",
    "Connection names Cookie, in the second": b"Connection: keep-alive\r\nConnection: cookie",
    "Connection malformed": b"Connection: a b",
    "Connection with an empty member": b"Connection: a,,b",
    "Connection with a comma at its end": b"Connection: close,",
    "Connection in quotes": b'Connection: "close"',
    "method override without value": b"X-HTTP-Method-Override:",
    "method override to the same": b"X-HTTP-Method-Override: POST",
}
_OVERRIDES = (
    b"X-HTTP-Method-Override", b"x-http-method-override", b"X-HTTP-METHOD-OVERRIDE",
    b"X_HTTP_Method_Override", b"X-Http_Method-Override", b"X.HTTP.Method.Override", b"X-HTTP-Method",
    b"X_HTTP_METHOD", b"x-method-override", b"X-Method_Override", b"X-Original-URL", b"X_Original_Url",
    b"x-rewrite-url",
)  # fmt: skip
_IMITATIONS = (
    b"Content_Length", b"content_length", b"CONTENT_LENGTH", b"Content.Length", b"Content~Length",
    b"Transfer_Encoding", b"Transfer.Encoding", b"Content_Type", b"Content_Encoding", b"X_Forwarded_For",
    b"X_Forwarded_Prefix", b"X-Forwarded_For", b"X.Forwarded-Host", b"X_Real_IP", b"Proxy_Connection",
)  # fmt: skip

FIELDS: list[Case] = [
    *(bad(name, request(POST, line)) for name, line in _LINES.items()),
    *(bad(f"{chr(sign)} in a name", request(POST, b"X%cA: b" % sign)) for sign in b'"()/@[],;<=>?\\{} '),
    *(bad(f"override by {name.decode()}", request(POST, name + b": DELETE")) for name in _OVERRIDES),
    *(bad(f"{name.decode()} for another", request(POST, name + b": 3")) for name in _IMITATIONS),
]
