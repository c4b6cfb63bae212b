"""The admin listener's answers, who gets them, and that errors are JSON without a trace."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from gateway.admin import AdminError, AdminStatus, AdminToken, Reader, make_admin
from gateway.errors import GatewayError
from tests.support.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import ClientResponse
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    Client = TestClient[web.Request, web.Application]
    Connect = Callable[..., Awaitable[Client]]

VIEWER = {"Authorization": "Bearer view-secret"}


class Gateway:
    """What the admin application asks: settable by a test."""

    def __init__(self) -> None:
        self.now = AdminStatus("rev1")
        self.metrics_text = b"gateway_in_flight 0.0\n"
        self.broken = False
        self.audit = Reading()

    def status(self) -> AdminStatus:
        if self.broken:
            raise KeyError("private detail")
        return self.now

    def metrics(self) -> bytes:
        return self.metrics_text


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def connect(aiohttp_client: AiohttpClient, gateway: Gateway) -> Connect:
    """Start the application as if bound to ``host``, with or without tokens."""

    async def connect(*, host: str = "127.0.0.1", tokens: bool = False) -> Client:
        known = [
            AdminToken.of("dash", "viewer", "view-secret"),
            AdminToken.of("ops", "operator", "op-secret"),
        ]
        app = make_admin(
            host=host,
            tokens=known if tokens else [],
            metrics=gateway.metrics,
            status=gateway.status,
            audit=gateway.audit,
        )
        return await aiohttp_client(app)

    return connect


async def error_of(response: ClientResponse) -> Any:
    assert response.content_type == "application/json"
    return (await response.json())["error"]["code"]


async def test_healthz(connect: Connect, gateway: Gateway) -> None:
    """Alive is alive, ready or not."""
    gateway.now = AdminStatus("rev1", ("draining",))
    response = await (await connect()).get("/healthz")
    assert response.status == 200
    assert await response.json() == {"status": "ok"}


async def test_readyz(connect: Connect, gateway: Gateway) -> None:
    """200 with the live revision; 503 with every reason; the newest revision at each call."""
    client = await connect()
    response = await client.get("/readyz")
    assert response.status == 200
    assert await response.json() == {"status": "ready", "revision": "rev1", "reasons": []}
    gateway.now = AdminStatus("rev2", ("draining", "no upstream"))
    response = await client.get("/readyz")
    assert response.status == 503
    assert await response.json() == {
        "status": "unready",
        "revision": "rev2",
        "reasons": ["draining", "no upstream"],
    }


async def test_metrics(connect: Connect) -> None:
    """The text as it is, under the type that Prometheus expects."""
    response = await (await connect()).get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert await response.read() == b"gateway_in_flight 0.0\n"


async def test_audit(connect: Connect, gateway: Gateway) -> None:
    """Filters and ids are handed on, with the name of the token that asks and the address."""
    client = await connect(tokens=True)
    response = await client.get("/api/audit?code=invalid_type&since=7d&app=", headers=VIEWER)
    assert response.status == 200
    assert await response.json() == {"records": [], "next": None}
    response = await client.get("/api/audit/some%2Fid", headers=VIEWER)
    assert await response.json() == {"record": {}}
    reader = Reader("dash", "127.0.0.1")
    filters = {"code": "invalid_type", "since": "7d", "app": ""}
    assert gateway.audit.asked == [(reader, filters), (reader, "some/id")]
    for path in ("/api/audit", "/api/audit/1"):
        assert (await client.get(path)).status == 401
        assert (await client.post(path, headers=VIEWER)).status == 405
    assert len(gateway.audit.asked) == 2


async def test_audit_faults(connect: Connect, gateway: Gateway) -> None:
    """A filter that stands twice, and whatever the reader says."""
    client = await connect()
    response = await client.get("/api/audit?app=a&app=b")
    assert (response.status, await error_of(response)) == (400, "invalid_filter")
    assert gateway.audit.asked == []
    gateway.audit.fault = AdminError(503, "index_unavailable", "It is away.")
    for path in ("/api/audit", "/api/audit/1"):
        response = await client.get(path)
        assert (response.status, await error_of(response)) == (503, "index_unavailable")
    assert {reader for reader, _ in gateway.audit.asked} == {Reader("-", "127.0.0.1")}


async def test_index_lists_the_paths(connect: Connect) -> None:
    """Every path that is listed is answered."""
    client = await connect()
    response = await client.get("/")
    text = await response.text()
    assert response.status == 200
    assert response.content_type == "text/plain"
    paths = [line.split()[0] for line in text.splitlines() if line.startswith("/")]
    assert paths == ["/healthz", "/readyz", "/metrics", "/api/audit", "/api/audit/ID"]
    for path in paths:
        assert (await client.get(path)).status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere"])
async def test_every_answer_is_hardened(connect: Connect, path: str) -> None:
    """Not sniffed, not stored, not framed, no software named; errors as well."""
    headers = (await (await connect()).get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


async def test_unknown_path_and_wrong_method(connect: Connect) -> None:
    client = await connect()
    response = await client.get("/nowhere")
    assert (response.status, await error_of(response)) == (404, "unknown_path")
    response = await client.post("/metrics", data=b"x")
    assert (response.status, await error_of(response)) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"
    assert (await client.head("/metrics")).status == 200


async def test_a_bug_is_a_json_500_and_a_log_record(
    connect: Connect, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The one who asked learns nothing of it; the log gets the exception."""
    gateway.broken = True
    with caplog.at_level(logging.ERROR, logger="gateway.admin.application"):
        response = await (await connect()).get("/readyz")
    body = await response.text()
    assert response.status == 500
    assert json.loads(body)["error"]["code"] == "internal_error"
    assert "private" not in body
    assert "Traceback" not in body
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


async def test_other_http_errors_are_json_too(connect: Connect) -> None:
    """What aiohttp itself refuses inside a handler keeps its status and becomes JSON."""
    client = await connect()
    app = client.app
    assert app is not None
    handler = app.middlewares[0]

    async def too_large(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2)

    response = await handler(None, too_large)  # type: ignore[call-arg, misc, arg-type]
    assert response.status == 413
    assert json.loads(response.text)["error"]["code"] == "bad_request"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "authorization", "status"),
    [
        ("/metrics", None, 401),
        ("/metrics", "Bearer wrong", 401),
        ("/metrics", "Bearer ", 401),
        ("/metrics", "Basic view-secret", 401),
        ("/metrics", "view-secret", 401),
        ("/metrics", "Bearer view-secret", 200),
        ("/metrics", "bearer op-secret", 200),
        ("/", None, 401),
        ("/nowhere", None, 401),
        ("/nowhere", "Bearer op-secret", 404),
        ("/healthz", None, 200),
        ("/healthz", "Bearer wrong", 200),
        ("/readyz", None, 200),
    ],
)
async def test_tokens(connect: Connect, path: str, authorization: str | None, status: int) -> None:
    """With tokens configured all but health needs one, the knowledge of which paths exist included."""
    headers = {} if authorization is None else {"Authorization": authorization}
    response = await (await connect(tokens=True)).get(path, headers=headers)
    assert response.status == status
    if status == 401:
        assert await error_of(response) == "invalid_token"
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9901", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:9901", 200),
        ("127.0.0.2:9901", 200),
        ("127.0.0.3", 403),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost:9901.evil.example", 403),
        ("localhost.", 403),
        ("localhost:", 403),
        ("user@localhost", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_hosts_on_loopback(connect: Connect, path: str, host: str, status: int) -> None:
    """Only names of this machine and the configured one, on any port; DNS rebinding gets nothing."""
    response = await (await connect(host="127.0.0.2")).get(path, headers={"Host": host})
    assert response.status == status
    if status == 403:
        assert await error_of(response) == "unknown_host"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/metrics", {"Host": "10.0.0.7:9901"}, 403),
        ("/metrics", {"Host": "gateway.example"}, 401),
        ("/metrics", {"Host": "localhost"}, 401),
        ("/metrics", {"Host": "10.0.0.7:9901", **VIEWER}, 200),
        ("/metrics", {"Host": "", **VIEWER}, 403),
        ("/healthz", {"Host": "10.0.0.7:9901"}, 200),
        ("/readyz", {"Host": "pod.cluster.example"}, 200),
    ],
)
async def test_hosts_off_loopback(connect: Connect, path: str, headers: dict[str, str], status: int) -> None:
    """Probes and holders of a token may use any Host; all others only a known one, which does not suffice."""
    response = await (await connect(host="gateway.example", tokens=True)).get(path, headers=headers)
    assert response.status == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:9901", 200),
        ("http://LOCALHOST:9901", 200),
        ("https://localhost:9901", 403),
        ("http://localhost", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_origins(connect: Connect, origin: str, status: int) -> None:
    """A page of another origin gets nothing, health included, and with a token too."""
    client = await connect(tokens=True)
    for path in ("/healthz", "/metrics"):
        headers = {"Host": "localhost:9901", "Origin": origin, **VIEWER}
        response = await client.get(path, headers=headers)
        assert response.status == status
        if status == 403:
            assert await error_of(response) == "unknown_origin"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "gateway.example"])
def test_off_loopback_without_a_token_is_refused(host: str, gateway: Gateway) -> None:
    """Nothing listens for the world unprotected; the fault is one an operator can read."""
    with pytest.raises(GatewayError, match="needs at least one token"):
        make_admin(host=host, tokens=[], metrics=gateway.metrics, status=gateway.status, audit=gateway.audit)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_loopback_needs_no_token(host: str, gateway: Gateway) -> None:
    assert make_admin(
        host=host, tokens=[], metrics=gateway.metrics, status=gateway.status, audit=gateway.audit
    )


def test_a_token_never_shows_its_secret() -> None:
    assert "view-secret" not in repr(AdminToken.of("dash", "viewer", "view-secret"))
    assert "digest" not in repr(AdminToken.of("dash", "viewer", "view-secret"))
