"""What the admin listener answers."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from aiohttp import web

from gateway.admin.access import AccessRules, AdminError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp.typedefs import Handler, Middleware

    from gateway.admin.access import AdminToken

_HEALTH: Final = frozenset({"/healthz", "/readyz"})
_INDEX: Final = """Message Gateway, admin listener

/healthz       200 while the process lives
/readyz        200 when it takes requests, else 503 with the reasons
/metrics       Prometheus metrics
/api/audit     audit records, newest first: ?app= operation= decision= code= status= since= until= q= limit=
/api/audit/ID  one of them, with its intent
"""
_SECURITY: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_log: Final = logging.getLogger(__name__)


class AdminStatus(NamedTuple):
    """Whether the gateway takes requests: the live revision, and why not (empty: it does)."""

    revision: str
    reasons: tuple[str, ...] = ()


class Reader(NamedTuple):
    """Who reads the audit trail: the name of the token, ``-`` for none, and the address."""

    name: str
    client_ip: str | None


class AuditReader(Protocol):
    """Answers what is asked of the audit trail, as JSON text. All raise :class:`AdminError`."""

    async def page(self, reader: Reader, filters: Mapping[str, str]) -> str:
        """Give a page of records, newest first, by filters as a URL has them."""

    async def record(self, reader: Reader, identity: str) -> str:
        """Give the record with an id."""


def make_admin(
    *,
    host: str,
    tokens: Sequence[AdminToken],
    metrics: Callable[[], bytes],
    status: Callable[[], AdminStatus],
    audit: AuditReader,
) -> web.Application:
    """Give the application for an admin listener bound to ``host``.

    ``metrics`` gives the Prometheus text, ``status`` what ``/readyz`` tells; both are called for each request
    and must not block. ``audit`` answers what is asked of the audit trail.

    Every error is answered as ``{"error": {"code", "message"}}``. Raises GatewayError
    when ``host`` is off loopback and there is no token.
    """
    rules = AccessRules(host, tokens)

    def reader(request: web.Request) -> Reader:
        token = rules.token_of(request)
        return Reader("-" if token is None else token.name, request.remote)

    async def healthz(_request: web.Request) -> web.Response:
        return _json(200, {"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        revision, reasons = status()
        ready = not reasons
        told = {"status": "ready" if ready else "unready", "revision": revision, "reasons": list(reasons)}
        return _json(200 if ready else 503, told)

    async def metrics_text(_request: web.Request) -> web.Response:
        content_type = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return _Answer(body=metrics(), headers=content_type)

    async def audit_page(request: web.Request) -> web.Response:
        filters = dict(request.query)
        if len(filters) < len(request.query):
            raise AdminError(400, "invalid_filter", "A filter stands twice.")
        return _json_text(await audit.page(reader(request), filters))

    async def audit_record(request: web.Request) -> web.Response:
        return _json_text(await audit.record(reader(request), request.match_info["id"]))

    async def index(_request: web.Request) -> web.Response:
        return _Answer(text=_INDEX)

    app = web.Application(middlewares=[answer_errors, _guard(rules)])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics_text)
    app.router.add_get("/api/audit", audit_page)
    app.router.add_get("/api/audit/{id}", audit_record)
    app.router.add_get("/", index)
    return app


def _guard(rules: AccessRules) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        rules.check(request, health=request.path in _HEALTH)
        return await handler(request)

    return guard


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make every error a JSON answer; one of ours is logged and told to nobody else."""
    try:
        return await handler(request)
    except AdminError as error:
        challenge = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        return _error(error.status, error.code, error.message, challenge)
    except web.HTTPMethodNotAllowed as error:
        allow = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return _error(405, "method_not_allowed", "This path has no such method.", allow)
    except web.HTTPNotFound:
        return _error(404, "unknown_path", "There is nothing here; / lists the paths.")
    except web.HTTPException as error:
        return _error(error.status, "bad_request", error.reason)
    except Exception:  # noqa: BLE001 (the last resort: no fault of ours may show itself)
        _log.exception("The admin listener failed to answer.")
        return _error(500, "internal_error", "The gateway failed to answer; its log says more.")


def malformed() -> web.Response:
    """Answer what is no HTTP, and close the connection; holds nothing of what was sent."""
    answer = _error(400, "bad_request", "The request is malformed.")
    answer.force_close()
    return answer


class _Answer(web.Response):
    """An answer with the header fields that all have, and without the name of the software.

    Not by aiohttp's signal ``on_response_prepare``, which is not sent for requests that are no HTTP.
    """

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.update(_SECURITY)
        self.headers.popall("Server", None)


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json(status, {"error": {"code": code, "message": message}}, headers)


def _json(status: int, value: object, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json_text(json.dumps(value) + "\n", status, headers)


def _json_text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return _Answer(status=status, text=text, content_type="application/json", headers=headers)
