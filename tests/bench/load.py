"""The load: h2load over HTTP/1.1 with an exact number of requests, and what its log says of each."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.bodies import FIELDS, PATH, Body
from tests.bench.faults import BenchError
from tests.bench.peers import tool

if TYPE_CHECKING:
    from pathlib import Path

ROUND_SECONDS_AT_MOST = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """What came back: how many, in how many seconds, with which statuses; latencies in µs, in order."""

    requests: int
    seconds: float
    statuses: Counter[int]
    latencies: list[int]

    @property
    def per_second(self) -> float:
        """Requests per second from the first one sent to the last one answered."""
        return self.requests / self.seconds

    def percentile(self, percent: float) -> float:
        """Give the latency in ms that ``percent`` of the requests did not exceed (nearest rank)."""
        rank = max(1, -(-len(self.latencies) * percent // 100))
        return self.latencies[int(rank) - 1] / 1000


@dataclass(frozen=True, slots=True)
class Generator:
    """Sends ``connections`` requests at a time, each connection its next one when the last was answered."""

    home: Path
    connections: int

    def send(self, port: int, body: Body, requests: int) -> Served:
        """Send ``body`` to 127.0.0.1:``port`` exactly ``requests`` times.

        :raises BenchError: when it takes over a minute, or not every request was answered
        """
        payload = self.home / f"{body.name}.json"
        payload.write_bytes(body.payload)
        log = self.home / "h2load.log"
        log.unlink(missing_ok=True)
        command = [tool("h2load", "nghttp2-client"), "--h1", "-t", "1", "-n", str(requests)]
        command += ["-c", str(min(self.connections, requests)), "-d", str(payload), f"--log-file={log}"]
        for name, value in FIELDS:
            command += ["-H", f"{name}: {value}"]
        command.append(f"http://127.0.0.1:{port}{PATH}")
        try:
            done = subprocess.run(command, capture_output=True, timeout=ROUND_SECONDS_AT_MOST, check=False)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{requests} requests took over {ROUND_SECONDS_AT_MOST:.0f} s") from error
        if done.returncode:
            raise BenchError(f"h2load failed: {done.stderr.decode(errors='replace').strip()}")
        served = _read(log)
        if served.requests != requests:
            raise BenchError(f"{served.requests} of {requests} requests were answered")
        return served


def _read(log: Path) -> Served:
    """Read h2load's log: start in µs since the epoch, status (-1: failed), time taken in µs; tabs between."""
    statuses: Counter[int] = Counter()
    latencies = []
    first, last = float("inf"), 0
    for line in log.read_text().splitlines():
        start, status, taken = map(int, line.split("\t"))
        statuses[status] += 1
        latencies.append(taken)
        first, last = min(first, start), max(last, start + taken)
    if not latencies:
        raise BenchError("no request was answered")
    return Served(len(latencies), (last - first) / 1e6, statuses, sorted(latencies))
