"""The gateway that a good user would write in an afternoon, with the same libraries.

aiohttp ``Application`` and ``ClientSession``, fastjsonschema, structlog, prometheus_client, uvloop: it judges
createMessage, answers faults in OpenAI's shape, forwards the rest, logs one JSON line for each request and
counts it.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import fastjsonschema
import structlog
import uvloop
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCHEMA = {
    "type": "object",
    "required": ["role", "content"],
    "additionalProperties": False,
    "properties": {
        "role": {"type": "string", "enum": ["user"]},
        "content": {"type": "string", "minLength": 1, "maxLength": 32768},
        "file_ids": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string"}},
        "metadata": {
            "type": ["object", "null"],
            "maxProperties": 16,
            "propertyNames": {"maxLength": 64},
            "additionalProperties": {"type": "string", "maxLength": 512},
        },
    },
}
HOP_BY_HOP = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
REQUESTS = Counter("requests", "Requests.", ["operation", "decision", "status"])
DURATION = Histogram("request_duration_seconds", "Time taken.", ["operation"])
SESSION = web.AppKey("session", aiohttp.ClientSession)
UPSTREAM = web.AppKey("upstream", str)

validate = fastjsonschema.compile(SCHEMA)
log = structlog.get_logger()


def refusal(message: str, param: str | None, code: str) -> web.Response:
    """Answer 400 as the OpenAI API does."""
    fault = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return web.json_response({"error": fault}, status=400)


async def judge_and_forward(request: web.Request) -> tuple[str, web.Response]:
    """Give the decision, and the upstream's answer or the refusal."""
    body = await request.read()
    try:
        validate(json.loads(body))
    except fastjsonschema.JsonSchemaValueException as fault:
        param = ".".join(map(str, fault.path[1:])) or None
        return "reject", refusal(fault.message, param, f"invalid_{fault.rule}")
    except ValueError:
        return "reject", refusal("The body is not valid JSON.", None, "invalid_json")
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
    session, url = request.app[SESSION], request.app[UPSTREAM] + request.path_qs
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            payload = await answer.read()
    except aiohttp.ClientError as error:
        failure = {"message": str(error), "type": "server_error", "param": None, "code": None}
        return "error", web.json_response({"error": failure}, status=502)
    response = web.Response(status=answer.status, body=payload)
    for name, value in answer.headers.items():
        if name.lower() not in HOP_BY_HOP:
            response.headers[name] = value
    return "allow", response


async def create_message(request: web.Request) -> web.Response:
    """Serve one request; log it and count it."""
    started = time.perf_counter()
    request_id = str(uuid.uuid4())
    decision, response = await judge_and_forward(request)
    response.headers["x-request-id"] = request_id
    elapsed = time.perf_counter() - started
    REQUESTS.labels("createMessage", decision, str(response.status)).inc()
    DURATION.labels("createMessage").observe(elapsed)
    log.info(
        "request",
        request_id=request_id,
        method=request.method,
        path=request.path,
        thread_id=request.match_info["thread_id"],
        client_ip=request.remote,
        user_agent=request.headers.get("user-agent"),
        decision=decision,
        status=response.status,
        duration_ms=round(elapsed * 1000, 3),
    )
    return response


async def metrics(_request: web.Request) -> web.Response:
    """Serve the figures to Prometheus."""
    return web.Response(body=generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


async def client_session(app: web.Application) -> AsyncIterator[None]:
    """Keep one session to the upstream as long as the application lives."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1000), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        app[SESSION] = session
        yield


def configure_logging() -> None:
    """Set structlog up as its page on performance advises."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="scheme and authority")
    options: Any = parser.parse_args()
    configure_logging()
    app = web.Application()
    app[UPSTREAM] = options.upstream
    app.cleanup_ctx.append(client_session)
    app.router.add_post("/v1/threads/{thread_id}/messages", create_message)
    app.router.add_get("/metrics", metrics)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main()
