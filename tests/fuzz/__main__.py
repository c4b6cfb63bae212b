"""The long run: ``python -m tests.fuzz [--seconds N] [TARGET …]``; one input: ``--input FILE TARGET``.

Every target has an equal share of the time, one after the other, each in a process of its own. Exit 0 where
nothing was found; 1 at the first input that breaks an invariant, after the command that shows it again;
2 for a wrong command line, or without atheris.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.campaign import command, crashes, prepare
from tests.fuzz.targets import TARGETS

FOLDER = Path(".fuzz")
"""Where a long run keeps what it has found interesting, from one run to the next."""


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Fuzzing; see tests/fuzz/README.md."
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (all)")
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together (600)")
    parser.add_argument("--input", type=Path, help="run the one target on this file alone")
    options = parser.parse_args(arguments)
    options.targets = options.targets or list(TARGETS)
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(TARGETS)}")
    if options.input is not None and len(options.targets) != 1:
        parser.error("--input needs one TARGET")
    return options


def main(arguments: list[str]) -> int:
    """Run the command; give its exit status."""
    options = _options(arguments)
    if options.input is not None:
        TARGETS[options.targets[0]].run(options.input.read_bytes())
        _say("The invariant holds.")
        return 0
    if find_spec("atheris") is None:
        _say("atheris is not installed; it has wheels for Linux on x86-64 only.")
        return 2
    share = max(options.seconds // len(options.targets), 1)
    return next((1 for name in options.targets if not _survives(name, share)), 0)


def _say(text: str) -> None:
    sys.stderr.write(f"fuzz: {text}\n")
    sys.stderr.flush()


def _survives(name: str, seconds: int) -> bool:
    """Run a target for so long; say whether its invariant held."""
    _say(f"{name}, {seconds} s")
    before = crashes(FOLDER, name)
    prepare(FOLDER, name)
    ended = subprocess.run([*command(FOLDER, name), f"-max_total_time={seconds}"], check=False)
    found = sorted(crashes(FOLDER, name) - before)
    if not found and ended.returncode == 0:
        return True
    _say(f"the invariant of {name} is broken, or it took too long")
    for path in found:
        _say(f"again: {Path(sys.executable).name} -m tests.fuzz --input {path} {name}")
        _say(f"keep:  cp {path} tests/fuzz/cases/{name}/WHAT-IT-SHOWS.bin")
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
