"""What a run of atheris needs on disk: corpus, dictionary, a place for what breaks; and its command."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING

from tests.fuzz.targets import TARGETS, seeds

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 5
"""Seconds after which one input has taken too long."""
MEMORY = 2048
"""How many MiB a process may take."""
LONGEST = 4096
"""Longest input in bytes."""


def prepare(folder: Path, name: str) -> None:
    """Write a target's seeds and words below ``folder``, beside what earlier runs have left."""
    for place in ("corpus", "crashes"):
        (folder / name / place).mkdir(parents=True, exist_ok=True)
    for data in seeds(name):
        (folder / name / "corpus" / sha256(data).hexdigest()[:16]).write_bytes(data)
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in TARGETS[name].words)
    (folder / name / "words").write_text("".join(f'"{word}"\n' for word in words))


def crashes(folder: Path, name: str) -> set[Path]:
    """Give the inputs that broke a target's invariant so far, or took too long."""
    return set((folder / name / "crashes").glob("*"))


def command(folder: Path, name: str) -> list[str]:
    """Give the command of a run, without its end; see libFuzzer's options."""
    place = folder / name
    return [
        sys.executable, "-m", "tests.fuzz.engine", name, str(place / "corpus"), f"-dict={place / 'words'}",
        f"-artifact_prefix={place / 'crashes'}/", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}",
        f"-max_len={LONGEST}", "-print_final_stats=1",
    ]  # fmt: skip
