"""The words of x-embedded-mode are read strictly."""

from __future__ import annotations

import pytest

from gateway.embedded import modes
from gateway.embedded.modes import Mode, read_mode


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        ("", Mode()),
        (" , ", Mode()),
        ("slow=0.5", Mode(slow=0.5)),
        ("slow=60", Mode(slow=60.0)),
        ("fail=500", Mode(fail=500)),
        ("reset", Mode(breaks="reset")),
        ("stream=0", Mode(stream=0)),
        ("stream=5, pause=0.25,truncate", Mode(stream=5, pause=0.25, breaks="truncate")),
        ("slow=1,stall", Mode(slow=1.0, breaks="stall")),
    ],
)
def test_reads(value: str, mode: Mode) -> None:
    assert read_mode(value) == mode


@pytest.mark.parametrize(
    "value",
    [
        "fish",
        "slow",
        "slow=",
        "slow=-1",
        "slow=60.1",
        "slow=nan",
        "slow=1e3",
        "slow=1,slow=1",
        "fail",
        "fail=200",
        "fail=600",
        "fail=500.0",
        "reset=1",
        "reset,stall",
        "stream=1001",
        "stream=٣",
        "pause=61",
        "stream=5;pause=1",
    ],
)
def test_refuses(value: str) -> None:
    """An unknown word, a figure out of range, a word twice, two ways to break: a sentence, not a guess."""
    with pytest.raises(ValueError, match=r"\.$"):
        read_mode(value)


def test_every_word_is_documented() -> None:
    """The module's table has a row for each word, and no other."""
    rows = [line for line in (modes.__doc__ or "").splitlines() if line.startswith("| `")]
    words = {row.split("`")[1].split("=")[0] for row in rows}
    assert words == {*modes._FIGURES, *modes._BREAKS}
