"""One log line for each request, with the record's field names, and metrics that count the same."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import GOOD, JSON, MESSAGES, Metrics, Program, fetch, port_of, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARIES = ("canary-key", "canary-content", "canary-name", "canary-value", "canary-query", "canary-cookie")
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = JSON | {
    "Authorization": "Bearer canary-key",
    "Cookie": "session=canary-cookie",
    "User-Agent": "tests/1",
    "X-Request-Id": "mine-1",
    "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    "X-Stainless-Retry-Count": "1",
}
ZIPPED = gzip.compress(GOOD)
BAD = json.dumps(
    {
        "role": "system",
        "content": "",
        "file_ids": ["f"] * 11,
        "metadata": {"canary-name": 1, "b": "canary-value"},
        "canary-name": "canary-content",
    }
).encode()


class Sent:
    """What was sent through one gateway, and what it told of it in the end."""

    def __init__(self, gateway: Program, thread: str) -> None:
        self._gateway = gateway
        self.messages = f"/v1/threads/{thread}/messages"
        self.thread = thread
        self.ids: dict[str, str] = {}
        self.statuses: dict[str, int] = {}
        self.answers: dict[str, bytes] = {}
        self.lines: dict[str, dict[str, Any]] = {}
        self.output = ""
        self.metrics: Metrics

    def send(self, name: str, method: str, path: str, body: bytes | None = None, **headers: str) -> None:
        """Send a request and keep its id under ``name``."""
        more = {key.replace("_", "-"): value for key, value in headers.items()}
        status, fields, answer = fetch(self._gateway.port, method, path, body, HEADERS | more)
        self.statuses[name] = status
        self.ids[name] = fields["x-request-id"]
        self.answers[name] = answer

    def finish(self) -> None:
        """Scrape the metrics, end the gateway, and sort its lines."""
        self.metrics = self._gateway.metrics()
        assert self._gateway.stop() == 0
        self.output = "".join(self._gateway.output)
        names = {request_id: name for name, request_id in self.ids.items()}
        lines = self._gateway.events("request")
        assert sorted(line["request_id"] for line in lines) == sorted(names)  # one for each, and no other
        self.lines = {names[line["request_id"]]: line for line in lines}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    """Send one of each kind through a gateway before the embedded upstream, and end the gateway."""
    with Program("upstream", "--port", "0") as upstream:
        line = upstream.wait_line(lambda line: line.startswith("upstream: "))
        port = port_of(line.removeprefix("upstream: ").strip())
        thread = json.loads(fetch(port, "POST", "/v1/threads", b"{}", JSON)[2])["id"]
        path = write_config(
            tmp_path_factory.mktemp("lines") / "gateway.yaml", port, "body: {max_bytes: 1KiB}\n"
        )
        with Program("serve", "-c", str(path)) as gateway:
            gateway.started()
            sent = Sent(gateway, thread)
            sent.send("good", "POST", sent.messages, GOOD)
            sent.send("again", "POST", sent.messages, GOOD)
            sent.send("compressed", "POST", sent.messages, ZIPPED, content_encoding="gzip")
            sent.send("cut short", "POST", sent.messages, ZIPPED[:-1], content_encoding="gzip")
            sent.send("listed", "GET", sent.messages + "?limit=5")
            sent.send("bad", "POST", sent.messages, BAD)
            sent.send("bad query", "GET", sent.messages + "?canary-query=1")
            sent.send("no JSON", "POST", sent.messages, b'{"content": "canary-content')
            sent.send("unlisted", "GET", "/v1/canary-less")
            sent.send("method", "PUT", sent.messages, b"{}")
            sent.send("large", "POST", sent.messages, b" " * 1025)
            sent.send("host", "POST", sent.messages, GOOD, Host="a/b")
            sent.send("theirs", "POST", MESSAGES, GOOD)
            sent.send("broken", "POST", sent.messages, GOOD, x_embedded_mode="reset")
            sent.finish()
            yield sent
        assert gateway.errors == []


SIZED = ("good", "compressed", "cut short")
EXPECTED: dict[str, tuple[int, str, str | None, str, str | None]] = {
    "good": (200, "allow", None, "relay", "createMessage"),
    "again": (200, "allow", None, "relay", "createMessage"),
    "compressed": (200, "allow", None, "relay", "createMessage"),
    "cut short": (400, "reject", "bad_request", "body", "createMessage"),
    "listed": (200, "allow", None, "relay", "listMessages"),
    "bad": (400, "reject", "invalid_value", "schema", "createMessage"),
    "bad query": (400, "reject", "unknown_parameter", "schema", "listMessages"),
    "no JSON": (400, "reject", "invalid_json", "parse", "createMessage"),
    "unlisted": (404, "reject", "unknown_route", "route", None),
    "method": (405, "reject", "method_not_allowed", "route", None),
    "large": (413, "reject", "body_too_large", "body", "createMessage"),
    "host": (400, "reject", "bad_request", "head", None),
    "theirs": (404, "allow", None, "relay", "createMessage"),
    "broken": (502, "error", "upstream_unreachable", "forward", "createMessage"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_line_says(sent: Sent, name: str) -> None:
    """Status, decision, code, phase and operation, as the client saw them, under the client's request id."""
    status, decision, code, phase, _ = EXPECTED[name]
    line = sent.lines[name]
    assert sent.statuses[name] == line["status"] == status
    assert (line["decision"], line.get("code"), line["phase"]) == (decision, code, phase)
    assert line["event"] == "request"
    assert line["level"] == ("warning" if decision == "error" else "info")
    assert uuid.UUID(line["request_id"]).version == 7
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["duration_ms"] > 0
    assert line["client_ip"] == "127.0.0.1"
    assert "app" not in line
    assert line["bytes_out"] == len(sent.answers[name])
    assert None not in line.values()


@pytest.mark.parametrize("name", EXPECTED)
def test_which_operation_a_line_names(sent: Sent, name: str) -> None:
    """No operation and no contract as long as no route was found."""
    operation = EXPECTED[name][4]
    assert sent.lines[name].get("operation") == operation
    assert ("contract" in sent.lines[name]) is (operation is not None)


def test_the_whole_line_of_a_forwarded_request(sent: Sent) -> None:
    """Every field that the interface names is there, and no other."""
    line = dict(sent.lines["good"])
    for name in ("time", "request_id", "duration_ms", "overhead_us", "upstream_ms", "revision"):
        assert line.pop(name)
    assert line.pop("upstream_request_id").startswith("req_")
    assert line == {
        "event": "request",
        "level": "info",
        "mode": "enforce",
        "phase": "relay",
        "decision": "allow",
        "status": 200,
        "method": "POST",
        "path": sent.messages,
        "operation": "createMessage",
        "contract": "assistants-v1",
        "thread_id": sent.thread,
        "client_ip": "127.0.0.1",
        "client_request_id": "mine-1",
        "trace_id": TRACE,
        "user_agent": "tests/1",
        "sdk_retry": "1",
        "upstream": "main",
        "upstream_status": 200,
        "upstream_attempts": 1,
        "upstream_outcome": "complete",
        "bytes_in": len(GOOD),
        "bytes_out": len(sent.answers["good"]),
    }


def test_the_violations_of_a_line(sent: Sent) -> None:
    """Codes, pointers and layers; what the client made up is ``*``."""
    found = {(one["pointer"], one["code"], one["layer"]) for one in sent.lines["bad"]["violations"]}
    assert found == {
        ("/role", "invalid_value", "contract"),
        ("/content", "empty_string", "contract"),
        ("/file_ids", "array_above_max_length", "contract"),
        ("/metadata/*", "invalid_type", "contract"),
        ("/*", "unknown_parameter", "contract"),
    }
    assert "upstream" not in sent.lines["bad"]


def test_the_sizes_of_a_compressed_body(sent: Sent) -> None:
    """As it came, and as it was decoded; the second is not there where there is none."""
    sizes = [(line["bytes_in"], line.get("bytes_decoded")) for line in map(sent.lines.get, SIZED)]
    assert sizes == [(len(GOOD), None), (len(ZIPPED), len(GOOD)), (len(ZIPPED) - 1, None)]


def test_the_path_has_no_query(sent: Sent) -> None:
    """What stands behind the question mark is not logged."""
    assert sent.lines["listed"]["path"] == sent.messages
    assert sent.lines["bad query"]["path"] == sent.messages


@pytest.mark.parametrize("canary", CANARIES)
def test_no_secrets(sent: Sent, canary: str) -> None:
    """Keys, cookies, contents and names that the caller made up are neither on stdout nor in the metrics."""
    assert canary not in sent.output
    assert canary not in sent.metrics.text


def test_requests_are_counted(sent: Sent) -> None:
    """gateway_requests_total has exactly what was sent."""
    expected: dict[frozenset[tuple[str, str]], float] = {}
    for status, decision, _, _, operation in EXPECTED.values():
        labels = {"operation": operation or "-", "app": "-", "decision": decision, "status": str(status)}
        key = frozenset(labels.items())
        expected[key] = expected.get(key, 0) + 1
    assert sent.metrics.series("gateway_requests_total") == expected


def test_violations_are_counted(sent: Sent) -> None:
    """By operation, code and the schema's own names."""
    found = {
        tuple(dict(labels)[name] for name in ("operation", "code", "param")): count
        for labels, count in sent.metrics.series("gateway_violations_total").items()
    }
    assert found == {
        ("createMessage", "invalid_value", "role"): 1,
        ("createMessage", "empty_string", "content"): 1,
        ("createMessage", "array_above_max_length", "file_ids"): 1,
        ("createMessage", "invalid_type", "metadata.*"): 1,
        ("createMessage", "unknown_parameter", "*"): 1,
        ("listMessages", "unknown_parameter", "*"): 1,
        ("createMessage", "invalid_json", "-"): 1,
        ("-", "unknown_route", "-"): 1,
        ("-", "method_not_allowed", "-"): 1,
        ("createMessage", "body_too_large", "-"): 1,
        ("createMessage", "bad_request", "-"): 1,
        ("-", "bad_request", "-"): 1,
    }


def test_the_upstream_is_counted(sent: Sent) -> None:
    """Requests to the upstream by how they ended, and as many durations."""
    found = {
        (dict(labels)["upstream"], dict(labels)["outcome"]): count
        for labels, count in sent.metrics.series("gateway_upstream_requests_total").items()
    }
    assert found == {("main", "complete"): 5, ("main", "reset"): 1}
    assert sent.metrics["gateway_upstream_duration_seconds_count", {"upstream": "main"}] == 6


def test_durations_and_gauges(sent: Sent) -> None:
    """One duration for each request; at rest nothing is in flight or lost."""
    counts = sent.metrics.series("gateway_request_duration_seconds_count")
    assert sum(counts.values()) == len(EXPECTED)
    assert sent.metrics["gateway_in_flight", {}] == 0
    assert sent.metrics["gateway_log_lines_dropped_total", {}] == 0
    assert sent.metrics["gateway_reloads_total", {"outcome": "applied"}] == 0
    assert sum(sent.metrics.series("gateway_config_info").values()) == 1
