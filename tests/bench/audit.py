"""What the audit trail costs the data plane (CPU for a request, latency at a fixed rate); its readers' pace.

The CPU is that of the gateway's own process with all its threads, the ledger's among them. The followers,
processes of their own that no request waits for, stand still meanwhile: they would need a core that is not
there. How quick one is, is measured on a ledger that was written before, with a core for itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.bench.audit_readers import FOLLOWED, VERIFY_BYTES, followed, verified, write_ledger
from tests.bench.bodies import BODIES
from tests.bench.faults import BenchError
from tests.bench.load import Generator
from tests.bench.machine import (
    STEAL_LIMIT,
    Cores,
    core_times,
    exact_cpu_time,
    family,
    on_cores,
    share,
)
from tests.bench.peers import Peer, Running, gateway_command, peer_started, prove, upstream
from tests.bench.report import Bar, Section
from tests.bench.steady import SteadyClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.load import Served

MODES: Final = ("none", "batch", "blocking", "blocking-strict")
LIMITS: Final = {"batch": 10.0, "blocking": 15.0}
"""What a request may cost more than without the trail, in µs of CPU."""
CONNECTIONS: Final = 128
"""So many that the gateway has something to do while a part of them waits for the disk."""
ROUNDS: Final = 16
ROUND_SECONDS: Final = 1.0
RATE: Final = 4000.0
"""Requests per second of the client whose latency is told."""
CONNECTIONS_AT_MOST: Final = 900
"""What may be unanswered at a time, at that rate."""
PAIRS: Final = 5
STEADY_SECONDS: Final = 5.0
PROBE_SECONDS: Final = 2.0
RECORD_BYTES: Final = 1024
VERIFY_PACE: Final = 200.0
"""Megabytes of a ledger that are to be verified in a second, at least."""
SETTLE_SECONDS: Final = 10.0
_SMALL: Final = BODIES["small"]


@dataclass(frozen=True, slots=True)
class Cost:
    """A round of requests as fast as they go: µs of CPU for each, requests per second, what the host took."""

    mode: str
    number: int
    cpu_us: float
    per_second: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """A round at a fixed rate, in ms; ``sync_…`` are of fdatasync right after it, with such writes."""

    mode: str
    number: int
    p50_ms: float
    p99_ms: float
    sync_p50_ms: float
    sync_p99_ms: float
    kept: bool


@dataclass(slots=True)
class Findings:
    """All that a run found.

    ``verified`` are megabytes a second by the number of processes, ``followed`` µs of the follower a record.
    """

    costs: list[Cost] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    verified: dict[int, float] = field(default_factory=dict)
    followed: float | None = None


def peer(mode: str) -> Peer:
    """Give the gateway in a mode of durability, or ``none`` for the gateway without a trail."""
    return Peer(f"audit-{mode}", partial(_command, mode), f"the gateway with durability {mode}")


def _command(mode: str, home: Path, port: int, target: int) -> list[str]:
    if mode == "none":
        script = Path(__file__).with_name("unaudited.py")
        return [sys.executable, str(script), *gateway_command(home, port, target)[3:]]
    section = f"audit: {{directory: {home / f'audit-{mode}'}, durability: {mode}}}\n"
    return gateway_command(home, port, target, section)


def measure(cores: Cores, home: Path, tell: Callable[[str], None]) -> Findings:
    """Measure everything with files in ``home``; ``tell`` hears of progress.

    :raises BenchError: when a request is not answered with 200, or its record is missing
    """
    findings = Findings()
    with ExitStack() as stack:
        target = stack.enter_context(upstream(home, cores.load))
        running: dict[str, Running] = {}
        for mode in MODES:
            one = stack.enter_context(peer_started(peer(mode), home, target.port, cores.peer))
            stack.enter_context(_followers_stopped(one))
            prove(peer(mode), one, _SMALL)
            running[mode] = one
        bench = _Bench(cores, home, running, tell)
        findings.costs = bench.costs()
        findings.latencies = bench.latencies()
    tell("audit: writing a ledger to verify")
    write_ledger(home / "verify")
    with on_cores(cores.peer | cores.load):
        for processes in sorted({1, len(os.sched_getaffinity(0))}):
            tell(f"audit: verifying with {processes} processes")
            findings.verified[processes] = verified(home / "verify", processes)
    tell("audit: following a ledger")
    with on_cores(cores.peer):
        findings.followed = followed(home / "follow")
    return findings


@contextmanager
def _followers_stopped(running: Running) -> Iterator[None]:
    """Have the processes that a gateway started stand still until the block ends."""
    pids = family(running.pid)[1:]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is measured, and with what."""

    cores: Cores
    home: Path
    running: dict[str, Running]
    tell: Callable[[str], None]

    def costs(self) -> list[Cost]:
        """Measure what a request costs, one mode after the other, again and again."""
        generator = Generator(self.home, CONNECTIONS)
        requests = {}
        for mode, one in self.running.items():
            self.tell(f"audit: warming up {mode}")
            generator.send(one.port, _SMALL, 1000)
            served = generator.send(one.port, _SMALL, 5000)
            requests[mode] = int(served.per_second * ROUND_SECONDS)
        return [
            self._cost(number, mode, generator, requests[mode])
            for number in range(ROUNDS)
            for mode in (MODES if number % 2 else MODES[::-1])
        ]

    def _cost(self, number: int, mode: str, generator: Generator, requests: int) -> Cost:
        self.tell(f"audit: cost, round {number + 1} of {ROUNDS}, {mode}")
        one = self.running[mode]
        one.forget()
        both = self.cores.peer | self.cores.load
        times, before = core_times(both), exact_cpu_time(one.pid)
        served = generator.send(one.port, _SMALL, requests)
        _settle(one, served)
        cpu = exact_cpu_time(one.pid) - before
        kept = share(times, core_times(both), "steal") < STEAL_LIMIT
        return Cost(mode, number, cpu / served.requests * 1e6, served.per_second, kept)

    def latencies(self) -> list[Latency]:
        """Measure latencies in both modes by turns: the disk is another one every second."""
        modes = ("batch", "blocking")
        return [
            self._latency(number, mode)
            for number in range(PAIRS)
            for mode in (modes if number % 2 else modes[::-1])
        ]

    def _latency(self, number: int, mode: str) -> Latency:
        self.tell(f"audit: latency, pair {number + 1} of {PAIRS}, {mode}")
        one = self.running[mode]
        both = self.cores.peer | self.cores.load
        with SteadyClient(one.port, _SMALL, RATE, connections=CONNECTIONS_AT_MOST) as client:
            try:
                client.run(1.0)
                one.forget()
                times = core_times(both)
                served = client.run(STEADY_SECONDS)
            except BenchError:  # so busy a machine tells nothing
                return Latency(mode, number, 0, 0, 0, 0, kept=False)
        kept = share(times, core_times(both), "steal") < STEAL_LIMIT
        _settle(one, served)
        syncs = _probe(self.home / "probe")
        return Latency(
            mode,
            number,
            served.percentile(50),
            served.percentile(99),
            _rank(syncs, 50),
            _rank(syncs, 99),
            kept,
        )


def _settle(one: Running, served: Served) -> None:
    """Check a round, and wait until its log and its records are written: they belong to it."""
    if set(served.statuses) != {200}:
        raise BenchError(f"{one.name}: expected 200 only, got {dict(served.statuses)}\n{one.last_words()}")
    deadline = time.monotonic() + SETTLE_SECONDS
    while one.lines() < served.requests:
        if time.monotonic() > deadline:
            raise BenchError(f"{one.name}: {one.lines()} log lines for {served.requests} requests")
        time.sleep(0.05)
    time.sleep(0.25)  # the last batch is on disk 100 ms after it began


def _probe(path: Path) -> list[float]:
    """Write and sync as the ledger does at RATE, and give how long each fdatasync took, in ms, in order.

    While one runs more records come, and go out with the next.
    """
    record = bytes(RECORD_BYTES)
    took: list[float] = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        begin = last = time.perf_counter()
        while last - begin < PROBE_SECONDS:
            waiting = max(1, int((time.perf_counter() - last) * RATE))
            last = time.perf_counter()
            os.write(fd, record * waiting)
            since = time.perf_counter()
            os.fdatasync(fd)
            took.append((time.perf_counter() - since) * 1e3)
    finally:
        os.close(fd)
        path.unlink()
    return sorted(took)


def _rank(values: list[float], percent: int) -> float:
    """Give the value that ``percent`` of them do not exceed."""
    return values[max(1, -(-len(values) * percent // 100)) - 1]


def cost(findings: Findings, mode: str) -> float | None:
    """Give the µs that a request costs in a mode; None if no round was kept.

    That of the first quartile: what else goes on in the machine only ever adds, by a third in some rounds.
    """
    costs = sorted(one.cpu_us for one in findings.costs if one.kept and one.mode == mode)
    return _rank(costs, 25) if costs else None


def added(findings: Findings, mode: str) -> float | None:
    """Give how many µs a mode adds to a request; None if no round was kept."""
    ours, theirs = cost(findings, mode), cost(findings, "none")
    return None if ours is None or theirs is None else ours - theirs


def waited(findings: Findings) -> float | None:
    """Give how far p99 of ``blocking`` is above that of ``batch``, in p99 of fdatasync: the pairs' median."""
    found = {(one.number, one.mode): one for one in findings.latencies if one.kept}
    pairs = [(found.get((number, "blocking")), found.get((number, "batch"))) for number in range(PAIRS)]
    ratios = [
        (ours.p99_ms - theirs.p99_ms) / max(ours.sync_p99_ms, theirs.sync_p99_ms)
        for ours, theirs in pairs
        if ours is not None and theirs is not None
    ]
    return median(ratios) if ratios else None


def rate(findings: Findings) -> float | None:
    """Give how many requests a second one worker has records of at full load; None if no round was kept."""
    kept = [one.per_second for one in findings.costs if one.kept and one.mode == "batch"]
    return median(kept) if kept else None


def section(findings: Findings) -> Section:
    """Lay it out for the report."""
    lines = [
        f"audit trail: the small body, {CONNECTIONS} requests at a time",
        "                   CPU µs    added   req/s     kept  dropped",
    ]
    lines += [_cost_row(findings, mode) for mode in MODES]
    lines += [
        f"  at {RATE:g} requests/s (open loop)",
        "                   p50 ms   p99 ms  fdatasync p50  fdatasync p99     kept  dropped",
    ]
    lines += [_latency_row(findings, mode) for mode in ("batch", "blocking")]
    paces = ", ".join(f"{pace:.0f} MB/s with {count}" for count, pace in findings.verified.items())
    lines.append(f"  verify, {VERIFY_BYTES / 1e6:.0f} MB, by processes: {paces}")
    if findings.followed is not None:
        pace = f"{findings.followed:.1f} µs a record, {1e6 / findings.followed:.0f}/s"
        lines.append(f"  follower, {FOLLOWED} records into SQLite: {pace}")
    bars = [
        Bar(f"audit {mode}: CPU added to a request", added(findings, mode), limit, " µs")
        for mode, limit in LIMITS.items()
    ]
    bars.append(Bar("audit blocking: p99 above that of batch, in p99 of fdatasync", waited(findings), 2.0))
    slowest = 1000 / max(findings.verified.values())
    bars.append(Bar("audit verify: ms for a megabyte", slowest, 1000 / VERIFY_PACE, " ms"))
    if (per_second := rate(findings)) is not None:
        text = "audit follower: a record, while one worker makes one"
        bars.append(Bar(text, findings.followed, 1e6 / per_second, " µs"))
    return Section(lines, bars, {"audit": asdict(findings)})


def _cost_row(findings: Findings, mode: str) -> str:
    rounds = [one for one in findings.costs if one.mode == mode]
    kept = [one for one in rounds if one.kept]
    if not kept:
        return f"  {mode:<16}every round was dropped, the host stole too much"
    more = added(findings, mode)
    cells = [f"{cost(findings, mode):.1f}", "" if more is None else f"{more:+.1f}"]
    cells += [f"{median(one.per_second for one in kept):.0f}", str(len(kept)), str(len(rounds) - len(kept))]
    return f"  {mode:<16}" + "".join(f"{cell:>9}" for cell in cells)


def _latency_row(findings: Findings, mode: str) -> str:
    rounds = [one for one in findings.latencies if one.mode == mode]
    kept = [one for one in rounds if one.kept]
    if not kept:
        return f"  {mode:<16}every round was dropped, the host stole too much"
    names = ("p50_ms", "p99_ms", "sync_p50_ms", "sync_p99_ms")
    cells = [f"{median(getattr(one, name) for one in kept):.2f}" for name in names]
    cells += [str(len(kept)), str(len(rounds) - len(kept))]
    widths = (9, 9, 15, 15, 9, 9)
    return f"  {mode:<16}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
