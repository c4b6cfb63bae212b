"""The whole program killed in the midst of traffic, again and again, on one ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench.torture import Torture

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 5
"""`make torture` does a hundred."""


@pytest.mark.parametrize("durability", ["blocking", "blocking-strict"])
async def test_killed_under_load(tmp_path: Path, durability: str) -> None:
    """After each kill no answered request is without its record, and strictly none upstream without intent.

    After each start the chain is intact and every intent has one outcome; the index holds each record once.
    """
    progress: list[str] = []
    result = await Torture(tmp_path, durability, seed=1).run(KILLS, progress.append)
    assert result.kills == len(progress) == KILLS
    assert result.answered >= KILLS * 50
    assert result.upstream > result.answered // 2
    assert durability == "blocking-strict" or result.unknown == 0
