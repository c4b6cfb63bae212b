"""The programs measured: one table, and how each is started, watched and stopped."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.bodies import ECHO_PATH, FIELDS, Body
from tests.bench.faults import BenchError, MissingToolError
from tests.bench.machine import free_ports, on_cores
from tests.bench.nginx import write_proxy, write_upstream
from tests.bench.operations import write_contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 20.0
STOP_SECONDS = 10.0

_GATEWAY = """\
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{host: 127.0.0.1, port: {admin}}}
upstreams:
  main:
    urls: [http://127.0.0.1:{upstream}]
contracts:
  assistants-v1:
    openapi: pack:assistants-v1
    prefix: /v1
    upstream: main
"""

_ONE = "    operations: [createMessage]\n"
_MANY = """\
  many:
    openapi: {file}
    prefix: /v1
    upstream: main
"""
MANY = 300
"""How many operations the peer ``gateway-300`` has."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to measure.

    ``prepare(home, port, upstream)`` writes what it needs into ``home`` and gives its command line; the ports
    are where it listens and where it forwards to. ``validates``: it refuses what the contract refuses.
    ``logs``: it writes one line for each request on its standard output. ``bodies`` are the names of those
    measured on it, None for all.
    """

    name: str
    prepare: Callable[[Path, int, int], list[str]]
    note: str
    validates: bool = True
    logs: bool = True
    bodies: frozenset[str] | None = None

    def takes(self, body: Body) -> bool:
        """Say whether ``body`` is measured on it."""
        return (body.valid or self.validates) and (self.bodies is None or body.name in self.bodies)


def tool(name: str, package: str) -> str:
    """Give the path of a program.

    :raises MissingToolError: when it is not installed, with the way to install it
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin")
    if not found:
        raise MissingToolError(f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}")
    return found


def nginx_command(configuration: Path) -> list[str]:
    """Give the command that runs nginx in the foreground with ``configuration`` alone."""
    nginx, errors = tool("nginx", "nginx-light"), configuration.with_suffix(".err")
    return [nginx, "-p", str(configuration.parent), "-e", str(errors), "-c", str(configuration)]


def gateway_command(home: Path, port: int, upstream: int, more: str = "") -> list[str]:
    """Give the command of a gateway on ``port``; ``more`` are the last lines of its configuration."""
    (admin,) = free_ports(1)
    file = home / f"gateway-{port}.yaml"
    file.write_text(_GATEWAY.format(port=port, admin=admin, upstream=upstream) + more, encoding="utf-8")
    return [sys.executable, "-m", "gateway", "serve", "-c", str(file)]


def _gateway_of_one(home: Path, port: int, upstream: int) -> list[str]:
    return gateway_command(home, port, upstream, _ONE)


def _gateway_of_many(home: Path, port: int, upstream: int) -> list[str]:
    return gateway_command(home, port, upstream, _ONE + _MANY.format(file=write_contract(home, MANY - 1)))


def _plain(_home: Path, port: int, upstream: int) -> list[str]:
    script = Path(__file__).with_name("plain_gateway.py")
    return [sys.executable, str(script), "--port", str(port), "--upstream", f"http://127.0.0.1:{upstream}"]


def _nginx(home: Path, port: int, upstream: int) -> list[str]:
    return nginx_command(write_proxy(home, port, upstream))


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("gateway", gateway_command, "gateway serve, 1 process, everything on"),
        Peer(
            "plain",
            _plain,
            "aiohttp Application and ClientSession, fastjsonschema, structlog, prometheus_client, uvloop",
        ),
        Peer(
            "nginx",
            _nginx,
            "proxy_pass only: 1 worker, HTTP/1.1, keepalive 64, default buffering, no access log",
            validates=False,
            logs=False,
        ),
        Peer("gateway-1", _gateway_of_one, "the gateway with 1 operation", bodies=frozenset({"small"})),
        Peer(
            f"gateway-{MANY}",
            _gateway_of_many,
            f"the gateway with {MANY} operations, createMessage among them",
            bodies=frozenset({"small"}),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Running:
    """A started program: its process, where it listens, and the files that take what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        """The process to read CPU time and memory of, with those below it."""
        return self.process.pid

    def lines(self) -> int:
        """Count the lines printed since the last :meth:`forget`."""
        with self.out.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))

    def forget(self) -> None:
        """Empty the file of what was printed, so that it stays small; the program appends."""
        with self.out.open("r+b") as file:
            file.truncate(0)

    def last_words(self) -> str:
        """Give the end of what it printed, for a fault."""
        text = self.err.read_text(errors="replace") + self.out.read_text(errors="replace")
        return "\n".join(text.splitlines()[-8:]) or "(it printed nothing)"


@contextmanager
def started(name: str, command: list[str], port: int, home: Path, cores: frozenset[int]) -> Iterator[Running]:
    """Run ``command`` on ``cores`` until the block ends; it is stopped by its process id, whatever happens.

    :raises BenchError: when it ends at once or does not listen within 20 s
    """
    out, err = home / f"{name}.out", home / f"{name}.stderr"
    with out.open("ab") as out_file, err.open("ab") as err_file, on_cores(cores):
        # Its own session: a Ctrl-C at the terminal reaches the bench alone, which then stops it in order.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file, start_new_session=True
        )
    running = Running(name, process, port, out, err)
    try:
        _await_listening(running)
        yield running
    finally:
        stop(process)


def _await_listening(running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            status = running.process.returncode
            raise BenchError(f"{running.name} ended at its start with {status}:\n{running.last_words()}")
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=1)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise BenchError(f"{running.name} does not listen after {START_SECONDS:.0f} s:\n{running.last_words()}")


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process that the bench started, by force where it does not end by itself."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def upstream(home: Path, cores: frozenset[int]) -> Iterator[Running]:
    """Run the upstream of all peers until the block ends."""
    (port,) = free_ports(1)
    with started("upstream", nginx_command(write_upstream(home, port)), port, home, cores) as running:
        yield running


@contextmanager
def peer_started(peer: Peer, home: Path, upstream_port: int, cores: frozenset[int]) -> Iterator[Running]:
    """Run ``peer`` until the block ends."""
    (port,) = free_ports(1)
    with started(peer.name, peer.prepare(home, port, upstream_port), port, home, cores) as running:
        yield running


def prove(peer: Peer, running: Running, body: Body) -> None:
    """Send ``body`` once, to a thread that the upstream echoes: it must get the very bytes, or nothing.

    :raises BenchError: when the answer is not what a right peer gives
    """
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    try:
        connection.request("POST", ECHO_PATH, body.payload, dict(FIELDS) | {"connection": "close"})
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{peer.name} does not answer: {error!r}\n{running.last_words()}") from error
    finally:
        connection.close()
    if response.status != body.status:
        raise BenchError(
            f"{peer.name} answers {response.status} to {body.name}, not {body.status}: {answer[:300]!r}"
        )
    if body.valid and answer != body.payload:
        raise BenchError(f"{peer.name} changed the body {body.name} on its way")
    if not body.valid and b'"invalid_request_error"' not in answer:
        raise BenchError(f"{peer.name} refuses {body.name} in another shape than OpenAI's: {answer[:300]!r}")
