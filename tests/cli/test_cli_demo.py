"""``gateway demo`` and ``gateway upstream``: what they print works."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.program import JSON, Program, fetch, port_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator


class Demo:
    """A running demonstration and the three command lines that it printed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.wait_line(lambda line: line.startswith("Ctrl-C"))
        self.text = "".join(program.output)
        found = re.findall(r"^  (curl (?:.*\\\n)*.*)", self.text, re.MULTILINE)
        self.lines = [line.replace("\\\n", "") for line in found]

    def curl(self, line: str) -> tuple[int, str]:
        """Do what curl would do with a line; what stands behind a pipe is grep's, and left out."""
        words = shlex.split(line)
        if "|" in words:
            words = words[: words.index("|")]
        url = next(word for word in words if word.startswith("http://"))
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        headers = dict([words[words.index("-H") + 1].split(": ")]) if "-H" in words else {}
        path = "/" + url.split("/", 3)[3]
        status, _, answer = fetch(port_of(url), "GET" if body is None else "POST", path, body, headers)
        return status, answer.decode()


@pytest.fixture(scope="module", params=["with traffic", "without"])
def demo(request: pytest.FixtureRequest) -> Iterator[Demo]:
    """Run the demo on free ports, with and without its sample traffic."""
    more = [] if request.param == "with traffic" else ["--no-traffic"]
    with Program("demo", "--port", "0", "--admin-port", "0", *more) as program:
        yield Demo(program)
        assert program.stop(signal.SIGINT) == 0
    assert program.errors == []


def test_the_three_lines_work(demo: Demo) -> None:
    """One is accepted and answered by the upstream, one refused with every violation, one finds both."""
    accepted, refused, audited = demo.lines
    status, answer = demo.curl(accepted)
    assert status == 200
    assert json.loads(answer)["content"][0]["text"]["value"] == "Hello"
    status, answer = demo.curl(refused)
    assert status == 400
    found = {violation["code"] for violation in json.loads(answer)["error"]["violations"]}
    assert found == {"invalid_value", "empty_string", "unknown_parameter"}
    found = []
    while found != ["reject", "allow"]:  # the index is behind by a moment
        status, answer = demo.curl(audited)
        assert status == 200
        found = [record["decision"] for record in json.loads(answer)["records"]]


def test_the_sample_traffic(demo: Demo, request: pytest.FixtureRequest) -> None:
    """The sample tells of each request; without it none was sent."""
    told = re.findall(r"^(?:POST|GET) /v1/\S+ → (\d+)", demo.text, re.MULTILINE)
    wanted = "with traffic" in request.node.name
    assert told == (["200"] * 4 + ["400"] * 3 + ["200"] if wanted else [])


def test_a_port_in_use() -> None:
    """The demo says so and ends, its upstream with it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("demo", "--admin-port", "0", "--port", str(port))
        assert done.returncode == 1
        assert f"127.0.0.1:{port}".encode() in done.stderr
        done = run("upstream", "--port", str(port))
        assert done.returncode == 1
        assert done.stderr.startswith(b"gateway: The embedded upstream cannot listen on 127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_upstream_alone(number: int) -> None:
    """It says where it is, keeps a conversation, and ends on a signal."""
    with Program("upstream", "--port", "0") as upstream:
        port = port_of(upstream.wait_line(lambda line: "http://" in line).split()[1])
        status, _, thread = fetch(port, "POST", "/v1/threads", b"{}", JSON)
        assert status == 200
        path = f"/v1/threads/{json.loads(thread)['id']}/messages"
        assert fetch(port, "POST", path, b'{"role": "user", "content": "Hello"}', JSON)[0] == 200
        assert len(json.loads(fetch(port, "GET", path)[2])["data"]) == 1
        assert upstream.stop(number) == 0
    assert upstream.errors == []
