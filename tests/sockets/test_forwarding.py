"""Header rules both ways, as the upstream's and the client's sockets see them."""

from __future__ import annotations

import pytest

from tests.support.plane import BODY, GET, POST, Plane, request
from tests.support.raw import exchange, parse_responses
from tests.support.recorder import Recorder, ok


async def forwarded(raw: bytes, **options: object) -> list[tuple[str, str]]:
    """Send ``raw``; give the header fields that reached the upstream, names in lower case."""
    async with Recorder() as upstream, Plane(upstream.url, **options) as plane:  # type: ignore[arg-type]
        answer = await plane.ask(raw)
        assert answer.status == 200
        port = f":{upstream.port}"
        return [(name.lower(), value.replace(port, ":PORT")) for name, value in upstream.requests[0].headers]


HOP = [
    ("host", "127.0.0.1:PORT"),
    ("content-type", "application/json"),
    ("via", "1.1 message-gateway"),
    ("forwarded", "for=127.0.0.1;host=gateway.test;proto=http"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "gateway.test"),
    ("x-forwarded-proto", "http"),
    ("content-length", "17"),
]


async def test_nothing_is_invented() -> None:
    """A plain request goes out with its own fields and those of the hop, no others."""
    assert await forwarded(POST) == HOP
    assert [name for name, _ in await forwarded(GET)] == [
        "host", "via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    ]  # fmt: skip


async def test_forwarded_can_be_left_out() -> None:
    """With forwarded: false nothing tells of the hop, nor of any before."""
    raw = request(
        b"POST /v1/messages", b"X-Forwarded-For: 1.2.3.4", b"Forwarded: for=x", b"Via: 1.1 a",
        b"X-Forwarded-Host: h", b"X-Forwarded-Proto: p", b"X-Forwarded-Port: 1", b"X-Real-IP: 1.2.3.4",
        b"X-Forwarded-Prefix: /p",
    )  # fmt: skip
    for trusted in ((), ("127.0.0.0/8",)):
        found = await forwarded(raw, forwarded=False, trusted=trusted)
        assert found == [HOP[0], HOP[1], HOP[-1]]


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: keep-alive", b"Keep-Alive: timeout=5"),
        (b"Connection: X-Own", b"X-Own: 1"),
        (b"Connection: keep-alive", b"Connection: x-own", b"X-OWN: 1"),
        (b"Connection: close , X-Own,x-two", b"X-Own: 1", b"X-Two: 2", b"x-own: 3"),
        (b"Proxy-Connection: keep-alive", b"Proxy-Authorization: Basic x", b"Proxy-Authenticate: y"),
        (b"TE: trailers", b"Trailer: X-A", b"Connection: TE"),
        (b"Upgrade: websocket", b"Connection: Upgrade", b"HTTP2-Settings: AAA"),
    ],
)
async def test_hop_by_hop_fields_stay_here(lines: tuple[bytes, ...]) -> None:
    """Fields of this hop, by name or because Connection says so, are not forwarded; others are."""
    assert await forwarded(request(b"POST /v1/messages", *lines)) == HOP


async def test_end_to_end_fields_pass_as_they_came() -> None:
    """Everything else passes in order, repeated fields and bytes outside ASCII too."""
    lines = [
        b"Cookie: a=b",
        b"Authorization: Bearer c",
        b"X-Request-Id: mine",
        b"X-A:  \t1",
        b"x-a: 2",
        b"X-B: \tq\xc3\xa4r ",
    ]
    found = await forwarded(request(b"POST /v1/messages", *lines, b"Accept-Encoding: gzip"))
    assert found[2:9] == [
        ("cookie", "a=b"),
        ("authorization", "Bearer c"),
        ("x-request-id", "mine"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-b", "q\xc3\xa4r"),
        ("accept-encoding", "gzip"),
    ]


async def test_authorization_is_replaced() -> None:
    """A configured authorization takes the place of the client's."""
    raw = request(b"POST /v1/messages", b"Authorization: Bearer client")
    found = await forwarded(raw, authorization="Bearer gateway")
    assert [value for name, value in found if name == "authorization"] == ["Bearer gateway"]


async def test_an_untrusted_client_cannot_speak_for_others() -> None:
    """What a client says of addresses before it is dropped; its Via is a list that goes on."""
    raw = request(
        b"POST /v1/messages",
        b"X-Forwarded-For: 1.2.3.4",
        b"Forwarded: for=1.2.3.4",
        b"Via: 1.0 a, 1.1 b",
        b"X-Forwarded-Host: other",
        b"X-Forwarded-Proto: https",
        b"X-Real-IP: 1.2.3.4",
        b"X-Forwarded-Prefix: /admin",
        b"x-forwarded-ssl: on",
        host=b"gateway.test:81",
    )
    found = dict(await forwarded(raw))
    assert found["x-forwarded-for"] == "127.0.0.1"
    assert found["forwarded"] == 'for=127.0.0.1;host="gateway.test:81";proto=http'
    assert (found["x-forwarded-host"], found["x-forwarded-proto"]) == ("gateway.test:81", "http")
    assert found["via"] == "1.0 a, 1.1 b, 1.1 message-gateway"
    assert found.keys().isdisjoint({"x-real-ip", "x-forwarded-prefix", "x-forwarded-ssl"})


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ((b"1.2.3.4",), "1.2.3.4"),
        ((b"6.6.6.6, 1.2.3.4, 10.0.0.1",), "1.2.3.4"),
        ((b"6.6.6.6", b"1.2.3.4,10.0.0.1"), "1.2.3.4"),
        ((b"10.0.0.2, 10.0.0.1",), "10.0.0.2"),
        ((b"1.2.3.4, unknown",), "127.0.0.1"),
        ((b"1.2.3.4, , 10.0.0.1",), "10.0.0.1"),
        ((b"::ffff:1.2.3.4",), "1.2.3.4"),
        ((b"2001:db8::1",), "2001:db8::1"),
        ((b"",), "127.0.0.1"),
        ((), "127.0.0.1"),
    ],
)
async def test_a_trusted_proxy_is_believed(chain: tuple[bytes, ...], client: str) -> None:
    """The client is the nearest address that is no trusted proxy's; the chain goes on."""
    lines = [b"X-Forwarded-For: " + value for value in chain]
    raw = request(b"POST /v1/messages", *lines, b"X-Forwarded-Host: public", b"X-Forwarded-Proto: https")
    trusted = ("127.0.0.1/32", "10.0.0.0/8")
    async with Recorder() as upstream, Plane(upstream.url, trusted=trusted) as plane:
        await plane.ask(raw)
        assert plane.outcomes[0].client_ip == client
        found = upstream.requests[0]
        chained = [value.decode() for value in chain if value]
        assert found.header("x-forwarded-for") == ", ".join([*chained, "127.0.0.1"])
        assert (found.header("x-forwarded-host"), found.header("x-forwarded-proto")) == ("public", "https")
        bare = upstream.requests[1]
        assert (bare.header("x-forwarded-host"), bare.header("x-forwarded-proto")) == ("gateway.test", "http")


async def test_addresses_are_only_believed_from_trusted_networks() -> None:
    """A peer outside the trusted networks is the client itself."""
    raw = request(b"POST /v1/messages", b"X-Forwarded-For: 1.2.3.4")
    async with Recorder() as upstream, Plane(upstream.url, trusted=("10.0.0.0/8",)) as plane:
        await plane.ask(raw)
        assert plane.outcomes[0].client_ip == "127.0.0.1"
        assert upstream.requests[0].header("x-forwarded-for") == "127.0.0.1"


async def test_one_connection_many_heads() -> None:
    """What is kept from head to head never leaks into the next: each request has its own fields."""
    heads = [
        request(b"POST /v1/messages", b"X-A: 1"),
        request(b"POST /v1/messages", b"X-A: 1", body=b'{"text": "other"}  '),
        request(b"POST /v1/messages", b"X-A: 2", b"Connection: x-a"),
        request(b"POST /v1/messages HTTP/1.0", b"X-A: 1", b"Connection: keep-alive"),
        request(b"POST /v1/messages", b"X-A: 1"),
        request(
            b"POST /v1/messages",
            b"X-A: 1",
            framing=b"Transfer-Encoding: chunked",
            body=b"11\r\n" + BODY + b"\r\n0\r\n\r\n",
        ),
        request(b"POST /v1/messages", b"X-A: 1"),
    ]
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        content = await exchange(plane.port, b"".join(heads), responses=len(heads))
        assert [item.status for item in parse_responses(content)] == [200] * len(heads)
        found = [
            (item.header("x-a"), item.header("via"), item.header("content-length"), len(item.body))
            for item in upstream.requests
        ]
        here, old = "1.1 message-gateway", "1.0 message-gateway"
        assert found == [
            ("1", here, "17", 17), ("1", here, "19", 19), (None, here, "17", 17), ("1", old, "17", 17),
            ("1", here, "17", 17), ("1", here, "17", 17), ("1", here, "17", 17),
        ]  # fmt: skip


async def test_response_fields() -> None:
    """End-to-end fields of an answer come back as they were; those of the hop and our own names do not."""
    lines = [
        b"Set-Cookie: a=b",
        b"set-cookie: c=d",
        b"X-Request-Id: u-1",
        b"X-Upstream-Request-Id: forged",
        b"Date: x",
        b"Keep-Alive: timeout=5",
        b"Connection: keep-alive",
        b"Connection: X-Own",
        b"X-Own: 1",
        b"Upgrade: h2c",
        b"Proxy-Authenticate: x",
        b"Trailer: y",
        b"TE: z",
        b"Server: s",
        b"Content-Encoding: gzip",
        b"Via: 1.1 a",
    ]
    async with (
        Recorder([ok(b"abc", *lines)], default=ok(b"abc", *lines)) as upstream,
        Plane(upstream.url) as plane,
    ):
        for _ in range(2):  # the second time what is remembered of the first is used
            answer = await plane.ask(request(b"POST /v1/messages", b"X-Request-Id: mine"))
            fields = [(name.lower(), value) for name, value in answer.response.headers]
            outcome = plane.outcomes[-2]
            assert sorted(fields) == sorted(
                [
                    ("content-type", "application/json"),
                    ("set-cookie", "a=b"),
                    ("set-cookie", "c=d"),
                    ("date", "x"),
                    ("server", "s"),
                    ("content-encoding", "gzip"),
                    ("via", "1.1 a"),
                    ("content-length", "3"),
                    ("x-upstream-request-id", "u-1"),
                    ("x-request-id", outcome.request_id),
                ]
            )
            assert (outcome.client_request_id, outcome.upstream_request_id) == ("mine", "u-1")


async def test_the_record_of_a_request() -> None:
    """What the head tells is in the Outcome, and odd bytes in it do no harm."""
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    raw = request(
        b"POST /v1/threads/t_1/messages",
        b"Traceparent: " + trace,
        b"User-Agent: a\xc3\xa4b",
        b"X-Stainless-Retry-Count: 2",
    )
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        await plane.ask(raw)
        outcome = plane.outcomes[0]
        assert (outcome.operation, outcome.contract, outcome.thread_id) == ("thread", "test", "t_1")
        assert (outcome.method, outcome.path) == ("POST", "/v1/threads/t_1/messages")
        assert outcome.trace_id == "0af7651916cd43dd8448eb211c80319c"
        assert (outcome.user_agent, outcome.sdk_retry) == ("a\ufffd\ufffdb", "2")
        assert (outcome.revision, outcome.upstream, outcome.app) == ("revision", "main", None)
        assert upstream.requests[0].header("traceparent") == trace.decode()
