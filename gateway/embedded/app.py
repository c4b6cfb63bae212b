"""The embedded upstream as an aiohttp application: threads, messages, ``/health``.

It answers under ``/v1`` as the real API does: its shapes, its errors, its response headers
(``x-request-id``, ``openai-version``, ``openai-processing-ms``). ``OpenAI-Beta: assistants=v2`` adds what
messages gained in that version. It asks for no key, logs its own faults alone and never answers with a
traceback.

For tests it can be slow, fail, break off or stream: the request header ``x-embedded-mode``, whose words
are described in :mod:`gateway.embedded.modes`, or the same words as ``make_app(mode=…)`` for every
request that has no such header. ``/health`` always answers at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.embedded import shapes
from gateway.embedded.modes import LONGEST, MODE_HEADER, Mode, read_mode
from gateway.embedded.shapes import ApiError
from gateway.embedded.store import Store, UnknownMessageError, UnknownThreadError
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.embedded.store import Message, Order

Handler: TypeAlias = "Callable[[web.Request], Awaitable[web.StreamResponse]]"

MAX_BODY: Final = 8 * 1024 * 1024
"""The largest body it takes, in bytes: more than the gateway lets through by default, so that it is the
gateway's limit that shows."""

_HEADS: Final[dict[str, Any]] = {"max_line_size": 16 * 1024, "max_field_size": 128 * 1024, "max_headers": 256}
"""Heads as large as the gateway makes them; aiohttp's own limits are lower."""
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell our own faults from malformed requests, which have got their 400."""
    malformed = (HttpProcessingError, web.RequestPayloadError)
    return record.exc_info is None or not isinstance(record.exc_info[1], malformed)


_log: Final = logging.getLogger(__name__)
_log.addFilter(_is_ours)


def make_app(
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    store: Store | None = None,
    mode: str = "",
) -> web.Application:
    """Make the application.

    ``clock`` gives seconds since the epoch for ``created_at``; ``sleep`` does the waits that modes ask
    for; ``store`` is what to serve, a new empty one by default; ``mode`` has the words that hold for
    requests without ``x-embedded-mode``. Raises ValueError when ``mode`` cannot be read.
    """
    read_mode(mode)
    upstream = _Upstream(store or Store(clock), sleep, mode)
    app = web.Application(middlewares=[upstream.answer], client_max_size=MAX_BODY)
    threads, messages = "/v1/threads", "/v1/threads/{thread_id}/messages"
    app.add_routes(
        [
            web.get("/health", _health),
            web.post(threads, upstream.create_thread),
            web.get(threads + "/{thread_id}", upstream.get_thread, allow_head=False),
            web.post(threads + "/{thread_id}", upstream.modify_thread),
            web.delete(threads + "/{thread_id}", upstream.delete_thread),
            web.get(messages, upstream.list_messages, allow_head=False),
            web.post(messages, upstream.create_message),
            web.get(messages + "/{message_id}", upstream.get_message, allow_head=False),
            web.post(messages + "/{message_id}", upstream.modify_message),
            web.delete(messages + "/{message_id}", upstream.delete_message),
        ]
    )
    return app


async def serve(host: str, port: int, *, app: web.Application | None = None) -> tuple[web.AppRunner, int]:
    """Start serving ``app``, a new one by default; port 0 takes a free one.

    Gives the runner, whose ``cleanup()`` stops it within about a second, and the port it listens on.
    Raises :class:`GatewayError` when the address cannot be listened on.
    """
    runner = web.AppRunner(
        app if app is not None else make_app(),
        access_log=None,
        logger=_log,
        **_HEADS,
        handler_cancellation=True,  # a client that goes away ends its request's waits
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise GatewayError(
            f"The embedded upstream cannot listen on {host}:{port}: {error.strerror}."
        ) from error
    return runner, int(runner.addresses[0][1])


class _Upstream:
    """The handlers, and the one way in which all their answers leave."""

    def __init__(self, store: Store, sleep: Callable[[float], Awaitable[object]], mode: str) -> None:
        self._store = store
        self._sleep = sleep
        self._mode = mode

    @property
    def answer(self) -> Any:
        """Give the middleware: runs a handler, turns its errors into answers, applies the mode."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            began = time.perf_counter()
            mode = Mode()
            try:
                if request.path != "/health":
                    mode = self._mode_of(request)
                await self._wait(mode.slow)
                if mode.fail is not None:
                    raise ApiError(mode.fail, "The server was asked to fail.")  # noqa: TRY301 - as any error
                response = await handler(request)
            except (ApiError, LookupError, web.HTTPException, web.RequestPayloadError) as error:
                fault = _api_error(request, error)
                response = _json(fault.body(), fault.status, _headers_of(error))
                mode = Mode()
            if not isinstance(response, web.Response):
                return response  # a stream, which has left already
            _stamp(response, began)
            return await self._break(request, response, mode) if mode.breaks else response

        return answer

    async def create_thread(self, request: web.Request) -> web.StreamResponse:
        body = shapes.read_object(await request.read())
        drafts, metadata = shapes.read_drafts(body), shapes.read_metadata(body)
        return _json(shapes.show_thread(self._store.create_thread(drafts, metadata)))

    async def get_thread(self, request: web.Request) -> web.StreamResponse:
        return _json(shapes.show_thread(self._store.thread(_thread_id(request))))

    async def modify_thread(self, request: web.Request) -> web.StreamResponse:
        metadata = shapes.read_metadata(shapes.read_object(await request.read()))
        return _json(shapes.show_thread(self._store.modify_thread(_thread_id(request), metadata)))

    async def delete_thread(self, request: web.Request) -> web.StreamResponse:
        self._store.delete_thread(_thread_id(request))
        return _json(shapes.show_deleted("thread", _thread_id(request)))

    async def create_message(self, request: web.Request) -> web.StreamResponse:
        draft = shapes.read_draft(shapes.read_object(await request.read(), required=True))
        message = self._store.create_message(_thread_id(request), draft)
        mode = self._mode_of(request)
        if mode.stream is not None:
            return await self._stream(request, message, mode)
        return _json(shapes.show_message(message, second=_second(request)))

    async def get_message(self, request: web.Request) -> web.StreamResponse:
        message = self._store.message(_thread_id(request), _message_id(request))
        return _json(shapes.show_message(message, second=_second(request)))

    async def modify_message(self, request: web.Request) -> web.StreamResponse:
        metadata = shapes.read_metadata(shapes.read_object(await request.read()))
        message = self._store.modify_message(_thread_id(request), _message_id(request), metadata)
        return _json(shapes.show_message(message, second=_second(request)))

    async def delete_message(self, request: web.Request) -> web.StreamResponse:
        self._store.delete_message(_thread_id(request), _message_id(request))
        return _json(shapes.show_deleted("thread.message", _message_id(request)))

    async def list_messages(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        page = self._store.list_messages(
            _thread_id(request),
            limit=_read_limit(query.get("limit", "20")),
            order=_read_order(query.get("order", "desc")),
            after=query.get("after"),
            before=query.get("before"),
        )
        return _json(shapes.show_page(page, second=_second(request)))

    def _mode_of(self, request: web.Request) -> Mode:
        try:
            return read_mode(request.headers.get(MODE_HEADER, self._mode))
        except ValueError as error:
            raise ApiError(400, str(error), param=MODE_HEADER, code="invalid_value") from None

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await self._sleep(seconds)

    async def _stream(self, request: web.Request, message: Message, mode: Mode) -> web.StreamResponse:
        events = shapes.show_events(message, mode.stream or 0, second=_second(request))
        headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        _stamp(response, time.perf_counter())
        if mode.breaks is None:
            return await self._send(request, response, events, mode.pause)
        return await self._send(request, response, events[: len(events) // 2], mode.pause, mode.breaks)

    async def _break(self, request: web.Request, whole: web.Response, mode: Mode) -> web.StreamResponse:
        body = whole.body
        assert isinstance(body, bytes)
        response = web.StreamResponse(status=whole.status, headers=whole.headers)
        response.content_length = len(body)
        return await self._send(request, response, [body[: len(body) // 2]], 0, mode.breaks)

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        pieces: Sequence[bytes],
        pause: float,
        breaks: str | None = None,
    ) -> web.StreamResponse:
        """Send the head and ``pieces``, ``pause`` seconds apart, then end as ``breaks`` says."""
        transport = request.transport
        if breaks == "reset":
            _reset(transport)
            return response
        await response.prepare(request)
        for place, piece in enumerate(pieces):
            await self._wait(pause if place else 0)
            await response.write(piece)
        if breaks is None:
            await response.write_eof()
            return response
        if breaks == "stall":
            await self._wait(LONGEST)
        if transport is not None:
            transport.close()  # what was written still goes out first
        return response


async def _health(_: web.Request) -> web.Response:
    return _json({"status": "ok"})


def _stamp(response: web.StreamResponse, began: float) -> None:
    """Add the headers that every answer of the real API has."""
    elapsed = time.perf_counter() - began
    response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
    response.headers["openai-version"] = "2020-10-01"
    response.headers["openai-processing-ms"] = str(int(elapsed * 1000))


def _api_error(request: web.Request, error: Exception) -> ApiError:
    """Say in the API's words what went wrong; an error that is none of the caller's is raised again."""
    match error:
        case ApiError():
            return error
        case UnknownThreadError():
            return ApiError(404, f"No thread found with id '{error.args[0]}'.")
        case UnknownMessageError():
            return ApiError(404, f"No message found with id '{error.args[0]}'.")
        case web.HTTPMethodNotAllowed():
            message = f"Not allowed to {request.method} on {request.path}."
            return ApiError(405, message, code="method_not_supported")
        case web.HTTPNotFound():
            return ApiError(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url")
        case web.HTTPClientError():
            return ApiError(error.status, f"{error.reason}.")
        case web.RequestPayloadError():
            return ApiError(400, "The request's body is malformed.")
    raise error


def _headers_of(error: Exception) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if isinstance(error, web.HTTPMethodNotAllowed) else {}


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    content = json.dumps(value).encode("ascii")
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")


def _thread_id(request: web.Request) -> str:
    return request.match_info["thread_id"]


def _message_id(request: web.Request) -> str:
    return request.match_info["message_id"]


def _second(request: web.Request) -> bool:
    return request.headers.get("OpenAI-Beta") == "assistants=v2"


def _read_limit(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= 100):
        raise ApiError(
            400, "Invalid 'limit': expected an integer from 1 to 100.", param="limit", code="invalid_value"
        )
    return int(value)


def _read_order(value: str) -> Order:
    if value == "asc":
        return "asc"
    if value == "desc":
        return "desc"
    message = "Invalid 'order': expected 'asc' or 'desc'."
    raise ApiError(400, message, param="order", code="invalid_value")


def _reset(transport: asyncio.Transport | None) -> None:
    """End the connection with a TCP RST instead of a FIN."""
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
