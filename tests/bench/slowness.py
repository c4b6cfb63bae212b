"""What slow clients cost another one: its latency without them and with them, in turn, in one run.

Rounds come in pairs: without, with | with, without | without, with | … so that the slow clients, who take
half a minute to arrive, do so once for two pairs. Everything but the gateway runs on the load core, they too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.bodies import BODIES
from tests.bench.faults import BenchError
from tests.bench.machine import STEAL_LIMIT, Cores, core_times, cpu_time, memory, share
from tests.bench.peers import PEERS, Running, peer_started, stop, upstream
from tests.bench.report import Bar, Section
from tests.bench.steady import SteadyClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COUNT = 500
RATE = 500.0
"""Requests per second of the client whose latency is told: a twentieth of what the gateway could serve."""
ROUND_SECONDS = 5.0
PAIRS = 6
LIMIT = 1.5
"""What p99 may be with slow clients, over p99 without."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round of pair ``number`` (from 0). Latencies in ms, memory in KiB, the rest are shares (0 to 1).

    ``gateway`` and ``slow_clients`` are how much of a core they took, ``steal`` what the host took.
    """

    number: int
    slow: bool
    p50_ms: float
    p99_ms: float
    gateway: float
    slow_clients: float
    rss: int
    steal: float

    @property
    def kept(self) -> bool:
        """Whether the machine was the bench's own meanwhile."""
        return self.steal < STEAL_LIMIT


@dataclass(slots=True)
class Findings:
    """All rounds; and by kind how many slow clients came, and how often the gateway hung up on one."""

    rounds: list[Round] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    hung_up_on: dict[str, int] = field(default_factory=dict)


def measure(cores: Cores, home: Path, tell: Callable[[str], None]) -> Findings:
    """Measure the gateway with files in ``home``; ``tell`` hears of progress.

    :raises BenchError: when a request is not answered with 200, or a process fails
    """
    findings = Findings()
    with ExitStack() as stack:
        target = stack.enter_context(upstream(home, cores.load))
        gateway = stack.enter_context(peer_started(PEERS["gateway"], home, target.port, cores.peer))
        client = stack.enter_context(SteadyClient(gateway.port, BODIES["small"], RATE))
        bench = _Bench(cores, gateway, client, tell)
        client.run(1.0)
        for first in range(0, PAIRS, 2):
            findings.rounds.append(bench.round(first, None))
            with _slow_clients(gateway, findings) as slow:
                findings.rounds += [bench.round(number, slow) for number in (first, first + 1)]
            findings.rounds.append(bench.round(first + 1, None))
    return findings


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is measured, and with what."""

    cores: Cores
    gateway: Running
    client: SteadyClient
    tell: Callable[[str], None]

    def round(self, number: int, slow: subprocess.Popen[str] | None) -> Round:
        """Measure for ROUND_SECONDS, with the ``slow`` clients' process or without."""
        self.tell(f"slow clients: pair {number + 1} of {PAIRS}, {'with' if slow else 'without'}")
        self.gateway.forget()
        both = self.cores.peer | self.cores.load
        pids = [self.gateway.pid] + ([slow.pid] if slow else [])
        times = core_times(both)
        began = time.monotonic()
        before = [cpu_time(pid).total for pid in pids]
        served = self.client.run(ROUND_SECONDS)
        after = [cpu_time(pid).total for pid in pids]
        took = time.monotonic() - began
        if set(served.statuses) != {200}:
            raise BenchError(f"expected 200 only, got {dict(served.statuses)}\n{self.gateway.last_words()}")
        shares = [(b - a) / took for a, b in zip(before, after, strict=True)]
        return Round(
            number=number,
            slow=slow is not None,
            p50_ms=served.percentile(50),
            p99_ms=served.percentile(99),
            gateway=shares[0],
            slow_clients=sum(shares[1:]),
            rss=memory(self.gateway.pid).rss,
            steal=share(times, core_times(both), "steal"),
        )


@contextmanager
def _slow_clients(gateway: Running, findings: Findings) -> Iterator[subprocess.Popen[str]]:
    """Run them until the block ends; it begins when all are there."""
    command = [sys.executable, "-m", "tests.bench.slow", str(gateway.port), str(COUNT)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "here\n":
            raise BenchError(f"the slow clients failed\n{gateway.last_words()}")
        yield process
        process.terminate()
        told = json.loads(process.communicate()[0])
    finally:
        stop(process)
    for kind, count in told["opened"].items():
        findings.opened[kind] = findings.opened.get(kind, 0) + count
        findings.hung_up_on[kind] = findings.hung_up_on.get(kind, 0) + told["hung_up_on"].get(kind, 0)


def ratio(findings: Findings) -> float | None:
    """Give p99 with slow clients over p99 without: the median of the pairs' own; None if none was kept."""
    found = {(one.number, one.slow): one.p99_ms for one in findings.rounds if one.kept}
    pairs = [(found.get((number, True)), found.get((number, False))) for number in range(PAIRS)]
    ratios = [with_them / without for with_them, without in pairs if with_them and without]
    return median(ratios) if ratios else None


def section(findings: Findings) -> Section:
    """Lay it out for the report."""
    lines = [
        f"slow clients: {COUNT} of them, and another client's latency at {RATE:g} requests/s (open loop)",
        "                p50 ms   p99 ms  gateway CPU  their CPU  VmRSS MiB     kept  dropped",
    ]
    for slow in (False, True):
        rounds = [one for one in findings.rounds if one.slow is slow]
        kept = [one for one in rounds if one.kept]
        lines.append(_row("with" if slow else "without", kept, len(rounds) - len(kept)))
    came = ", ".join(f"{kind} {count}/{findings.hung_up_on[kind]}" for kind, count in findings.opened.items())
    lines.append(f"  came/were hung up on: {came}")
    bar = Bar(f"{COUNT} slow clients: another one's p99, with/without", ratio(findings), LIMIT)
    return Section(lines, [bar], {"slow_clients": asdict(findings)})


def _row(name: str, kept: list[Round], dropped: int) -> str:
    if not kept:
        return f"  {name:<12}every round was dropped, the host stole too much"
    cells = [f"{median(one.p50_ms for one in kept):.2f}", f"{median(one.p99_ms for one in kept):.2f}"]
    shares = [median(getattr(one, of) for one in kept) for of in ("gateway", "slow_clients")]
    cells += [*(f"{each:.1%}" for each in shares), f"{max(one.rss for one in kept) / 1024:.1f}"]
    widths = (8, 9, 13, 11, 11)
    row = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"  {name:<12}{row}{len(kept):>9}{dropped:>9}"
