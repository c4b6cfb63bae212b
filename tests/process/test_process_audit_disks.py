"""The whole program on disks that are full, failing, hanging or read-only, and its recovery by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.segments import segments, streams
from gateway.audit.verify import verify
from tests.support.disks import injected, mount, small_disk
from tests.support.program import Program, post, run, write_config
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOREVER = "delay_enter=3600000000"


@contextmanager
def serving(
    folder: Path,
    upstream: Recorder,
    directory: Path,
    durability: str = "blocking",
    module: str = "gateway",
) -> Iterator[Program]:
    """Run a gateway with its audit trail in ``directory``."""
    more = f"audit: {{directory: {directory}, durability: {durability}}}\n"
    path = write_config(folder / "gateway.yaml", upstream.port, more)
    with Program("serve", "-c", str(path), module=module) as gateway:
        gateway.started()
        yield gateway


def ask(gateway: Program) -> tuple[int, Any]:
    """Post a message: status and the refusal's code; 0 where the answer was broken off."""
    try:
        status, answer = post(gateway.port)
    except (HTTPException, ConnectionError):
        return 0, None
    return status, answer.get("error", {}).get("code")


def ask_until(gateway: Program, wanted: Callable[[int], bool]) -> list[int]:
    """Post messages until a status is wanted, and give all."""
    statuses: list[int] = []
    while not statuses or not wanted(statuses[-1]):
        statuses.append(ask(gateway)[0])
    return statuses


async def assert_refusing(gateway: Program, upstream: Recorder) -> int:
    """See that nothing is taken on, and nothing forwarded; give how many requests were refused for that."""
    count = len(upstream.requests)
    for _ in range(3):
        assert await asyncio.to_thread(ask, gateway) == (503, "audit_unavailable")
    status, body = await asyncio.to_thread(gateway.ready)
    assert (status, body["reasons"]) == (503, ["audit_unavailable"])
    assert len(upstream.requests) == count
    return 3


def restored(directory: Path) -> list[dict[str, int]]:
    """Give what the records tell of outages."""
    lines = [
        line
        for _, folder in streams(directory)
        for segment in segments(folder)
        for line in segment.path.read_text("ascii").splitlines()
    ]
    found = map(json.loads, lines)
    return [one["detail"] for one in found if one.get("event") == "restored"]


async def assert_recovered(gateway: Program, directory: Path, refused: int) -> None:
    """See that it serves again by itself, and that one record tells what was refused meanwhile."""
    await asyncio.to_thread(gateway.wait_event, "audit_restored")
    assert await asyncio.to_thread(ask, gateway) == (200, None)
    status, body = await asyncio.to_thread(gateway.ready)
    assert (status, body["reasons"]) == (200, [])
    assert await asyncio.to_thread(gateway.stop) == 0
    assert verify(directory).fault_count == 0
    assert restored(directory) == [{"refused": refused, "lost": 0}]


@pytest.mark.parametrize("durability", ["blocking", "blocking-strict"])
async def test_a_full_disk(tmp_path: Path, durability: str) -> None:
    """When the last page is full nothing more is taken on; when there is room again all goes on by itself."""
    with small_disk(tmp_path / "disk") as disk:
        async with Recorder() as upstream:
            with serving(tmp_path, upstream, disk / "audit", durability) as gateway:
                assert await asyncio.to_thread(ask, gateway) == (200, None)
                ballast = disk / "ballast"
                space = os.statvfs(disk)
                with ballast.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, (space.f_bavail - 8) * space.f_frsize)
                statuses = await asyncio.to_thread(ask_until, gateway, lambda status: status != 200)
                assert statuses[-1] in (0, 503)  # strictly it may have been an intent
                failed = await asyncio.to_thread(gateway.wait_event, "audit_unavailable")
                assert "No space left on device" in failed["fault"]
                refused = await assert_refusing(gateway, upstream)
                ballast.unlink()
                await assert_recovered(gateway, disk / "audit", refused)


async def test_a_disk_that_fails(tmp_path: Path) -> None:
    """A failed fdatasync is believed: nothing is taken on until the ledger was opened anew and checked."""
    directory = tmp_path / "audit"
    async with Recorder() as upstream:
        with serving(tmp_path, upstream, directory) as gateway:
            assert await asyncio.to_thread(ask, gateway) == (200, None)
            with injected(gateway.process.pid, "error=EIO"):
                assert await asyncio.to_thread(ask, gateway) == (0, None)
                failed = await asyncio.to_thread(gateway.wait_event, "audit_unavailable")
                assert "Input/output error" in failed["fault"]
                refused = await assert_refusing(gateway, upstream)
            await assert_recovered(gateway, directory, refused)


async def test_a_disk_that_hangs(tmp_path: Path) -> None:
    """An fdatasync that never ends breaks the answers that wait for it; nothing more is taken on."""
    directory = tmp_path / "audit"
    async with Recorder() as upstream:
        with serving(tmp_path, upstream, directory) as gateway:
            assert await asyncio.to_thread(ask, gateway) == (200, None)
            with injected(gateway.process.pid, FOREVER):
                assert await asyncio.to_thread(ask, gateway) == (0, None)
                failed = await asyncio.to_thread(gateway.wait_event, "audit_unavailable")
                assert "nothing was on disk within" in failed["fault"]
                refused = await assert_refusing(gateway, upstream)
            await assert_recovered(gateway, directory, refused)


async def test_the_end_on_a_disk_that_hangs(tmp_path: Path) -> None:
    """Draining ends in bounded time, and says what could not be written."""
    async with Recorder() as upstream:
        with serving(tmp_path, upstream, tmp_path / "audit", module="tests.support.impatient") as gateway:
            with injected(gateway.process.pid, FOREVER):
                assert await asyncio.to_thread(ask, gateway) == (0, None)
                gateway.send_signal(signal.SIGTERM)
                await asyncio.to_thread(gateway.wait_event, "stopped")
            # Its last thread is strace's until then.
            assert await asyncio.to_thread(gateway.wait) == 1
            (lost,) = gateway.events("audit_lost")
            assert lost["records"] >= 2
            assert gateway.errors == []


def test_a_read_only_directory(tmp_path: Path) -> None:
    """A gateway that could not record anything does not start, and says in a sentence why."""
    with small_disk(tmp_path / "disk") as disk:
        mount("-o", "remount,ro", str(disk))
        path = write_config(tmp_path / "gateway.yaml", 9, f"audit: {{directory: {disk / 'audit'}}}\n")
        done = run("serve", "-c", str(path))
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert str(disk) in line
    assert "Read-only file system" in line


def test_a_start_on_a_full_disk(tmp_path: Path) -> None:
    """A sentence and status 2; with room again the next start finds nothing in its way."""
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        path = write_config(tmp_path / "gateway.yaml", 9, f"audit: {{directory: {disk / 'audit'}}}\n")
        for free in (0, 2):
            ballast.unlink(missing_ok=True)
            space = os.statvfs(disk)
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, (space.f_bavail - free) * space.f_frsize)
            done = run("serve", "-c", str(path))
            assert (done.returncode, done.stdout) == (2, b"")
            (line,) = done.stderr.decode().splitlines()
            assert line.startswith(f"gateway: {disk / 'audit'}/")
            assert line.endswith("No space left on device.")
        ballast.unlink()
        with Program("serve", "-c", str(path)) as gateway:
            gateway.started()
            assert gateway.stop() == 0
        assert verify(disk / "audit").fault_count == 0
