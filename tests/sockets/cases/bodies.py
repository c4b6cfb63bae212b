"""Bodies that are refused: by their type, their length, what they hold, or what is expected."""

from __future__ import annotations

from gateway.listener.bounds import SKIPPABLE
from tests.sockets.cases.case import CHUNKED, CHUNKS, CONTINUE, POST, Case, bad, chunks, get, kept
from tests.support.plane import SMALL, request

_JSON = b"application/json"
_MEDIA_TYPES = (
    b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"*/*",
    b"application/*", b"application", b"application/jsonp", b"application/json-patch+json", b"text/json",
    b"application/problem+json", b"application/x-json", b"application /json", b"application/ json", b"json",
    b"application/json, text/plain", b"application/json,application/json", b"application/json;a=b,text/plain",
    b"application/json charset=utf-8", b";charset=utf-8", b"", b"/", b"application/", b"/json", b"null",
    b"application/json/x", b"application\\json", b"application/js\xc3\xb6n", b"'application/json'",
    b'"application/json"', b"<application/json>", b"(x)application/json",
)  # fmt: skip
_CHARSETS = (
    b"charset", b"charset=", b'charset=""', b"charset=utf-16", b"charset=UTF-16LE", b"charset=utf-32",
    b"charset=utf-7", b"charset=latin1", b"charset=iso-8859-1", b"charset=us-ascii", b"charset=utf8",
    b"charset=utf-8x", b"charset=cp037", b"charset='utf-8'", b'charset="utf-8', b'charset="utf-8"x',
    b'charset="utf\\-8"', b'charset=" utf-8"', b"charset = utf-8", b"charset= utf-8", b"charset =utf-8",
    b"charset=utf-8; charset=utf-8", b"charset=utf-8; charset=utf-16", b"charset=utf-16;charset=utf-8",
    b"charset=utf-8; CHARSET=utf-8", b"charset*=utf-8''utf-8", b"charset*0=utf-8", b"charset=utf-8 utf-8",
    b"charset=utf-8,x", b"; charset=utf-8", b"x; charset=utf-8", b"=utf-8", b"charset=utf-8;;",
    b'x="charset=utf-7"', b"xcharset=utf-7", b'charset=utf-8; x=";charset=utf-7"',
)  # fmt: skip
_GOOD_MEDIA_TYPES = (
    b"APPLICATION/JSON",
    b"\tapplication/json \t",
    b"application/json; charset=utf-8",
    b"application/json;charset=UTF-8",
    b"application/json;\tCHARSET=uTf-8",
    b'application/json; charset="utf-8"',
    b'application/json; charset="UTF-8"',
    b"Application/Json ; CharSet=Utf-8",
    b"application/json; charset=utf-8;",
    b"application/json; charset=utf-8; x=y",
    b"application/json; x=y",
    b'application/json; x="charset"',
    b"application/json;",
)
_EXPECTATIONS = (
    b"", b"200-ok", b"x", b"100", b"100 continue", b"100_continue", b"100-continue, x", b"x, 100-continue",
    b"100-continue, 100-continue", b"100-continue;q=1", b'"100-continue"', b"100-continued", b"100-continue,",
)  # fmt: skip

MEDIA_TYPES: list[Case] = [
    *(
        kept(f"media type {value!r}", request(content_type=value), 415, "unsupported_media_type")
        for value in (*_MEDIA_TYPES, *(_JSON + b"; " + value for value in _CHARSETS))
    ),
    kept("no media type", request(content_type=None), 415, "unsupported_media_type"),
    *(
        bad(
            f"two Content-Types, {other!r}",
            request(POST, b"content-type: " + other),
            415,
            "unsupported_media_type",
        )
        for other in (b"text/plain", b"application/json", b"")
    ),
]
GOOD_MEDIA_TYPES = {f"media type {value!r}": request(content_type=value) for value in _GOOD_MEDIA_TYPES}
EXPECTATIONS: list[Case] = [
    *(
        bad(f"417 {value!r}", request(POST, b"Expect: " + value), 417, "expectation_failed")
        for value in _EXPECTATIONS
    ),
    bad("417 on HTTP/1.0", request(POST + b" HTTP/1.0", b"Expect: x"), 417, "expectation_failed"),
    bad("417 and no body", get(b"/v1/messages", b"Expect: x"), 417, "expectation_failed"),
    bad("two Expects", request(POST, CONTINUE, CONTINUE)),
    bad("413 with Expect", request(POST, CONTINUE, body=b"x" * (SMALL + 1)), 413, "body_too_large"),
    bad("404 with Expect", request(b"POST /v1/x", CONTINUE), 404, "unknown_route"),
    bad(
        "404 with Expect, chunked",
        request(b"POST /v1/x", CONTINUE, framing=CHUNKED, body=CHUNKS),
        404,
        "unknown_route",
    ),
    bad("405 with Expect", request(b"PUT /v1/messages", CONTINUE), 405, "method_not_allowed"),
    bad(
        "415 with Expect", request(POST, CONTINUE, content_type=b"text/plain"), 415, "unsupported_media_type"
    ),
    bad("400 with Expect", request(b"GET /v1/messages", CONTINUE), 400, "unexpected_body"),
]
BODIES: list[Case] = [
    kept("not JSON", request(body=b"{"), 400, "invalid_json"),
    kept("no body", request(framing=b"Content-Length: 0", body=b""), 400, "invalid_json"),
    kept("wrong type", request(body=b'{"text": 1}'), 400, "invalid_type"),
    kept("missing", request(body=b"{}"), 400, "missing_required_parameter"),
    kept("unknown", request(body=b'{"text": "a", "x": 1}'), 400, "unknown_parameter"),
    kept("twice", request(body=b'{"text": "a", "text": "b"}'), 400, "duplicate_key"),
    kept("too deep", request(body=b"[" * 40 + b"]" * 40), 400, "json_too_deep"),
    kept("wrong enum", request(body=b'{"text": "a", "role": "x"}'), 400, "invalid_value"),
    kept("unexpected", request(b"GET /v1/messages"), 400, "unexpected_body"),
    kept("query out of range", get(b"/v1/threads/a/messages?limit=101"), 400, "integer_above_max_value"),
    kept("path too long", get(b"/v1/threads/" + b"a" * 21 + b"/messages"), 400, "string_above_max_length"),
    kept("chunked not JSON", chunks(b"1\r\n{\r\n0\r\n\r\n"), 400, "invalid_json"),
    kept("chunked empty", chunks(b"0\r\n\r\n"), 400, "invalid_json"),
    kept("chunked empty, a trailing length", chunks(b"0\r\nContent-Length: 17\r\n\r\n"), 400, "invalid_json"),
    kept("a request for a body", request(body=get(b"/v1/messages")), 400, "invalid_json"),
    kept(
        "unexpected, chunked",
        request(b"GET /v1/messages", framing=CHUNKED, body=CHUNKS),
        400,
        "unexpected_body",
    ),
    kept("404, body a request", request(b"POST /v1/x", body=get(b"/v1/messages")), 404, "unknown_route"),
    bad("404, chunked", request(b"POST /v1/x", framing=CHUNKED, body=CHUNKS), 404, "unknown_route"),
    kept("404, a long body", request(b"POST /v1/x", body=b"x" * SKIPPABLE), 404, "unknown_route"),
    bad("404, a body too long", request(b"POST /v1/x", body=b"x" * (SKIPPABLE + 1)), 404, "unknown_route"),
    bad("413 by length", request(body=b"x" * (SMALL + 1)), 413, "body_too_large"),
    bad("413 by announcement", request(framing=b"Content-Length: 9999999999999999"), 413, "body_too_large"),
    bad("413 by many chunks", chunks((b"400\r\n" + b"x" * 1024 + b"\r\n") * 5), 413, "body_too_large"),
    bad("413 of an upgrade", request(POST, b"Upgrade: h2c", body=b"x" * (SMALL + 1)), 413, "body_too_large"),
]
