"""The endurance run: ``python -m tests.bench.soak [--seconds N]`` (``make soak``), on loopback alone.

The real program takes valid, refused, broken, slow, abandoned and compressed requests, and hostile answers
of its upstream, all mixed, for N seconds (600). Each kind is tried once at first; then the figures of a
gateway at rest are taken, and the load begins. At the end everything has to be as it was.

Exit 0 when every answer was right, each request left exactly one log line and one record with the right
status, nothing is counted as under way that is not, the descriptors are those of the beginning, and memory
does not grow (of the process that serves); 1 with what was otherwise; 2 for a wrong command line; 130 when
interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.machine import PROC, resident
from tests.bench.soak_clients import QUICK, SLOW, Clients
from tests.bench.soak_ledger import Ledger
from tests.bench.soak_upstream import Upstream
from tests.support.program import Metrics, fetch, port_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence

    from tests.bench.soak_clients import Scenario

DEADLINE: Final = 2
"""Seconds of every deadline of the gateway: long enough for a busy machine, short enough to be met often."""
QUICK_CLIENTS: Final = 16
SLOW_CLIENTS: Final = 48
SAMPLE_SECONDS: Final = 2.0
TELL_SECONDS: Final = 30.0
REST_SECONDS: Final = 30.0
"""How long everything may take to come to rest."""
MAX_GROWTH: Final = 8 * 1024
"""How many KiB memory may grow from the run's second quarter to its last, medians of both."""
_CONFIG: Final = """\
listen: {{port: 0}}
admin: {{port: 0}}
deadlines: {{header: {deadline}s, body: {deadline}s, keepalive: {deadline}s, drain: 5s}}
upstreams:
  main:
    urls: [http://127.0.0.1:{upstream}]
    timeouts: {{connect: {deadline}s, first_byte: {deadline}s, idle: {deadline}s}}
contracts:
  assistants-v1: {{openapi: pack:assistants-v1, prefix: /v1, upstream: main}}
audit: {{directory: {audit}}}
"""


class Sample(NamedTuple):
    """The gateway at one moment: memory in KiB, open descriptors, its gauges, and the ledger's counts."""

    memory: int
    descriptors: int
    in_flight: int
    connections: int
    sent: int
    lines: int

    def __str__(self) -> str:
        """Give it as a line."""
        return (
            f"{self.sent} requests, {self.lines} lines, {self.in_flight} in flight, "
            f"{self.connections} connections, {self.descriptors} descriptors, {self.memory / 1024:.1f} MiB"
        )


class Gateway:
    """The running program, whose log goes to the ``ledger`` line by line."""

    def __init__(self, process: Process, ledger: Ledger) -> None:
        self.process = process
        self.ledger = ledger
        self.port = 0
        self._admin_port = 0

    async def listening(self) -> None:
        """Wait until it serves."""
        assert self.process.stdout is not None
        event = json.loads(await self.process.stdout.readline() or b"{}")
        if event.get("event") != "started":
            raise RuntimeError("the gateway did not start")
        self.port, self._admin_port = port_of(event["listen"]), port_of(event["admin"])

    async def read_log(self) -> None:
        """Tell the ledger of every line, to the log's end."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.ledger.take(line)

    async def metrics(self) -> Metrics:
        """Scrape it."""
        _, _, body = await asyncio.to_thread(fetch, self._admin_port, "GET", "/metrics")
        return Metrics(body.decode())

    async def sample(self) -> Sample:
        """Look at it."""
        metrics = await self.metrics()
        return Sample(
            resident(self.process.pid),
            len(list((PROC / str(self.process.pid) / "fd").iterdir())),
            int(metrics["gateway_in_flight", {}]),
            int(metrics["gateway_connections", {}]),
            self.ledger.sent,
            self.ledger.lines,
        )


@asynccontextmanager
async def _gateway(home: Path, upstream: int, ledger: Ledger) -> AsyncIterator[Gateway]:
    """Run the program until the block ends; then it has to end in order, its standard error empty."""
    file, errors = home / "gateway.yaml", home / "errors"
    text = _CONFIG.format(upstream=upstream, deadline=DEADLINE, audit=home / "audit")
    file.write_text(text, encoding="utf-8")
    with errors.open("wb") as error_file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "-c", str(file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=error_file,
            start_new_session=True,
            limit=1024 * 1024,
        )
    gateway = Gateway(process, ledger)
    reading = None
    try:
        await gateway.listening()
        reading = asyncio.create_task(gateway.read_log())
        yield gateway
        process.terminate()
        async with asyncio.timeout(REST_SECONDS):
            status = await process.wait()
            await reading
        if status:
            ledger.fault(f"it ended with {status}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if reading is not None:
            reading.cancel()
        if text := errors.read_text(errors="replace"):
            ledger.fault(f"on its standard error: {text[-2000:]}")


async def _clients(number: int, scenarios: Sequence[Scenario], clients: Clients, until: float) -> None:
    """Run scenarios one after the other, in an order of its own, until the time is over."""
    order = random.Random(number)
    while time.monotonic() < until:
        await order.choice(scenarios)(clients)


async def _rest(gateway: Gateway, upstream: Upstream, descriptors: int | None = None) -> Sample:
    """Wait until nothing is under way, and no more than so many ``descriptors`` are open."""
    until = time.monotonic() + REST_SECONDS
    while True:
        upstream.hang_up()
        await asyncio.sleep(0.2)
        sample = await gateway.sample()
        still = sample.connections == sample.in_flight == gateway.ledger.missing == 0
        if (still and sample.descriptors <= (descriptors or sample.descriptors)) or time.monotonic() > until:
            return sample


async def _load(gateway: Gateway, clients: Clients, seconds: float) -> list[Sample]:
    """Let all clients work for so long, and look at the gateway meanwhile."""
    began = time.monotonic()
    until = began + seconds
    samples: list[Sample] = []
    told = began
    async with asyncio.TaskGroup() as group:
        for number in range(QUICK_CLIENTS):
            group.create_task(_clients(number, QUICK, clients, until))
        for number in range(SLOW_CLIENTS):
            group.create_task(_clients(number, SLOW, clients, until))
        while time.monotonic() < until:
            samples.append(await gateway.sample())
            if time.monotonic() >= told:
                told += TELL_SECONDS
                _tell(f"{time.monotonic() - began:5.0f} s: {samples[-1]}")
            await asyncio.sleep(SAMPLE_SECONDS)
    return samples


async def _soak(home: Path, seconds: float) -> Ledger:
    """Do all of it; SIGINT and SIGTERM cancel it, so that everything it started is stopped in order."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    ledger = Ledger()
    async with Upstream() as upstream, _gateway(home, upstream.port, ledger) as gateway:
        clients = Clients(gateway.port, ledger, upstream, DEADLINE)
        await asyncio.gather(*(scenario(clients) for scenario in (*QUICK, *SLOW)))
        before = await _rest(gateway, upstream)
        _tell(f"each kind tried once; at rest: {before}")
        samples = await _load(gateway, clients, seconds)
        after = await _rest(gateway, upstream, before.descriptors)
        _tell(f"the load is over; at rest: {after}")
        _judge(ledger, before, after, samples)
        metrics = await gateway.metrics()
        counted = sum(metrics.series("gateway_requests_total").values())
        dropped = metrics["gateway_log_lines_dropped_total", {}]
        if counted != ledger.sent or dropped:
            ledger.fault(
                f"{counted:.0f} requests are counted, {ledger.sent} were sent; {dropped:.0f} lines dropped"
            )
    ledger.close()
    ledger.compare(home / "audit")
    return ledger


def _judge(ledger: Ledger, before: Sample, after: Sample, samples: list[Sample]) -> None:
    """Note what is not as it was, and whether memory grows."""
    if after.in_flight or after.connections or after.descriptors > before.descriptors:
        ledger.fault(f"not as before the load: {after}; before: {before}")
    quarter = len(samples) // 4
    if not quarter:
        return
    second, last = (
        median(sample.memory for sample in part)
        for part in (samples[quarter : 2 * quarter], samples[-quarter:])
    )
    _tell(f"memory: {second / 1024:.1f} MiB in the second quarter, {last / 1024:.1f} MiB in the last")
    if last - second > MAX_GROWTH:
        ledger.fault(f"memory grows: {(last - second) / 1024:.1f} MiB, to be at most {MAX_GROWTH / 1024:g}")


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run, tell, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description="Endurance under abuse.")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long the load lasts (600)")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-soak-") as home:
            ledger = asyncio.run(_soak(Path(home), options.seconds))
    except asyncio.CancelledError:
        sys.stderr.write("\nsoak: interrupted; everything it started is stopped\n")
        return 130
    for fault in ledger.faults:
        _tell(f"fault: {fault}")
    _tell(
        f"{ledger.sent} requests, {ledger.lines} log lines, {ledger.records} records, "
        f"{ledger.fault_count} faults"
    )
    return 1 if ledger.fault_count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
