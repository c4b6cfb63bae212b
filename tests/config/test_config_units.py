"""Durations and sizes: their spelling, and that rendering and reading are each other's inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.units import parse_duration, parse_size, render_duration, render_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5s", 5.0), ("10m", 600.0), ("24h", 86_400.0), ("7d", 604_800.0), ("0s", 0.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30), ("1TiB", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "-5s", "1.5s", "5S", "5sec", "\u0665s", "5s\n", "1" * 16 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A" + text.replace(".", r"\.")):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "1", "1MB", "1kib", "1 KiB", "1.5MiB", "1m", "KiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A" + text.replace(".", r"\.")):
        parse_size(text)


@given(st.integers(0, 10**12))
def test_a_rendered_duration_reads_as_itself(milliseconds: int) -> None:
    """To the millisecond nothing is lost on the way out and back."""
    assert parse_duration(render_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(0, 1 << 49))
def test_a_rendered_size_reads_as_itself(size: int) -> None:
    assert parse_size(render_size(size)) == size


def test_the_largest_whole_unit_is_taken() -> None:
    assert [render_duration(s) for s in (0, 0.25, 90, 600, 3600, 172_800)] == [
        "0ms",
        "250ms",
        "90s",
        "10m",
        "1h",
        "2d",
    ]
    assert [render_size(n) for n in (0, 1023, 1536, 2048, 1 << 20)] == [
        "0B",
        "1023B",
        "1536B",
        "2KiB",
        "1MiB",
    ]
