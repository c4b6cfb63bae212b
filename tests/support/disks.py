"""Disks that are full, read-only, failing or hanging; where the machine has no such, a test is skipped."""

from __future__ import annotations

import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(path: Path, size: str = "1m") -> Iterator[Path]:
    """Give a file system of so many bytes at ``path``: a tmpfs."""
    path.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)


def mount(*arguments: str) -> None:
    """Use the mount command."""
    program = shutil.which("mount")
    done = program and subprocess.run([program, *arguments], capture_output=True, check=False)
    if not done or done.returncode:
        pytest.skip("this needs the right to mount a tmpfs")


@contextmanager
def injected(pid: int, fault: str) -> Iterator[None]:
    """Have strace(1) tamper with each fdatasync(2) of a process: ``error=EIO``, ``delay_enter=…`` (µs)."""
    program = shutil.which("strace")
    if program is None:
        pytest.skip("this needs strace")
    command = [program, "-f", "-e", "trace=fdatasync", "-e", f"inject=fdatasync:{fault}", "-p", str(pid)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert strace.stderr is not None
    try:
        first = strace.stderr.readline()
        if "attached" not in first:
            pytest.skip(f"strace may not be used here: {first.strip()}")
        yield
    finally:
        strace.send_signal(signal.SIGINT)  # it lets go of the process then
        try:
            strace.communicate(timeout=5)
        except subprocess.TimeoutExpired:  # as where the process has ended meanwhile
            strace.kill()
            strace.communicate()
