"""The pieces of the program's life that a running one does not show: no uvloop, no start, no change."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from gateway.observe.logs import configure
from gateway.process import serve
from gateway.process.gateway import Gateway
from gateway.wiring import compile_plan
from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def _loop_name() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no uvloop, asyncio's own loop serves."""
    assert serve.run(_loop_name()).startswith("uvloop")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert serve.run(_loop_name()).startswith("asyncio")


async def test_draining_what_never_started(tmp_path: Path) -> None:
    """A gateway that was made and never listened can be ended all the same."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    logs = configure(stream_fd=descriptor)
    try:
        plan = compile_plan(write_config(tmp_path / "gateway.yaml", 9), {})
        gateway = Gateway(plan, logs)
        assert gateway.plan is plan
        await gateway.drain()
    finally:
        logs.close()
        os.close(descriptor)


async def test_watching_without_a_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Looks that find nothing new do nothing; a change reloads once."""
    stamps = itertools.chain([1, 1, 1, 2, 2, 3], itertools.repeat(3))
    seen: list[int] = []
    reloads: list[int] = []
    twice = asyncio.Event()

    def look(_: object) -> dict[Path, int]:
        seen.append(next(stamps))
        return {tmp_path: seen[-1]} | ({tmp_path / "named later": 1} if seen[-1] > 1 else {})

    def reload() -> None:
        reloads.append(seen[-1])
        if len(reloads) == 2:
            twice.set()

    monkeypatch.setattr(serve, "WATCH_EVERY", 0)
    monkeypatch.setattr(serve, "_stamps", look)
    gateway = cast("Any", SimpleNamespace(files=[tmp_path]))
    watching = asyncio.create_task(serve._watch(gateway, reload))
    await twice.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert reloads == [2, 3]
