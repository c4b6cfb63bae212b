"""Durations and sizes as people write them, to seconds and bytes and back."""

from __future__ import annotations

import re
from typing import Final

_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
DURATION_PATTERN: Final = r"^[0-9]{1,12}(ms|s|m|h|d)$"
SIZE_PATTERN: Final = r"^[0-9]{1,15}(B|KiB|MiB|GiB|TiB)$"
_AMOUNT: Final = re.compile(r"([0-9]{1,15})([A-Za-z]{1,3})")


def parse_duration(text: str) -> float:
    """Give the seconds of ``250ms 5s 10m 24h 7d``; ValueError for anything else."""
    return _parse(text, _MILLISECONDS) / 1000


def render_duration(seconds: float) -> str:
    """Write ``seconds``, to the millisecond, in the largest unit that takes them whole."""
    return _render(round(seconds * 1000), _MILLISECONDS)


def parse_size(text: str) -> int:
    """Give the bytes of ``512B 64KiB 1MiB 2GiB``; ValueError for anything else."""
    return _parse(text, _BYTES)


def render_size(size: int) -> str:
    """Write ``size`` bytes in the largest unit that takes them whole."""
    return _render(size, _BYTES)


def _parse(text: str, units: dict[str, int]) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(text)
    return int(match[1]) * units[match[2]]


def _render(amount: int, units: dict[str, int]) -> str:
    unit = next(
        unit for unit in reversed(units) if amount % units[unit] == 0 and (amount or units[unit] == 1)
    )
    return f"{amount // units[unit]}{unit}"
