"""Log lines: their schema, their safety, the routing of other libraries' records."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import pty
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import structlog
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.types import Decision, Outcome
from gateway.errors import GatewayError
from gateway.observe import logs
from gateway.observe.requests import JsonRequest, console_fields
from gateway.render.outcome import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 30.0
TEXTS = """event level time request_id mode phase decision operation app client_ip revision code method path
    contract thread_id client_request_id upstream_request_id trace_id user_agent sdk_retry upstream
    upstream_outcome"""
INTEGERS = "status bytes_in bytes_out bytes_decoded upstream_status upstream_attempts violation_count"
JSON_TYPES: dict[str, type] = {
    **dict.fromkeys(TEXTS.split(), str),
    **dict.fromkeys(INTEGERS.split(), int),
    **dict.fromkeys(("duration_ms", "overhead_us", "upstream_ms"), float),
    "violations": list,
}


class Output:
    """A log configured into a file, and what came out there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self.logs: logs.Logs | None = None

    def configure(self, form: logs.Format = "json") -> logs.Logs:
        self.logs = logs.configure(form, self._file.fileno())
        return self.logs

    def close(self) -> None:
        if self.logs is not None:
            assert self.logs.close(LONG)
        self._file.close()

    def text(self) -> str:
        assert self.logs is not None
        assert self.logs.flush(LONG)
        return self.path.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Output]:
    output = Output(tmp_path / "log")
    yield output
    output.close()
    structlog.reset_defaults()


def request_line(outcome: Outcome) -> dict[str, Any]:
    line = JsonRequest()(None, "write", {"outcome": outcome})
    assert line.endswith("}\n")
    assert line.isascii()
    assert line[:-1].isprintable()
    fields = json.loads(line)
    assert isinstance(fields, dict)
    return fields


def test_an_allowed_exchange(output: Output, allowed: Outcome) -> None:
    """The whole line, name by name; what is not known is absent."""
    output.configure().requests.settled(allowed)
    assert output.lines() == [
        {
            "event": "request",
            "level": "info",
            "time": "2023-11-14T22:13:20.123Z",
            "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "mode": "enforce",
            "phase": "relay",
            "decision": "allow",
            "status": 200,
            "duration_ms": 12.346,
            "overhead_us": 80.2,
            "operation": "createMessage",
            "contract": "assistants-v1",
            "method": "POST",
            "path": "/v1/threads/thread_1/messages",
            "thread_id": "thread_1",
            "client_ip": "127.0.0.1",
            "user_agent": "OpenAI/Python 1.14.3",
            "upstream": "main",
            "upstream_status": 200,
            "upstream_attempts": 1,
            "upstream_outcome": "complete",
            "upstream_ms": 10.5,
            "bytes_in": 200,
            "bytes_out": 700,
            "revision": "abcdef",
        }
    ]


def test_a_refused_exchange_tells_codes_and_safe_pointers_only(refused: Outcome) -> None:
    """Neither the message nor the key that the caller made up is in the line."""
    fields = request_line(refused)
    assert fields["code"] == "string_above_max_length"
    assert fields["violations"] == [
        {"code": "string_above_max_length", "pointer": "/metadata/*", "layer": "limit"}
    ]
    assert "secret key" not in json.dumps(fields)
    assert not fields.keys() & {"upstream", "upstream_attempts", "upstream_ms"}


def test_a_fault_of_the_upstream_is_a_warning(allowed: Outcome) -> None:
    assert request_line(allowed._replace(decision=Decision.ERROR))["level"] == "warning"


def test_many_violations_are_cut_and_counted(refused: Outcome) -> None:
    fields = request_line(refused._replace(violations=refused.violations * 100))
    assert len(fields["violations"]) == 32
    assert fields["violation_count"] == 100
    fields = request_line(refused._replace(violations=refused.violations * 100, violation_count=250))
    assert fields["violation_count"] == 250


def test_strings_of_clients_are_cut(allowed: Outcome) -> None:
    """256 characters, wherever the string stands in the line."""
    fields = request_line(allowed._replace(path="/" * 300, method="M" * 300, user_agent="u" * 300))
    assert [len(fields[name]) for name in ("path", "method", "user_agent")] == [256, 256, 256]


def test_made_up_methods_do_not_pile_up_in_memory(allowed: Outcome) -> None:
    """What is kept of rendered fields is bounded, and still right after it was thrown away."""
    processor = JsonRequest()
    for number in range(3000):
        processor(None, "write", {"outcome": allowed._replace(method=f"M{number}")})
    assert len(processor._members._common) <= 1024
    assert '"method":"POST"' in processor(None, "write", {"outcome": allowed})


@given(data=st.data())
def test_any_outcome_is_one_line_of_typed_json(
    data: st.DataObject, outcomes: st.SearchStrategy[Outcome]
) -> None:
    """One line whatever strings hold; known names with known types, never null; no message, ever."""
    outcome = data.draw(outcomes)
    fields = request_line(outcome)
    assert fields.keys() <= JSON_TYPES.keys()
    for name, value in fields.items():
        assert type(value) is JSON_TYPES[name], name
        if isinstance(value, str):
            assert len(value) <= 256
    assert "PRIVATE" not in json.dumps(fields)
    for violation in fields.get("violations", []):
        assert violation.keys() <= {"code", "pointer", "layer"}


@given(data=st.data())
def test_any_outcome_is_one_line_for_people(
    data: st.DataObject, outcomes: st.SearchStrategy[Outcome]
) -> None:
    """The console form lets nothing break its line or steer a terminal."""
    outcome = data.draw(outcomes)
    renderer = logs._ConsoleLine(colors=False)
    line = renderer(None, "write", console_fields(None, "write", {"outcome": outcome}))
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert "PRIVATE" not in line


def test_console_lines_say_what_happened(output: Output, refused: Outcome) -> None:
    """No colours in a file; request, answer and reason to be read at a glance."""
    log = output.configure("console")
    log.requests.settled(refused._replace(method="POST", path="/v1/a\nb"))
    logs.get_logger().info("reloaded", revision="abc\x1b[31m")
    first, second = output.text().splitlines()
    assert "POST /v1/a\\nb 400 reject" in first
    assert "string_above_max_length@/metadata/*" in first
    assert "reloaded" in second
    assert "\x1b" not in first + second


def test_console_is_coloured_on_a_terminal(refused: Outcome) -> None:
    """The same line on a pseudo-terminal has colours, and still no raw control from a client."""
    reader, terminal = pty.openpty()
    log = logs.configure("console", terminal)
    try:
        log.requests.settled(refused._replace(path="/\x07"))
        assert log.flush(LONG)
        shown = os.read(reader, 65536)
    finally:
        assert log.close(LONG)
        os.close(terminal)
        os.close(reader)
        structlog.reset_defaults()
    assert b"\x1b[" in shown
    assert b"\x07" not in shown


def test_events_have_the_same_frame_as_requests(output: Output) -> None:
    """Lifecycle events: event, level, time, then their own fields; a line break in one stays inside."""
    log = logs.get_logger()
    output.configure()
    log.info("reloaded", revision="abc\ndef")
    log.debug("unheard")
    log.warning("reload_refused", faults=2)
    reloaded, refused = output.lines()
    assert list(reloaded) == ["event", "level", "time", "revision"]
    assert (reloaded["event"], reloaded["level"], reloaded["revision"]) == ("reloaded", "info", "abc\ndef")
    assert (refused["event"], refused["level"], refused["faults"]) == ("reload_refused", "warning", 2)


def test_expected_faults_are_told_without_a_traceback(output: Output) -> None:
    """A GatewayError is its sentence; nothing of the stack."""
    output.configure()

    def load() -> None:
        raise GatewayError("The file is not there.")

    try:
        load()
    except GatewayError as error:
        logs.get_logger().exception("reload_refused")
        logs.get_logger().error("reload_refused", exc_info=error)
    first, second = output.lines()
    for line in (first, second):
        assert line["error"] == "The file is not there."
        assert "frames" not in line
        assert line["level"] == "error"


def test_bugs_are_told_by_type_and_place_only(output: Output) -> None:
    """A KeyError's text would quote the request; type and frames are enough to find the line."""
    output.configure()
    try:
        _ = {}["secret key"]  # type: ignore[var-annotated]
    except KeyError:
        logging.getLogger("aiohttp.server").exception("Error handling request\nfrom %s", "x")
    (line,) = output.lines()
    assert line["logger"] == "aiohttp.server"
    assert line["message"] == "Error handling request"
    assert line["error"] == "KeyError"
    assert line["frames"][-1].startswith("observe/test_observe_logs.py:")
    assert "secret key" not in output.text()


def test_system_errors_keep_their_text(output: Output) -> None:
    output.configure()
    logging.getLogger("asyncio").error("socket.accept() failed", exc_info=OSError(24, "Too many open files"))
    (line,) = output.lines()
    assert line["error"] == "OSError: [Errno 24] Too many open files"


async def test_asyncios_complaints_become_one_line(output: Output) -> None:
    """The loop's exception handler writes several lines to the standard library's logging; it stays one."""
    output.configure()
    asyncio.get_running_loop().call_exception_handler({"message": "Task failed", "task_of": "secret"})
    (line,) = output.lines()
    assert (line["logger"], line["message"]) == ("asyncio", "Task failed")


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_bugs_on_the_loop_hold_nothing_of_a_request(
    output: Output, form: logs.Format, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Neither what is raised in callbacks, tasks and protocols nor the arguments that these were given."""
    output.configure(form)
    canary = "canary-" * 6

    def fail(*_arguments: object) -> None:
        raise KeyError(canary)

    async def fail_later(argument: str) -> None:
        fail(argument)

    class Failing(asyncio.Protocol):
        def data_received(self, content: bytes) -> None:
            fail(content)

        def connection_lost(self, _error: Exception | None) -> None:
            ended.set()

    ended = asyncio.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(fail, canary, canary.encode(), {canary: canary})
        loop.call_soon(partial(fail, canary))
        await asyncio.wait([loop.create_task(fail_later(canary))])
        server = await loop.create_server(Failing, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(canary.encode())
        async with asyncio.timeout(LONG):
            await ended.wait()
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
    gc.collect()  # only then does a task tell of what nobody asked it for
    text = output.text()
    assert text.count("KeyError") == 4
    assert "canary" not in text


def test_odd_records_are_logged_all_the_same(output: Output) -> None:
    """Arguments that do not fit, an empty message, levels between the usual ones: a line each."""
    handler = output.configure()._handler
    other = logging.getLogger("other")
    other.info("not heard")
    misfit = logging.makeLogRecord({"levelno": 30, "name": "other", "msg": "%d files", "args": ("x",)})
    handler.handle(misfit)  # not through the logger: the test runner's own handler would raise
    other.log(35, "")
    other.log(70, "loud")
    lines = output.lines()
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", "%d files"),
        ("warning", ""),
        ("critical", "loud"),
    ]


def test_closing_undoes_the_routing(output: Output, allowed: Outcome) -> None:
    """Root handlers and level are as before; what comes later is counted as lost."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    log = output.configure()
    assert (root.level, root.handlers) != before
    assert log.close(LONG)
    assert (root.level, root.handlers) == before
    log.requests.settled(allowed)
    assert log.dropped == 1
    assert output.text() == ""


def test_stamps() -> None:
    """RFC 3339 in UTC, cut to milliseconds, right across seconds and back."""
    stamp = Stamp()
    assert stamp(0) == "1970-01-01T00:00:00.000Z"
    assert stamp(1700000000.9996) == "2023-11-14T22:13:20.999Z"
    assert stamp(1700000001) == "2023-11-14T22:13:21.000Z"
    assert stamp(1700000000.5) == "2023-11-14T22:13:20.500Z"
