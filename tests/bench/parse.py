"""What a byte of hostile JSON costs: ``python -m tests.bench.parse [--size BYTES] [--rounds N]``.

Reads each shape of tests/core/json_shapes.py at a size, at twice and at four times that size (256 KiB, so
that the last is as much as a body may have by default), and prints ns for each byte: the least of N rounds
(5). Where the cost is linear the three figures are alike; the ratio is the last to the first. The highest
figure times ``body.max_bytes`` is how long one body can hold up everything else.

Exit 0 with figures; 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import sys
import time

from gateway.core.parse import JsonFault, parse
from tests.bench.machine import described
from tests.core.json_shapes import SHAPES

_DEPTH = 32


def _read(body: bytes) -> str:
    """Give what becomes of ``body``: ``accepted`` or a code."""
    try:
        parse(body, max_depth=_DEPTH)
    except JsonFault as fault:
        return fault.code
    return "accepted"


def _cost(body: bytes, rounds: int) -> float:
    """Give the ns for each byte of ``body``, in the best of ``rounds``."""
    least = sys.maxsize
    for _ in range(rounds):
        began = time.perf_counter_ns()
        _read(body)
        least = min(least, time.perf_counter_ns() - began)
    return least / len(body)


def main(arguments: list[str]) -> int:
    """Measure, print, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.parse", description="Cost of hostile JSON.")
    parser.add_argument("--size", type=int, default=256 * 1024, help="bytes of the smallest text (262144)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    sizes = [options.size, 2 * options.size, 4 * options.size]
    heads = "".join(f"{size:>10}" for size in sizes)
    sys.stdout.write(f"{described()}\n\nns for each byte, of texts of so many bytes\n")
    sys.stdout.write(f"{'':42}{heads}  ratio\n")
    for name, shape in SHAPES.items():
        costs = [_cost(shape(size), options.rounds) for size in sizes]
        figures = "".join(f"{cost:>10.2f}" for cost in costs)
        outcome = _read(shape(options.size))
        sys.stdout.write(f"{name:42}{figures}{costs[-1] / costs[0]:>7.2f}  {outcome}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
