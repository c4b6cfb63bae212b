"""Requests that hold canaries wherever a request can hold something, by the refusal that they must get.

Every one of them has a caller's key as Authorization, cookie and x-api-key, and canaries in fields that
others log: names, values, trace, proxies, retries. On top each has them in what it is refused for.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.process.canary import RECORDED, SECRET, SHORT, TEXT

DOCUMENT = """\
openapi: 3.1.0
info: {title: Canary, version: '1'}
servers: [{url: /v1}]
paths:
  /things/{thread_id}:
    parameters:
      - {name: thread_id, in: path, required: true, schema: {type: string, maxLength: 100}}
      - {name: limit, in: query, schema: {type: integer}}
      - {name: near, in: query, style: deepObject, explode: true, schema: {$ref: '#/components/schemas/Near'}}
      - {name: Level, in: header, schema: {enum: [low, high]}}
    get: {operationId: getThing, responses: {}}
    post:
      operationId: postThing
      requestBody:
        content:
          application/json: {schema: {$ref: '#/components/schemas/Thing'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Near'}}
          multipart/form-data: {schema: {$ref: '#/components/schemas/Near'}}
          text/plain: {schema: {type: string, maxLength: 5}}
      responses: {}
  /held: {get: {operationId: getHeld, responses: {}}}
  /narrow: {get: {operationId: getNarrow, responses: {}}}
  /slow: {get: {operationId: getSlow, responses: {}}}
  /reset: {get: {operationId: getReset, responses: {}}}
  /dead: {get: {operationId: getDead, responses: {}}}
  /broken/{number}:
    get:
      operationId: getBroken
      parameters: [{name: number, in: path, required: true, schema: {type: integer}}]
      responses: {}
components:
  schemas:
    Near:
      type: object
      properties: {text: {type: string, maxLength: 5}, count: {type: integer}}
      additionalProperties: false
    Thing:
      type: object
      required: [role]
      additionalProperties: false
      properties:
        role: {enum: [user]}
        kind: {const: thing}
        name: {type: string, minLength: 1, maxLength: 5, pattern: '^[a-z]*$'}
        many: {type: string, minLength: 500}
        date: {type: string, format: date}
        list: {type: array, minItems: 2, maxItems: 3, uniqueItems: true}
        some: {type: array, minItems: 1}
        pair: {type: object, minProperties: 2, maxProperties: 3}
        whole: {type: integer, minimum: 1, maximum: 5}
        part: {type: number, minimum: 1, maximum: 5, multipleOf: 0.5}
        near: {$ref: '#/components/schemas/Near'}
        choice: {anyOf: [{$ref: '#/components/schemas/Near'}, {type: integer}]}
        metadata:
          type: object
          additionalProperties: {type: string, maxLength: 10}
          propertyNames: {maxLength: 64}
"""

T = TEXT.raw
S = SECRET.raw
R = RECORDED.raw


class Sent(NamedTuple):
    """A request, and the code that it is refused with; None where it is served."""

    name: str
    raw: bytes
    code: str | None


HEAD = b"\r\n".join(
    (
        b"Host: gateway.test",
        b"Authorization: Bearer " + S,
        b"x-api-key: " + S,
        b"Cookie: session=" + S + b"; " + T + b"=1",
        b"Proxy-Authorization: Basic " + S,
        b"x-" + T + b": 1",
        b"x-other: " + T,
        b"traceparent: 00-" + T + b"-1-01",
        b"tracestate: a=" + T,
        b"x-forwarded-for: " + T + b", 10.0.0.1",
        b"x-forwarded-host: " + T,
        b"forwarded: for=" + T,
        b"via: 1.1 " + T,
        b"referer: http://a/" + T,
        b"x-stainless-retry-count: " + T,
        b"idempotency-key: " + T,
    )
)
RECORD = b"User-Agent: " + R + b"\r\nX-Request-Id: " + R


def made(line: bytes, *fields: bytes, body: bytes | None = None) -> bytes:
    """Make a request; ``line`` is without the version."""
    if body is not None:
        fields = (*fields, b"Content-Length: %d" % len(body))
    return b"\r\n".join((line + b" HTTP/1.1", HEAD, *fields, b"", body or b""))


def post(body: bytes, content_type: bytes = b"application/json", *fields: bytes) -> bytes:
    """Make a request with a body."""
    return made(b"POST /v1/things/a", b"Content-Type: " + content_type, *fields, body=body)


def thing(member: str, code: str) -> Sent:
    """Make a thing that has one member, as JSON text in which T and K stand for canaries."""
    text = member.replace("T", TEXT.text).replace("K", SHORT.text)
    return Sent(f"{code}: {member}", post(b'{"role": "user", ' + text.encode() + b"}"), code)


def json(text: str, code: str = "invalid_json") -> Sent:
    """Make a body of JSON text in which T stands for a canary and S for a key."""
    body = text.replace("T", TEXT.text).replace("S", SECRET.text).encode("utf-8", "surrogatepass")
    return Sent(f"{code}: {text[:40]!r}", post(body), code)


def _things() -> list[Sent]:
    return [
        json('{"metadata": {"T": "a"}}', "missing_required_parameter"),
        thing('"T": "T"', "unknown_parameter"),
        thing('"near": {"T": {"T": "T"}}', "unknown_parameter"),
        thing('"K": 1', "unknown_parameter"),
        thing('"near": {"K": {"K": 1}}', "unknown_parameter"),
        thing('"metadata": {"K": 1}', "invalid_type"),
        thing('"name": {"T": "T"}', "invalid_type"),
        thing('"near": "T"', "invalid_type"),
        thing('"metadata": {"T": 1}', "invalid_type"),
        thing('"role": "T"', "duplicate_key"),
        thing('"kind": "T"', "invalid_value"),
        thing('"date": "T"', "invalid_value"),
        thing('"part": 1.1, "T": 1', "invalid_value"),
        thing('"choice": {"T": "T"}', "unknown_parameter"),
        thing('"name": "", "T": "T"', "empty_string"),
        thing('"many": "T"', "string_below_min_length"),
        thing('"name": "T"', "string_above_max_length"),
        thing('"metadata": {"a": "T"}', "string_above_max_length"),
        thing('"metadata": {"T": "T"}', "string_above_max_length"),
        thing('"metadata": {"TTT": "a"}', "string_above_max_length"),
        thing('"some": [], "T": "T"', "empty_array"),
        thing('"list": ["T"]', "array_below_min_length"),
        thing('"list": ["T", "TT", {"T": 1}, 1]', "array_above_max_length"),
        thing('"list": ["T", "T"]', "array_items_not_unique"),
        thing('"list": [{"T": "T"}, {"T": "T"}]', "array_items_not_unique"),
        thing('"pair": {"T": "T"}', "object_below_min_properties"),
        thing('"pair": {"T": "T", "a": 1, "b": 2, "TT": 3}', "object_above_max_properties"),
        thing('"whole": 0, "T": "T"', "integer_below_min_value"),
        thing('"whole": 6, "T": "T"', "integer_above_max_value"),
        thing('"part": 0.5, "T": "T"', "decimal_below_min_value"),
        thing('"part": 5.5, "T": "T"', "decimal_above_max_value"),
    ]  # fmt: skip


def _jsons() -> list[Sent]:
    broken = (
        "T", '"T', '{"T"', '{"T": T}', '{"T": "T"', '{"T": "T"} T', '{"T": "T",}', '{"T" "T"}', "['T']",
        '{"T": "\\T"}', '{"T": "\\u1T"}', '{"T": "T\n"}', '{"T": NaN}', '{"T": 1e999}', '{"T": 999T',
        '{"T": "T\\ud800"}', '{"T\\ud800": 1}', "\ufeff{}T", '{"S": S}', '{"T\ud800": 1}', "// T\n{}",
    )  # fmt: skip
    return [
        *(json(text) for text in broken),
        json('{"T": 1, "T": 2}', "duplicate_key"),
        json('{"a": {"T": "T", "T": "T"}}', "duplicate_key"),
        json('{"T": ' * 40 + '"T"' + "}" * 40, "json_too_deep"),
        json("[" * 40 + '"T"' + "]" * 40, "json_too_deep"),
    ]


def _forms() -> list[Sent]:
    form, plain = b"application/x-www-form-urlencoded", b"text/plain"
    bodies: list[tuple[bytes, bytes, str]] = [
        (form, T + b"=" + T, "unknown_parameter"),
        (form, SHORT.raw + b"=%ff", "bad_request"),
        (form, b"text=" + T, "string_above_max_length"),
        (form, b"count=" + T, "invalid_type"),
        (form, b"count=1&count=" + T, "duplicate_key"),
        (form, T + b"=%zz" + T, "bad_request"),
        (form, b"%zz" + T + b"=1", "bad_request"),
        (form, T + b"[a=" + T, "bad_request"),
        (form, T + b"=1&" + T + b"=2", "duplicate_key"),
        (form, T + b"[a]=1&" + T + b"=2", "duplicate_key"),
        (form, T + b"[a]" * 50 + b"=1", "json_too_deep"),
        (form, T.replace(b"-", b"%2D") + b"=" + T.replace(b"-", b"%2d"), "unknown_parameter"),
        (plain, T, "string_above_max_length"),
        (plain, b"\xff" + T, "bad_request"),
    ]
    multipart = b"multipart/form-data; boundary=" + T
    parts: list[tuple[bytes, bytes, str]] = [
        (b'form-data; name="%b"' % T, T, "unknown_parameter"),
        (b'form-data; name="text"; filename="%b"' % T, T, "string_above_max_length"),
        (b'form-data; name="%b"; filename="%b"; %b=1' % (T, T, T), T, "bad_request"),
        (b'form-data; name="%b"\r\n%b: %b' % (T, T, T), T, "bad_request"),
        (b'form-data; name="%b"\r\nContent-Type: %b' % (T, T), T, "bad_request"),
        (b'form-data; name="%b"\r\nContent-Type: %b/%b' % (T, T, T), T, "unsupported_media_type"),
        (b'form-data; name="%b"\r\nContent-Length: %b' % (T, T), T, "bad_request"),
        (b'form-data; name="%b"' % T, b"\xff" + T, "bad_request"),
        (b'form-data; name="%b"' % T, b"\x00" + T, "bad_request"),
        (T, T, "bad_request"),
    ]
    bodies += [
        (multipart, b"--%b\r\nContent-Disposition: %b\r\n\r\n%b\r\n--%b--" % (T, head, content, T), code)
        for head, content, code in parts
    ]
    bodies.append((b"multipart/form-data; boundary=x", T, "bad_request"))
    return [
        Sent(f"{code}: {kind[:20]!r} {body[:70]!r}", post(body, kind), code) for kind, body, code in bodies
    ]


def _heads() -> list[Sent]:
    """Make what is refused for its head, or for its query and fields."""
    things = b"GET /v1/things/a"
    lines: list[tuple[bytes, str]] = [
        (made(T + b" /v1/things/a"), "method_not_allowed"),
        (made(things + b"?" + T + b"=" + T), "unknown_parameter"),
        (made(things + b"?" + SHORT.raw + b"=1"), "unknown_parameter"),
        (made(things + b"?near[" + SHORT.raw + b"]=1"), "unknown_parameter"),
        (made(things + b"?" + T.replace(b"-", b"%2D") + b"=" + T), "unknown_parameter"),
        (made(things + b"?limit=" + T), "invalid_type"),
        (made(things + b"?near[" + T + b"]=" + T), "unknown_parameter"),
        (made(things + b"?near[text]=" + T), "string_above_max_length"),
        (made(things + b"?limit=;" + T), "invalid_value"),
        (made(things + b"?" + T + b";=1"), "invalid_value"),
        (made(things + b"?limit=%zz" + T), "bad_request"),
        (made(things + b"?" + T + b"%zz=1"), "bad_request"),
        (made(things + b"?limit=1&limit=" + T), "invalid_value"),
        (made(things + b"?" + S), "unknown_parameter"),
        (made(things, b"Level: " + T), "invalid_value"),
        (made(things, body=T), "unexpected_body"),
        (made(b"GET /v1/" + b"x" * 9000 + T), "uri_too_long"),
        (made(things, b"x-long: " + T * 400), "headers_too_large"),
        (made(things, *[b"x: " + T] * 200), "headers_too_large"),
        (made(things, b"Expect: " + T), "expectation_failed"),
        (made(b"POST /v1/things/a", b"Content-Length: 999999999"), "body_too_large"),
        (post(T, T), "unsupported_media_type"),
        (post(T, T + b"/" + T), "unsupported_media_type"),
        (post(T, b"application/json; charset=" + T), "unsupported_media_type"),
        (post(T, b"application/json; " + T + b'="' + T), "unsupported_media_type"),
        (post(T, b"multipart/form-data; boundary=" + T * 3), "unsupported_media_type"),
        (post(T, b"application/json", b"Content-Encoding: " + T), "unsupported_content_encoding"),
        (made(b"POST /v1/things/a", body=T), "unsupported_media_type"),
    ]  # fmt: skip
    return [Sent(f"{code}: {raw[:40]!r}", raw, code) for raw, code in lines]


def _malformed() -> list[Sent]:
    """Make what is no HTTP, and what nobody can tell the end of."""
    line, chunked = b"POST /v1/things/a", b"Transfer-Encoding: chunked\r\nContent-Type: application/json"
    raws = [
        b"@" + T,
        T + b"\r\n\r\n",
        b"\x16\x03\x01" + T,
        made(b"GET http://" + T + b"/" + T),
        made(b"GET http://" + S + b"@gateway.test/"),
        made(b"GET /v1/<" + T),
        made(b"GET /v1/%2e%2e/" + T),
        made(b"GET " + T),
        made(line).replace(b"HTTP/1.1", b"HTTP/" + T),
        made(line).replace(b"Host: gateway.test", b"Host: " + T + b"/" + T),
        made(line, b"Host: " + T),
        made(line, b"Content-Length: " + T),
        made(line, b"Content-Length: 1", b"Content-Length: 2" + T),
        made(line, b"Transfer-Encoding: " + T),
        made(line, b"Content-Length: 1\r\nTransfer-Encoding: chunked"),
        made(line, T),
        made(line, T + b" : 1"),
        made(line, b"x-a: b\r\n " + T),
        made(line, b"x-a: " + T + b"\x00"),
        made(line, b"x-a: " + T + b"\n" + T),
        made(line, b"x-a: \xff" + T),
        made(line, b"Authorization: Bearer " + S),
        made(line, b"Connection: host, " + T),
        made(line, b"X-HTTP-Method-Override: " + T),
        made(line, b"Content_Length: " + T),
        made(line, chunked) + T + b"\r\n" + T,
        made(line, chunked) + b"3;" + T * 10 + b"\r\nabc\r\n0\r\n\r\n",
        made(line, chunked) + b"3\r\nabcd" + T,
        made(line, chunked) + b"0\r\n" + T + b" : " + T + b"\r\n\r\n",
        made(line, chunked) + b"0\r\nx-a: " + T * 400 + b"\r\n\r\n",
    ]
    return [Sent(f"malformed {number}: {raw[:30]!r}", raw, "bad_request") for number, raw in enumerate(raws)]


def _recorded() -> list[Sent]:
    """Put canaries where the record keeps them; a refusal must not repeat those either."""
    path = b"/v1/things/" + R
    lines: list[tuple[bytes, str | None]] = [
        (b"GET " + path, None),
        (b"GET " + path + R, "string_above_max_length"),
        (b"GET " + path + b"%zz", "bad_request"),
        (b"GET " + path + b"%ff", "bad_request"),
        (b"DELETE " + path, "method_not_allowed"),
        (b"GET /" + R, "unknown_route"),
        (b"GET /" + R.replace(b"-", b"%2D") + b"/" + R + b"?" + T, "unknown_route"),
    ]
    return [Sent(f"{code}: {line!r}", made(line, RECORD), code) for line, code in lines]


SENT = [*_things(), *_jsons(), *_forms(), *_heads(), *_malformed(), *_recorded()]
