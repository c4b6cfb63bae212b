"""The gateway's own commands as subprocesses: started, listened to, signalled, and always ended.

    with Program("serve", "-c", str(path)) as gateway:
        gateway.started()
        status, _, body = fetch(gateway.port, "GET", "/v1/threads/thread_1")

At the end of the block a program that still runs is killed, and one that wrote a traceback fails the test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.client import HTTPConnection
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

PATIENCE = 30.0
"""Seconds after which a program that does not do what is waited for fails the test; never waited in vain."""

MESSAGES = "/v1/threads/thread_1/messages"
GOOD = b'{"role": "user", "content": "Hello"}'
JSON = {"Content-Type": "application/json"}


class Program:
    """A running ``python -m gateway ARGUMENTS``; ``output`` and ``errors`` are its lines so far."""

    def __init__(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        stdout: int = subprocess.PIPE,
        cwd: Path | None = None,
        module: str = "gateway",
    ) -> None:
        """Start it. ``environ`` adds to this process's environment; ``stdout`` may be a descriptor.

        ``module`` is what to run in place of the gateway's own.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=inherited | {"GATEWAY_CACHE": ""} | dict(environ or {}),
            cwd=cwd,
            text=True,
            encoding="utf-8",
        )
        self.output: list[str] = []
        self.errors: list[str] = []
        self.port = 0
        self.admin_port = 0
        self.address = ""
        self._change = threading.Condition()
        self._open = 0
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.output), (self.process.stderr, self.errors))
            if stream is not None
        ]
        self._open = len(self._readers)
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.wait()
        if error is None:
            assert "Traceback" not in "".join(self.errors), "".join(self.errors)

    def started(self) -> dict[str, Any]:
        """Wait until it serves; give the log line, and keep its addresses."""
        event = self.wait_event("started")
        self.address = event["listen"]
        self.port = port_of(event["listen"])
        self.admin_port = port_of(event["admin"])
        return event

    def wait_line(self, wanted: Callable[[str], bool], *, errors: bool = False) -> str:
        """Wait for the first line of its output, or of its errors, that is wanted."""
        lines = self.errors if errors else self.output
        with self._change:
            found = self._change.wait_for(
                lambda: not self._open or any(wanted(line) for line in lines), PATIENCE
            )
            for line in lines:
                if wanted(line):
                    return line
        why = "it ended" if found else "it is silent"
        raise AssertionError(f"{why} before what was waited for: {self.output} {self.errors}")

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Give its log lines so far, all or those of one event; each has to be a JSON object."""
        with self._change:
            events = [json.loads(line) for line in self.output]
        return [event for event in events if name in (None, event["event"])]

    def wait_event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait for ``count`` log lines of an event, and give the last of them."""
        with self._change:
            self._change.wait_for(lambda: not self._open or len(self.events(name)) >= count, PATIENCE)
        events = self.events(name)
        assert len(events) >= count, f"{len(events)} of {count} {name}: {self.output} {self.errors}"
        return events[count - 1]

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and give its exit status."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def stop(self, number: int = 15) -> int:
        """Send it a signal, SIGTERM by default, wait for its end, and give its exit status."""
        self.send_signal(number)
        return self.wait()

    def metrics(self) -> Metrics:
        """Scrape it."""
        status, _, body = fetch(self.admin_port, "GET", "/metrics")
        assert status == 200
        return Metrics(body.decode())

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Ask ``/readyz``: status and body."""
        status, _, body = fetch(self.admin_port, "GET", "/readyz")
        return status, json.loads(body)

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._change:
                    lines.append(line)
                    self._change.notify_all()
        with self._change:
            self._open -= 1
            self._change.notify_all()


class Metrics:
    """A scrape: ``metrics["name", {labels}]`` is a sample's value, 0.0 where there is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __getitem__(self, key: tuple[str, Mapping[str, str]]) -> float:
        """Give the value of the sample with exactly these labels."""
        return self._samples.get((key[0], frozenset(key[1].items())), 0.0)

    def series(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """Give all samples of a name that are not 0."""
        return {labels: value for (found, labels), value in self._samples.items() if found == name and value}


def run(
    *arguments: str,
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the gateway to its end; a traceback of it fails the test."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        input=stdin,
        capture_output=True,
        env=inherited | {"GATEWAY_CACHE": ""} | dict(environ or {}),
        cwd=cwd,
        timeout=PATIENCE,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def write_config(path: Path, upstream: str | int, more: str = "", *, contract: str = "") -> Path:
    """Write a configuration on free ports in front of ``upstream``, a URL or a port on loopback.

    ``more`` are whole lines at the top level; ``contract`` are further members of the contract, in flow
    style, each with a comma before it.
    """
    url = f"http://127.0.0.1:{upstream}" if isinstance(upstream, int) else upstream
    text = (
        "listen: {port: 0}\n"
        "admin: {port: 0}\n"
        f'upstreams: {{main: {{urls: ["{url}"]}}}}\n'
        f'contracts: {{assistants-v1: {{openapi: "pack:assistants-v1", upstream: main{contract}}}}}\n'
    )
    path.write_text(text + more, encoding="utf-8")
    return path


def port_of(url: str) -> int:
    """Give the port of a URL that names one."""
    port = urlsplit(url).port
    assert port is not None
    return port


def fetch(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send one request on a connection of its own: status, header fields (names in lower case), body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return response.status, fields, response.read()
    finally:
        connection.close()


def post(port: int, body: bytes = GOOD, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Post a message: status and parsed answer."""
    status, _, answer = fetch(port, "POST", MESSAGES, body, JSON | dict(headers or {}))
    return status, json.loads(answer)
