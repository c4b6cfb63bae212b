"""The command: ``python -m tests.bench [--sections …] [--peers …] [--bodies …] [--rounds N] [--json FILE]``.

Exit 0 with figures, whatever they say; 1 when a round was not what it must be; 2 for a wrong command line or
a missing program; 130 when interrupted.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tests.bench import audit, hostile, machine, report, slowness
from tests.bench.bodies import BODIES
from tests.bench.faults import BenchError, MissingToolError
from tests.bench.peers import PEERS, tool
from tests.bench.rounds import Plan, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Make a reader of a comma-separated list of ``known`` names."""

    def read(text: str) -> list[str]:
        chosen = list(dict.fromkeys(text.split(",")))
        if unknown := [name for name in chosen if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return chosen

    return read


def _positive(kind: type[int | float]) -> Callable[[str], float]:
    """Make a reader of a number above zero."""

    def read(text: str) -> float:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    read.__name__ = kind.__name__  # argparse says "invalid float value" with it
    return read


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="CPU per request.")
    parser.add_argument(
        "--sections", type=_names(SECTIONS), default=list(SECTIONS), help=f"of {','.join(SECTIONS)}"
    )
    parser.add_argument("--peers", type=_names(PEERS), default=list(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--bodies", type=_names(BODIES), default=list(BODIES), help=f"of {','.join(BODIES)}")
    parser.add_argument("--rounds", type=_positive(int), default=7, help="kept rounds wanted (7)")
    parser.add_argument(
        "--seconds", type=_positive(float), default=1.5, help="length of a round, about (1.5)"
    )
    parser.add_argument("--requests", type=_positive(int), help="requests in a round, instead of --seconds")
    parser.add_argument("--connections", type=_positive(int), default=32, help="requests at a time (32)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    return parser.parse_args(arguments)


def _about(cores: machine.Cores, options: argparse.Namespace) -> dict[str, str]:
    """Say what was measured where, for the head of the report."""
    h2load = _first_line([tool("h2load", "nghttp2-client"), "--version"])
    nginx = _first_line([tool("nginx", "nginx-light"), "-v"]).rpartition(" ")[2]
    length = f"{options.requests} requests" if options.requests else f"about {options.seconds:g} s"
    names = ("aiohttp", "fastjsonschema", "structlog", "uvloop")
    return {
        "machine": machine.described(),
        "cores": str(cores),
        "load": f"{h2load}, HTTP/1.1, {options.connections} connections, rounds of {length}, peers in turn",
        "upstream": f"{nginx}, 1 worker, reads the body, answers a fixed message",
        "packages": ", ".join(f"{name} {version(name)}" for name in names),
    }


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode(errors="replace").partition("\n")[0].strip()


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    """End in order: the blocks that hold children stop them, and a second signal does not break into that."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _run(options: argparse.Namespace) -> str:
    cores = machine.cores()
    about = _about(cores, options)
    started = time.monotonic()
    sections = []
    for name in options.sections:
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as home, machine.on_cores(cores.load):
            sections.append(SECTIONS[name](options, cores, Path(home)))
    _progress("")
    about["took"] = f"{time.monotonic() - started:.0f} s"
    if options.json:
        options.json.write_text(report.as_json(about, sections) + "\n", encoding="utf-8")
    return report.text(about, sections)


def _requests(options: argparse.Namespace, cores: machine.Cores, home: Path) -> report.Section:
    plan = Plan(
        peers=tuple(PEERS[name] for name in options.peers),
        bodies=tuple(BODIES[name] for name in options.bodies),
        rounds=options.rounds,
        seconds=options.seconds,
        requests=options.requests,
        connections=options.connections,
    )
    return report.section(measure(plan, cores, home, _progress), plan)


def _audit(_options: argparse.Namespace, cores: machine.Cores, home: Path) -> report.Section:
    return audit.section(audit.measure(cores, home, _progress))


def _slow(_options: argparse.Namespace, cores: machine.Cores, home: Path) -> report.Section:
    return slowness.section(slowness.measure(cores, home, _progress))


def _hostile(_options: argparse.Namespace, cores: machine.Cores, home: Path) -> report.Section:
    return hostile.section(hostile.measure(cores, home, _progress))


SECTIONS: dict[str, Callable[[argparse.Namespace, machine.Cores, Path], report.Section]] = {
    "requests": _requests,
    "slow": _slow,
    "audit": _audit,
    "hostile": _hostile,
}
"""The parts of the bench, in order; ``--peers`` and all other options are those of ``requests``."""


def main(arguments: list[str]) -> int:
    """Measure, print, and give the exit status."""
    options: Any = _options(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        printed = _run(options)
    except MissingToolError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    except (BenchError, OSError) as error:
        _progress("")
        sys.stderr.write(f"bench: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nbench: interrupted; everything it started is stopped\n")
        return 130
    sys.stdout.write(printed + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
