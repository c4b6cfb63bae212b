"""What the machine says of itself: CPU time, steal, memory, cores, ports. Linux, from /proc."""

from __future__ import annotations

import os
import platform
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STEAL_LIMIT = 0.1
"""The share of a core's time from which on, if the host stole it, a round does not count."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the peer has for itself, and which the load generator and the upstream share."""

    peer: frozenset[int]
    load: frozenset[int]

    @property
    def apart(self) -> bool:
        """Whether peer and load really run on different cores."""
        return not self.peer & self.load

    def __str__(self) -> str:
        """Say it for the head of the report."""
        if not self.apart:
            return "one core for all: nothing is pinned, req/s and latency say little"
        return (
            f"peer pinned to {_listed(self.peer)}, load generator and upstream pinned to {_listed(self.load)}"
        )


def _listed(cores: frozenset[int]) -> str:
    return "core " + ",".join(map(str, sorted(cores)))


def cores() -> Cores:
    """Divide the cores that this process may use: the first for the peer, the second for the load."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) == 1:
        return Cores(frozenset(usable), frozenset(usable))
    return Cores(frozenset(usable[:1]), frozenset(usable[1:2]))


@contextmanager
def on_cores(chosen: frozenset[int]) -> Iterator[None]:
    """Run what is inside on ``chosen``; a process started inside inherits that and keeps it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class CoreTimes:
    """A core's time so far in clock ticks, from /proc/stat (proc(5))."""

    total: int
    busy: int
    iowait: int
    steal: int


def core_times(chosen: frozenset[int]) -> list[CoreTimes]:
    """Read the times of ``chosen`` cores, in order of their numbers."""
    found = {}
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in chosen:
            user, nice, system, idle, iowait, irq, softirq, steal = map(int, fields[:8])
            busy = user + nice + system + irq + softirq
            found[int(name[3:])] = CoreTimes(busy + idle + iowait + steal, busy, iowait, steal)
    return [found[core] for core in sorted(found)]


def share(before: list[CoreTimes], after: list[CoreTimes], field: str) -> float:
    """Give the largest share (0 to 1) that ``field`` took of any core between two readings."""
    shares = [
        (getattr(b, field) - getattr(a, field)) / max(1, b.total - a.total)
        for a, b in zip(before, after, strict=True)
    ]
    return max(shares, default=0.0)


@dataclass(frozen=True, slots=True)
class CpuTime:
    """A process family's CPU time so far, in seconds, and the processes it was read from."""

    user: float
    system: float
    pids: frozenset[int]

    @property
    def total(self) -> float:
        """User and system time together."""
        return self.user + self.system


def family(pid: int) -> list[int]:
    """List ``pid`` and the processes below it."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    members = [pid]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def cpu_time(pid: int) -> CpuTime:
    """Read user and system time of ``pid`` and all processes below it, in clock ticks of 10 ms."""
    user = system = 0
    members = family(pid)
    for member in members:
        if fields := _stat_fields(member):
            user += int(fields[11])
            system += int(fields[12])
    return CpuTime(user / TICKS_PER_SECOND, system / TICKS_PER_SECOND, frozenset(members))


def _stat_fields(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat from the third (state) on; none when the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Memory:
    """A process family's memory in KiB: resident pages, and with shared pages divided by their users.

    ``own`` are the resident pages of the process itself, without those below it.
    """

    rss: int
    pss: int
    own: int


def memory(pid: int) -> Memory:
    """Read VmRSS and Pss of ``pid`` and all processes below it, added up."""
    members = family(pid)
    rss = sum(_kib(member, "status", "VmRSS:") for member in members)
    return Memory(rss, sum(_kib(member, "smaps_rollup", "Pss:") for member in members), resident(pid))


def resident(pid: int) -> int:
    """Give the KiB that ``pid`` alone has resident."""
    return _kib(pid, "status", "VmRSS:")


def exact_cpu_time(pid: int) -> float:
    """Read the CPU seconds of all threads of ``pid`` alone, to the nanosecond (/proc/PID/task/TID/schedstat).

    Threads that ended are not in it.
    """
    tasks = (PROC / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def forget_peak(pid: int) -> None:
    """Have :func:`peak` count from now on (proc(5), clear_refs)."""
    (PROC / str(pid) / "clear_refs").write_text("5")


def peak(pid: int) -> int:
    """Give the most KiB that ``pid`` alone had resident since :func:`forget_peak`."""
    return _kib(pid, "status", "VmHWM:")


def _kib(pid: int, file: str, key: str) -> int:
    try:
        lines = (PROC / str(pid) / file).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


def free_ports(count: int) -> list[int]:
    """Give ``count`` different TCP ports on 127.0.0.1 that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def described() -> str:
    """Name processor, cores and kernel."""
    info = (PROC / "cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in info if line.startswith("model name")), "CPU unknown"
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
