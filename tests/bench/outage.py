"""PostgreSQL gone under load: ``python -m tests.bench.outage [--minutes N] [--rate R]``.

The real program, with a real PostgreSQL as its index, under a steady load. The server is killed, is away for
N minutes, and comes back, while the load goes on. Told are latencies before, during and after, the memory of
the gateway and of its follower, how long the index took to catch up, and what it holds then.

Exit 0 when every request was answered with 200, memory stayed flat, and the index holds each record of the
ledger once; else 1 with what did not hold. It needs nginx; all on loopback, and all that it starts it stops.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg

from gateway.audit.follower import lag_behind
from gateway.audit.index.postgresql import PostgresqlIndex
from gateway.audit.segments import segments, streams
from tests.bench.bodies import BODIES
from tests.bench.faults import BenchError
from tests.bench.load import Served
from tests.bench.machine import family, free_ports, resident
from tests.bench.peers import Running, gateway_command, started, stop, upstream
from tests.bench.steady import SteadyClient
from tests.support.postgresql import Postgresql

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS: Final = 900
CALM_SECONDS: Final = 30.0
"""How long is measured before the outage, and at least after it."""
WINDOW_SECONDS: Final = 5.0
"""How long the load runs between two looks at memory."""
CAUGHT_UP_SECONDS: Final = 2.0
"""An index that is less behind than this is as far as it ever is under load."""
CATCH_UP_AT_MOST: Final = 1800.0
MAX_GROWTH: Final = 8 * 1024
"""KiB by which a process may have grown from the outage's first window to its last."""


class Sizes(NamedTuple):
    """Resident memory in KiB."""

    gateway: int
    follower: int


@dataclass(slots=True)
class Phase:
    """A part of the run: what was answered, and memory after each window."""

    name: str
    windows: list[Served] = field(default_factory=list)
    sizes: list[Sizes] = field(default_factory=list)

    @property
    def served(self) -> Served:
        """All windows as one."""
        return Served(
            sum(one.requests for one in self.windows),
            sum(one.seconds for one in self.windows),
            sum((one.statuses for one in self.windows), Counter()),
            sorted(latency for one in self.windows for latency in one.latencies),
        )

    def __str__(self) -> str:
        """Give it as a line; memory at the begin, in the middle, and at the end."""
        served = self.served
        points = (self.sizes[0], self.sizes[len(self.sizes) // 2], self.sizes[-1])
        gateway = ", ".join(f"{one.gateway / 1024:.1f}" for one in points)
        follower = ", ".join(f"{one.follower / 1024:.1f}" for one in points)
        return (
            f"{self.name}: {served.requests} requests, {served.per_second:.0f}/s, "
            f"p50 {served.percentile(50):.2f} ms, p99 {served.percentile(99):.2f} ms; "
            f"MiB of the gateway {gateway}, of the follower {follower}, "
            f"at most {max(one.follower for one in self.sizes) / 1024:.1f}"
        )


class Bench:
    """A gateway under load, its audit directory, and its index."""

    def __init__(self, running: Running, directory: Path, url: str, rate: float) -> None:
        self._running = running
        self._directory = directory
        self._url = url
        self._index = PostgresqlIndex(url)
        self._client = SteadyClient(running.port, BODIES["small"], rate, connections=CONNECTIONS)

    def load(self, phase: Phase, seconds: float, enough: Callable[[], bool] = lambda: False) -> Phase:
        """Go on with the load for so long, or until it is enough."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not (phase.windows and enough()):
            phase.windows.append(self._client.run(min(WINDOW_SECONDS, seconds)))
            phase.sizes.append(self._sizes())
            self._running.forget()
        return phase

    def _sizes(self) -> Sizes:
        gateway, *followers = family(self._running.pid)
        return Sizes(resident(gateway), sum(map(resident, followers)))

    def caught_up(self) -> bool:
        """Say whether the index is as far as the ledger, but for a moment."""
        lag = lag_behind(self._directory, self._index.positions(), time.time())
        return lag.seconds < CAUGHT_UP_SECONDS

    def counts(self) -> tuple[int, int, int]:
        """Give how many records the ledger has, the index has, and the index has different ones of."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute(
                "SELECT count(*), count(DISTINCT (stream, seq)) FROM audit_record"
            ).fetchone()
        assert found is not None
        total, different = found
        return _records(self._directory), total, different

    def close(self) -> None:
        """Let go of the connections."""
        self._client.__exit__()
        self._index.close()


def _records(directory: Path) -> int:
    count = 0
    for _, folder in streams(directory):
        for segment in segments(folder):
            with segment.path.open("rb") as file:
                count += sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
    return count


def _run(home: Path, server: Postgresql, minutes: float, rate: float) -> list[str]:
    """Do all of it; give what did not hold."""
    url = server.new_database()
    directory = home / "audit"
    section = f'audit: {{directory: {directory}, index: "{url}"}}\n'
    everywhere = frozenset(os.sched_getaffinity(0))
    (port,) = free_ports(1)
    with upstream(home, everywhere) as target:
        command = gateway_command(home, port, target.port, section)
        with started("gateway", command, port, home, everywhere) as running:
            bench = Bench(running, directory, url, rate)
            try:
                phases = _outage(bench, server, minutes)
            finally:
                bench.close()
            stop(running.process)  # it lets the index take what is left
        ledger, index, different = bench.counts()
    _tell(f"records: {ledger} in the ledger, {index} in the index, {different} of them different")
    return _faults(phases, (ledger, index, different))


def _outage(bench: Bench, server: Postgresql, minutes: float) -> list[Phase]:
    bench.load(Phase("warming up"), WINDOW_SECONDS)
    before = bench.load(Phase("before"), CALM_SECONDS)
    _tell(str(before))
    server.stop()
    during = bench.load(Phase("during"), minutes * 60)
    _tell(str(during))
    server.start()
    back = time.monotonic()
    catching = bench.load(Phase("catching up"), CATCH_UP_AT_MOST, bench.caught_up)
    _tell(str(catching))
    _tell(f"the index has caught up {time.monotonic() - back:.0f} s after the server came back")
    after = bench.load(Phase("after"), CALM_SECONDS)
    _tell(str(after))
    return [before, during, catching, after]


def _faults(phases: list[Phase], counts: tuple[int, int, int]) -> list[str]:
    faults = [
        f"{phase.name}: answered with {dict(phase.served.statuses)}"
        for phase in phases
        if set(phase.served.statuses) != {200}
    ]
    during = phases[1].sizes
    for name in Sizes._fields:
        growth = getattr(during[-1], name) - getattr(during[0], name)
        if growth > MAX_GROWTH:
            faults.append(f"the {name} grew by {growth / 1024:.1f} MiB during the outage")
    if len(set(counts)) != 1:
        faults.append("the index does not hold each record of the ledger once")
    return faults


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run, tell, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.outage", description="PostgreSQL gone.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long it is away (5)")
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second (500)")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-outage-") as home, Postgresql() as server:
            Path(home).chmod(0o755)  # nginx drops its privileges
            faults = _run(Path(home), server, options.minutes, options.rate)
    except BenchError as error:
        sys.stderr.write(f"outage: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\noutage: interrupted; everything it started is stopped\n")
        return 130
    for fault in faults:
        _tell(f"fault: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
