"""What targets make of their input: pieces of a stream, cut by the input's own first bytes."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

_STRETCH = re.compile(rb"(.)\xff(.)", re.DOTALL)
STEP = 33
"""How many bytes one count of :func:`stretched` stands for: two counts reach every limit of a line."""
MOST_CUTS = 12
LONGEST = 2000
"""Longer streams are not cut into single bytes."""


def stretched(data: bytes) -> bytes:
    r"""Write ``c\xffn`` as ``n * STEP`` times ``c``, so that short inputs reach the limits of size."""
    return _STRETCH.sub(lambda match: match[1] * (match[2][0] * STEP), data)


def taken(data: bytes, count: int) -> tuple[bytes, bytes]:
    """Take ``count`` bytes, zeros where there are fewer, off the input; give them and the rest."""
    return data[:count].ljust(count, b"\0"), data[count:]


def cuts(stream: bytes, seed: bytes) -> list[list[bytes]]:
    """Cut a stream into a few pieces, at places that ``seed`` alone decides; a short one into bytes, too."""
    random = Random(seed)
    count = random.randint(1, MOST_CUTS)
    found = [cut_at(stream, [random.randint(0, len(stream)) for _ in range(count)])]
    if len(stream) <= LONGEST:
        found.append([stream[at : at + 1] for at in range(len(stream))])
    return found


def cut_at(stream: bytes, places: list[int]) -> list[bytes]:
    """Cut a stream at these places; no piece is empty."""
    ends = sorted({0, *places, len(stream)})
    return [stream[start:end] for start, end in pairwise(ends)]
