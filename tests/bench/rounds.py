"""The measuring: short rounds, one peer after the other, again and again, each checked before it counts."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench.faults import BenchError
from tests.bench.load import Generator, Served
from tests.bench.machine import (
    STEAL_LIMIT,
    Cores,
    CoreTimes,
    CpuTime,
    Memory,
    core_times,
    cpu_time,
    memory,
    share,
)
from tests.bench.nginx import Count
from tests.bench.peers import Peer, Running, peer_started, prove, upstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.bodies import Body

SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: ``rounds`` for each peer and body, each of about ``seconds`` or of ``requests``.

    A sample is dropped when the host stole STEAL_LIMIT or more of either core; up to half as many rounds
    again make up for it.
    """

    peers: tuple[Peer, ...]
    bodies: tuple[Body, ...]
    rounds: int
    seconds: float
    requests: int | None
    connections: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Round ``number`` (from 0) of one peer. CPU times in µs per request, latencies in ms, shares 0 to 1.

    ``elsewhere`` is how much of the peer's core went to processes that are not the peer: a noisy neighbour.
    """

    peer: str
    body: str
    number: int
    requests: int
    user_us: float
    system_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    steal: float
    iowait: float
    elsewhere: float
    kept: bool

    @property
    def cpu_us(self) -> float:
        """User and system time per request, in µs."""
        return self.user_us + self.system_us


@dataclass(slots=True)
class Findings:
    """All that a run found: every sample, dropped ones too, and memory (peer → after start, after load)."""

    samples: list[Sample] = field(default_factory=list)
    idle: dict[str, Memory] = field(default_factory=dict)
    loaded: dict[str, Memory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The clocks at one moment: wall, the peer's CPU time, and both cores'."""

    wall: float
    cpu: CpuTime
    peer_core: list[CoreTimes]
    both_cores: list[CoreTimes]

    @staticmethod
    def take(running: Running, cores: Cores) -> _Reading:
        both = core_times(cores.peer | cores.load)
        return _Reading(time.monotonic(), cpu_time(running.pid), core_times(cores.peer), both)

    def elsewhere(self, later: _Reading) -> float:
        """Give the share of the peer's core that went to other processes between two readings."""
        own = (later.cpu.total - self.cpu.total) / (later.wall - self.wall)
        return max(0.0, share(self.peer_core, later.peer_core, "busy") - own)


class Bench:
    """Holds the peers running while it measures them; use :func:`measure`."""

    def __init__(self, plan: Plan, cores: Cores, home: Path, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._cores = cores
        self._home = home
        self._tell = tell
        self._generator = Generator(home, plan.connections)
        self.findings = Findings()

    def run(self) -> Findings:
        """Start everything, measure each body in turn, stop everything."""
        with ExitStack() as stack:
            target = stack.enter_context(upstream(self._home, self._cores.load))
            count = Count(target.port)
            running: dict[str, Running] = {}
            for peer in self._plan.peers:
                one = stack.enter_context(peer_started(peer, self._home, target.port, self._cores.peer))
                running[peer.name] = one
            for name, one in running.items():  # now that those are up, too, which they started themselves
                self.findings.idle[name] = memory(one.pid)
            for body in self._plan.bodies:
                self._measure_body(body, running, count)
            for name, one in running.items():
                self.findings.loaded[name] = memory(one.pid)
        return self.findings

    def _measure_body(self, body: Body, running: dict[str, Running], count: Count) -> None:
        peers = [peer for peer in self._plan.peers if peer.takes(body)]
        requests = {peer.name: self._warm_up(peer, running[peer.name], body) for peer in peers}
        kept = dict.fromkeys(requests, 0)
        for number in range(self._plan.rounds + self._plan.rounds // 2):
            if all(enough >= self._plan.rounds for enough in kept.values()):
                break
            for peer in peers:
                self._tell(f"{body.name}: round {number + 1} of {self._plan.rounds}, {peer.name}")
                one = running[peer.name]
                sample = self._round(number, peer, one, body, requests[peer.name], count)
                self.findings.samples.append(sample)
                kept[peer.name] += sample.kept

    def _warm_up(self, peer: Peer, running: Running, body: Body) -> int:
        """Prove the peer right, warm it, and give the number of requests that a round takes."""
        prove(peer, running, body)
        served = self._send(running, body, 200)
        for share_of_round in (0.25, 0.5):
            requests = max(200, int(served.per_second * self._plan.seconds * share_of_round))
            served = self._send(running, body, requests)
        return self._plan.requests or max(200, int(served.per_second * self._plan.seconds))

    def _round(
        self, number: int, peer: Peer, running: Running, body: Body, requests: int, count: Count
    ) -> Sample:
        running.forget()
        taken = count.read()
        before = _Reading.take(running, self._cores)
        served = self._send(running, body, requests)
        after = _Reading.take(running, self._cores)
        self._settle(peer, running, body, served, count.read() - taken)
        cpu = cpu_time(running.pid)
        if cpu.pids != before.cpu.pids:
            raise BenchError(f"{peer.name}: its processes changed during a round\n{running.last_words()}")
        steal = share(before.both_cores, after.both_cores, "steal")
        return Sample(
            peer=peer.name,
            body=body.name,
            number=number,
            requests=served.requests,
            user_us=(cpu.user - before.cpu.user) / served.requests * 1e6,
            system_us=(cpu.system - before.cpu.system) / served.requests * 1e6,
            per_second=served.per_second,
            p50_ms=served.percentile(50),
            p99_ms=served.percentile(99),
            steal=steal,
            iowait=share(before.both_cores, after.both_cores, "iowait"),
            elsewhere=before.elsewhere(after),
            kept=steal < STEAL_LIMIT,
        )

    def _send(self, running: Running, body: Body, requests: int) -> Served:
        try:
            return self._generator.send(running.port, body, requests)
        except BenchError as error:
            raise BenchError(f"{running.name}, {body.name}: {error}\n{running.last_words()}") from error

    def _settle(self, peer: Peer, running: Running, body: Body, served: Served, forwarded: int) -> None:
        """Check the round, and wait until its log is written: what a peer puts off belongs to it, too."""
        what = f"{peer.name}, {body.name}"
        if set(served.statuses) != {body.status}:
            raise BenchError(f"{what}: expected {body.status} only, got {dict(served.statuses)}")
        expected = served.requests if body.valid else 0
        if forwarded != expected:
            raise BenchError(f"{what}: {forwarded} requests reached the upstream, not {expected}")
        deadline = time.monotonic() + SETTLE_SECONDS
        while peer.logs and (lines := running.lines()) < served.requests:
            if time.monotonic() > deadline:
                raise BenchError(f"{what}: {lines} log lines for {served.requests} requests")
            time.sleep(0.02)


def measure(plan: Plan, cores: Cores, home: Path, tell: Callable[[str], None]) -> Findings:
    """Do what ``plan`` says with files in ``home``; ``tell`` hears of progress.

    :raises BenchError: when a peer fails, or a round is not what it must be
    """
    return Bench(plan, cores, home, tell).run()
