"""Targets and methods that no operation has, or that servers read in different ways."""

from __future__ import annotations

from tests.sockets.cases.case import Case, bad, get, kept
from tests.support.plane import request

_DOUBTFUL = (
    b"/v1/./messages", b"/v1/../messages", b"/v1/x/..", b"/.", b"/..", b"/v1/%2e%2e/messages",
    b"/v1/%2E/messages", b"/v1/.%2e/messages", b"/v1/%2e./messages", b"/v1/..;/messages", b"/v1/.;x/messages",
    b"/v1/..%3b/messages", b"/v1/%2e%2e%3Bx/messages", b"/v1/threads/%2e/messages",
    b"/v1/threads/../messages", b"/v1/threads/%252e%252e/messages", b"/v1/threads/.%252e/messages",
    b"/v1/threads/%25252E/messages", b"/v1/threads/..%253b/messages", b"/v1/messages/..%2f..%2fx",
    b"/v1%2fmessages", b"/v1%2Fmessages", b"/v1%252fmessages", b"/v1%25252Fmessages", b"/v1%5cmessages",
    b"/v1%255Cmessages", b"/v1/threads/a%2fb/messages", b"/v1/threads/a%252Fb/messages", b"/v1\\messages",
    b"\\v1\\messages", b"/\\v1/messages", b"/v1/messages%00", b"/v1/messages%2500",
    b"/v1/threads/%00/messages", b"/v1/threads/a%0a/messages", b"/v1/threads/a%0D/messages",
    b"/v1/messages%zz", b"/v1/messages%2", b"/v1/messages%", b"/v1/messages%%", b"/v1/messages%u002f",
    b"/v1/messages%+2", b"/v1/messages#f", b"/v1/messages?#f", b"#", b"/v1/m\xc3\xbcssages",
    b"/v1/threads/\xff/messages", b"/v1/\xc0\xae\xc0\xae/x", b"/v1/threads/%c0%af/messages",
    b"/v1/threads/%c0%ae%c0%ae/messages", b"/v1/threads/%e0%80%af/messages",
    b"/v1/threads/%f0%80%80%af/messages", b"/v1/threads/%ff/messages", b"/v1/threads/%fe/messages",
    b"/v1/threads/%80/messages", b"/v1/threads/%c3/messages", b"/v1/threads/%ed%a0%80/messages",
    b"/v1/threads/%f4%90%80%80/messages", b"/v1/messages\x7f", b"v1/messages", b"messages", b"*", b"", b"?x",
    b"/*\r", b"/v1/messages|", b"/v1/messages?a=\xff", b"/v1/messages?\xc3\xbc", b"/v1/messages?<",
    b"/v1/messages?%", b"/v1/messages?%zz", b"/v1/messages?a=\\", b'/v1/messages?"',
    b"/v1/messages%0d%0aX:1", b"/v1/<messages>", b'/v1/"', b"/v1/{thread_id}", b"/v1/messages^",
    b"/v1/messages`", b"/v1/[messages]",
)  # fmt: skip
_DOUBTFUL_ADDRESSES = (
    b"ftp://gateway.test/v1/messages", b"ws://gateway.test/v1/messages", b"file:///v1/messages",
    b"https://gateway.test/v1/messages", b"HTTPS://gateway.test/v1/messages", b"https://gateway.test",
    b"httpx://gateway.test/v1/messages", b"http://other.test/v1/messages", b"http://OTHER.test/v1/messages",
    b"http://gateway.test:81/v1/messages", b"http://gateway.test:80/v1/messages",
    b"http://gateway.test:/v1/messages", b"http://gateway.test./v1/messages", b"http://u@gateway.test/",
    b"http://u:p@gateway.test/v1/messages", b"http://gateway.test@other.test/v1/messages",
    b"http://other.test@gateway.test/v1/messages", b"http://gateway.test\\@other.test/v1/messages",
    b"http://gateway.test,other.test/v1/messages", b"http:///v1/messages", b"http:/v1/messages",
    b"http:v1/messages", b"http://", b"http:", b"://gateway.test/v1/messages", b"http://gateway.test#f",
    b"http://gateway.test/v1/messages#f", b"gateway.test:80", b"gateway.test/v1/messages",
    b"http://gateway.test/v1/../x", b"http://gateway.test/%2e%2e/v1/messages", b"http://gateway.test\\v1",
    b"http://http://gateway.test/v1/messages", b"http://[::1]/v1/messages",
    b"http://%67ateway.test/v1/messages",
)  # fmt: skip
_UNKNOWN = (
    b"//v1/messages", b"/v1//messages", b"///v1/messages", b"/v1/messages/", b"/v1/messages//",
    b"/V1/messages", b"/v1/Messages", b"/v1/MESSAGES", b"/v1/messages;x", b"/v1/messages;",
    b"/v1;x/messages", b"/;x/v1/messages", b"/v1/threads;x/a/messages", b"/v1/threads/a;x/messages;y",
    b"/v1/messages%3bx", b"/", b"//", b"/...", b"/v1", b"/v1/", b"/v1/%6Dessages", b"/v1/messages%2e",
    b"/%76%31/messages", b"/v1/threads//messages", b"/v1/threads/a/b/messages", b"/v1/threads/messages",
    b"/v1/messages:", b"/v1/messages.", b"/v1/messages..", b"/v1/messages%20", b"/v1/messages+",
    b"/v1/messages@", b"/v1/messages.json", b"/v1/messages&x=1", b"/v1/x/v1/messages",
    b"//gateway.test/v1/messages", b"/http://gateway.test/v1/messages", b"http://gateway.test",
    b"http://gateway.test/", b"http://gateway.test?x", b"http://gateway.test//v1/messages",
    b"http://gateway.test/v1/messages/",
)  # fmt: skip
_WRONG_VALUES = (
    b"/v1/threads/a;x/messages", b"/v1/threads/a;x=1/messages", b"/v1/threads/;x/messages",
    b"/v1/threads/a;/messages", b"/v1/threads/%01/messages", b"/v1/threads/%7f/messages",
    b"/v1/threads/a%09/messages", b"/v1/threads/a%2eb/messages", b"/v1/threads/%61/messages",
    b"/v1/threads/a/messages?limit=%00", b"/v1/threads/a/messages?limit=1%0a",
    b"/v1/threads/a/messages?limit=%ff", b"/v1/threads/a/messages?limit=%c0%b1",
    b"/v1/threads/a/messages?limit=1&limit=2", b"/v1/threads/a/messages?limit=1&limi%74=2",
    b"/v1/messages?%00", b"/v1/messages?%0a=1", b"/v1/messages?a;b",
)  # fmt: skip
_UNKNOWN_PARAMETERS = (
    b"/v1/messages?x=1", b"/v1/messages?x", b"/v1/messages??", b"/v1/messages?a?b", b"/v1/messages?/../x",
    b"/v1/messages?_method=DELETE", b"/v1/threads/a/messages?limit=1&LIMIT=2",
    b"/v1/threads/a/messages?limit[]=1", b"http://gateway.test/v1/messages?x",
)  # fmt: skip
_METHODS = (
    b"PUT", b"DELETE", b"PATCH", b"TRACE", b"OPTIONS", b"PRI", b"get", b"Get", b"connect", b"!X", b"M" * 1024,
)  # fmt: skip


def _refused(method: bytes, body: bytes) -> Case:
    name = f"405 {method[:9].decode()}{' with a body' * bool(body)}"
    return kept(name, request(method + b" /v1/messages", body=body), 405, "method_not_allowed")


TARGETS: list[Case] = [
    *(bad(f"target {value!r}", get(value)) for value in _DOUBTFUL),
    *(bad(f"target {value!r}", get(value)) for value in _DOUBTFUL_ADDRESSES),
    *(kept(f"target {value!r}", get(value), 404, "unknown_route") for value in _UNKNOWN),
    *(kept(f"target {value!r}", get(value), 400, "invalid_value") for value in _WRONG_VALUES),
    *(kept(f"target {value!r}", get(value), 400, "unknown_parameter") for value in _UNKNOWN_PARAMETERS),
    *(_refused(method, b"") for method in _METHODS),
    *(_refused(method, b"{}") for method in (b"PUT", b"TRACE", b"OPTIONS")),
    kept("OPTIONS of the root", request(b"OPTIONS http://gateway.test", body=b""), 404, "unknown_route"),
]
