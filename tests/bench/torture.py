"""Torture of the audit trail: ``python -m tests.bench.torture [--kills N]`` (``make torture``).

The real program is killed (SIGKILL) in the midst of traffic, N times, and started again on the same ledger.
After each kill: every request whose whole answer a client had read has its record; in ``blocking-strict``
every request that the upstream saw has its intent. After each start: the chain is intact, every intent has an
outcome, ``unknown`` where nobody knows it, and no request has two. The process that fills the index is killed
in the midst of each traffic, too; at the end the index holds what the ledger holds, once.

Exit 0 when all of that held; 1 with the first thing that did not; 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from gateway.audit.follower import Follower
from gateway.audit.index import SQLITE, open_index
from gateway.audit.instance import Keys
from gateway.audit.segments import segments, streams
from gateway.audit.verify import verify
from tests.support.program import MESSAGES, Program, write_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

CLIENTS: Final = 32
ANSWERS: Final = (50, 1500)
"""After how many answers at least, and at most, a gateway is killed."""

_HEAD: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_ID: Final = re.compile(rb"\r\nx-request-id: ([0-9a-f-]{36})\r\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


class TortureError(Exception):
    """A promise that was not kept."""


class Result(NamedTuple):
    """What was done: how many kills, answers and requests upstream, and intents whose outcome is unknown."""

    kills: int
    answered: int
    upstream: int
    unknown: int

    def __str__(self) -> str:
        """Give it as a line."""
        return (
            f"{self.kills} kills, {self.answered} answers, {self.upstream} requests upstream, "
            f"{self.unknown} unknown outcomes"
        )


class Upstream:
    """Answers everything, with a length and in chunks by turns; ``seen`` are the bodies that it got whole."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[bytes] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                self.seen.append(await reader.readexactly(int(length[1]) if length else 0))
                writer.write(_CHUNKED if len(self.seen) % 2 else _OK)
        self._writers.discard(writer)
        writer.close()


class Load:
    """Clients that send one request after the other; ``answered`` are the ids of those answered whole."""

    def __init__(self, port: int, name: str) -> None:
        self.answered: dict[str, int] = {}
        self._port = port
        self._name = name
        self._sent = 0
        self._wanted = 0
        self._reached = asyncio.Event()

    async def run(self, answers: int, half: Callable[[], None], then: Callable[[], None]) -> None:
        """Send, call ``then`` after so many answers, and read what still comes to the connections' end.

        ``half`` is called after half of them.
        """
        self._wanted = answers
        self._half = half
        clients = asyncio.gather(*(self._client() for _ in range(CLIENTS)))
        reached = asyncio.ensure_future(self._reached.wait())
        await asyncio.wait((clients, reached), return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            reached.cancel()
            await clients
            raise TortureError("the gateway ended before it was killed")
        then()
        await clients

    async def _client(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                writer.write(self._next())
                identity, status = await _read_answer(reader)
                self.answered[identity] = status
                if len(self.answered) == self._wanted // 2:
                    self._half()
                if len(self.answered) >= self._wanted:
                    self._reached.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def _next(self) -> bytes:
        """Make a request with a body of its own; one in eight is to be refused."""
        self._sent += 1
        role = "user" if self._sent % 8 else "robot"
        body = json.dumps({"role": role, "content": f"{self._name}-{self._sent}"}).encode()
        head = f"POST {MESSAGES} HTTP/1.1\r\nhost: torture\r\ncontent-type: application/json\r\n"
        return head.encode() + b"content-length: %d\r\n\r\n%b" % (len(body), body)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Read an answer to its end; give its id and status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, identity, length = _HEAD.match(head), _ID.search(head), _LENGTH.search(head)
    assert status is not None
    assert identity is not None
    if length is not None:
        await reader.readexactly(int(length[1]))
    else:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    return identity[1].decode(), int(status[1])


class Ledger:
    """What the ledger of a directory holds, read on as it grows."""

    def __init__(self, directory: Path) -> None:
        self.requests: Counter[str] = Counter()
        self.intents: dict[str, str] = {}
        self.unknown = 0
        self.records = 0
        self._directory = directory
        self._read_to: dict[Path, int] = {}

    def read(self) -> None:
        """Take the whole lines that have come."""
        for _, folder in streams(self._directory):
            for segment in segments(folder):
                start = self._read_to.get(segment.path, 0)
                with segment.path.open("rb") as file:
                    file.seek(start)
                    content = file.read()
                whole = content[: content.rfind(b"\n") + 1]
                self._read_to[segment.path] = start + len(whole)
                for line in whole.splitlines():
                    self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        self.records += 1
        if record["kind"] == "request":
            self.requests[record["id"]] += 1
            self.unknown += record.get("upstream_outcome") == "unknown"
        elif record["kind"] == "intent":
            self.intents[record["id"]] = record["body_hmac"]


class Torture:
    """Kills the gateways of one directory."""

    def __init__(self, home: Path, durability: str, seed: int) -> None:
        self._strict = durability == "blocking-strict"
        self._home = home
        self._directory = home / "audit"
        self._more = f"audit: {{directory: {self._directory}, durability: {durability}}}\n"
        self._chance = random.Random(seed)
        self._ledger = Ledger(self._directory)
        self._answered = 0

    async def run(self, kills: int, tell: Callable[[str], None]) -> Result:
        """Kill so many of them.

        :raises TortureError: as soon as a promise was not kept
        """
        async with Upstream() as upstream:
            path = write_config(self._home / "gateway.yaml", upstream.port, self._more)
            for number in range(kills):
                await self._kill(path, upstream, number)
                tell(f"{number + 1} of {kills} kills, {self._ledger.records} records")
            with Program("serve", "-c", str(path)) as gateway:
                await asyncio.to_thread(gateway.started)
                self._check_start()
                if await asyncio.to_thread(gateway.stop):
                    raise TortureError("a gateway that was not killed did not end in order")
            self._check_index()
            return Result(kills, self._answered, len(upstream.seen), self._ledger.unknown)

    async def _kill(self, path: Path, upstream: Upstream, number: int) -> None:
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            self._check_start()
            load = Load(gateway.port, str(number))
            answers = self._chance.randint(*ANSWERS)
            await load.run(answers, lambda: _kill_children(gateway.process.pid), gateway.process.kill)
            await asyncio.to_thread(gateway.wait)
        self._answered += len(load.answered)
        self._ledger.read()
        without = load.answered.keys() - self._ledger.requests.keys()
        if without:
            raise TortureError(f"kill {number}: {len(without)} answered requests have no record")
        if set(load.answered.values()) - {200, 400}:
            raise TortureError(f"kill {number}: statuses {sorted(set(load.answered.values()))}")
        if self._strict:
            keys, known = Keys(self._directory), set(self._ledger.intents.values())
            missing = [body for body in upstream.seen if keys.sign(body) not in known]
            if missing:
                raise TortureError(
                    f"kill {number}: {len(missing)} requests without an intent reached the upstream"
                )

    def _check_start(self) -> None:
        """Check what a start makes of what a kill left."""
        self._ledger.read()
        found = verify(self._directory)
        if found.fault_count:
            raise TortureError(f"the ledger is not intact: {found.faults[0]}")
        if still := self._ledger.intents.keys() - self._ledger.requests.keys():
            raise TortureError(f"{len(still)} intents have no outcome after the start")
        if twice := [identity for identity, count in self._ledger.requests.items() if count > 1]:
            raise TortureError(f"{len(twice)} requests have more than one record")

    def _check_index(self) -> None:
        """Check that the index, once it has caught up, holds each record once."""
        self._ledger.read()
        with closing(open_index(SQLITE, self._directory)) as index:
            Follower(self._directory, index).catch_up()
        with closing(sqlite3.connect(self._directory / "index.sqlite")) as connection:
            indexed = [text for (text,) in connection.execute("SELECT text FROM line")]
        if len(indexed) != self._ledger.records or len(set(indexed)) != len(indexed):
            raise TortureError(
                f"the index holds {len(indexed)} records, {len(set(indexed))} of them different; "
                f"the ledger holds {self._ledger.records}"
            )


def _kill_children(pid: int) -> None:
    """Kill the processes that a process has started: of a gateway the one that fills the index."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text("ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Torture, tell, and give the exit status."""
    modes = ("blocking", "blocking-strict")
    parser = argparse.ArgumentParser(prog="python -m tests.bench.torture", description="Kills under load.")
    parser.add_argument("--kills", type=int, default=100, help="how often each mode is killed (100)")
    parser.add_argument("--durability", choices=modes, help="one mode alone")
    parser.add_argument("--seed", type=int, help="makes the moments of the kills those of another run")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    for mode in [options.durability] if options.durability else modes:
        _tell(f"{mode}, seed {seed}")
        with tempfile.TemporaryDirectory(prefix="gateway-torture-") as home:
            try:
                result = asyncio.run(Torture(Path(home), mode, seed).run(options.kills, _tell))
            except TortureError as fault:
                _tell(f"fault: {fault}")
                return 1
        _tell(f"{mode}: {result}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
