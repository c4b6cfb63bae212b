"""A process that serves holds what it needs for that: the readers of the audit trail are loaded elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import Program, post, write_config

READERS = (
    *("gateway.audit.index", "gateway.audit.follower", "gateway.audit.verify", "gateway.audit.replay"),
    *("gateway.audit.tail", "gateway.cli.audit", "gateway.embedded"),
    *("sqlite3", "psycopg", "multiprocessing", "rich"),
)
IMPORTS = "import sys, gateway.cli.app, gateway.process.serve, gateway.wiring; print(*sys.modules)"


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep coverage out of the processes that are looked at: it brings modules of its own."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_what_serving_does_not_import() -> None:
    """Neither the command line nor what ``serve`` runs imports the index, its database or other readers."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "gateway.process.gateway" in modules
    assert "gateway.audit.trail" in modules
    assert [name for name in READERS if name in modules] == []


def test_what_a_running_gateway_does_not_load(tmp_path: Path) -> None:
    """One that has started and answered has no SQLite in its memory; its follower, another process, has."""
    path = write_config(tmp_path / "gateway.yaml", 9)
    with Program("serve", "-c", str(path)) as gateway:
        gateway.started()
        assert post(gateway.port, b"{}")[0] == 400
        mapped = Path(f"/proc/{gateway.process.pid}/maps").read_text(encoding="utf-8")
    assert "libpython" in mapped or "python3" in mapped
    assert "sqlite" not in mapped
