"""Logging for the whole process: structlog set up, the standard library's loggers routed into it.

Every line, of requests and of events alike, goes through one :class:`LineWriter` to one descriptor. In the
``json`` format a line is an object with at least ``event``, ``level`` and ``time``; in the ``console`` format
it is for people, coloured on a terminal only. In both no string can break out of its line.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import structlog

from gateway.core.printable import escape_controls
from gateway.observe.fields import MAX_TEXT, exception_fields
from gateway.observe.requests import JsonRequest, RequestLog, console_fields
from gateway.observe.writer import LineWriter
from gateway.render.outcome import Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import EventDict, FilteringBoundLogger, Processor

Format: TypeAlias = Literal["json", "console"]

_stamp: Final = Stamp()
_CALLBACK: Final = "Exception in callback"
"""What asyncio and uvloop put the arguments behind; the frames tell which callback it was."""
_encode: Final = json.JSONEncoder(default=str, separators=(",", ":")).encode


class Logs:
    """The logging of this process, as :func:`configure` set it up.

    ``requests`` is the observer for finished exchanges.
    """

    def __init__(self, requests: RequestLog, writer: LineWriter, handler: logging.Handler) -> None:
        self.requests = requests
        self._writer = writer
        self._handler = handler
        root = logging.getLogger()
        self._level_before = root.level
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
        atexit.register(self.close)

    @property
    def dropped(self) -> int:
        """How many lines were lost so far, for ``gateway_log_lines_dropped_total``."""
        return self._writer.dropped

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait at most ``timeout`` seconds until all lines so far are out; False if they are not."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Undo the routing and write what waits, for at most ``timeout`` seconds; later lines are lost."""
        atexit.unregister(self.close)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level_before)
        return self._writer.close(timeout)


def configure(format: Format = "json", stream_fd: int = 1) -> Logs:  # noqa: A002 (the name of the option)
    """Send all logs of this process to ``stream_fd`` in ``format``; call once, and ``close`` at the end.

    Other libraries' loggers are heard from WARNING up. Loggers from :func:`get_logger` follow, those made
    before included.
    """
    writer = LineWriter(stream_fd)
    render: Processor = _json_line if format == "json" else _ConsoleLine(colors=os.isatty(stream_fd))
    structlog.configure(
        processors=[_stamp_event, _tell_exception, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_EventSink(writer),
        cache_logger_on_first_use=False,
    )
    chain: Sequence[Processor] = (JsonRequest(),) if format == "json" else (console_fields, render)
    requests = RequestLog(writer, chain, {})
    writer.render = requests.render
    return Logs(requests, writer, _Bridge(get_logger()))


def get_logger() -> FilteringBoundLogger:
    """Give the logger for what happens to the gateway itself: ``log.info("reloaded", revision=…)``.

    Event names are fixed words; figures and names go into fields. Never log what a request holds.
    """
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


class _EventSink:
    """What structlog calls with a finished line, whatever the level."""

    def __init__(self, writer: LineWriter) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = writer.write

    def __call__(self, *_args: Any) -> _EventSink:
        return self


class _Bridge(logging.Handler):
    """Turns records of the standard library's loggers (aiohttp, asyncio, …) into events.

    Only a message's first line is kept: asyncio puts whole objects, and what they hold, into the others.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log ``record`` as the event ``log`` with its logger's name and message."""
        try:
            first, *_ = record.getMessage().splitlines() or [""]
        except (TypeError, ValueError):  # arguments that do not fit the format string
            first = str(record.msg)
        if first.startswith(_CALLBACK):
            first = _CALLBACK
        error = record.exc_info[1] if record.exc_info else None
        fields = {} if error is None else exception_fields(error)
        level = max(record.levelno // 10 * 10, logging.INFO)
        self._log.log(
            min(level, logging.CRITICAL), "log", logger=record.name, message=first[:MAX_TEXT], **fields
        )


def _stamp_event(_logger: object, method: str, event: EventDict) -> EventDict:
    """Put event, level and time first, in the order in which request lines have them."""
    return {"event": event.pop("event"), "level": method, "time": _stamp(time.time()), **event}


def _tell_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by fields; a traceback never goes out as such."""
    told = event.pop("exc_info", None)
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event.update(exception_fields(error))
    return event


def _json_line(_logger: object, _method: str, event: EventDict) -> str:
    return _encode(event) + "\n"


class _ConsoleLine:
    """The last processor of the console format; nothing in an event can break out of its line."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time", pad_event_to=0)

    def __call__(self, logger: object, method: str, event: EventDict) -> str:
        safe = {name: escape_controls(str(value)) for name, value in event.items()}
        return self._render(logger, method, safe) + "\n"
