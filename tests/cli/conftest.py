"""The command line inside this process: its verbs that end by themselves."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from gateway.cli import main
from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path


class Result(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    output: str
    errors: str


class Command(Protocol):
    """Runs ``gateway ARGUMENTS``."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Run it to its end."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.delenv("GATEWAY_DEBUG", raising=False)

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["gateway", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            main()
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        assert isinstance(caught.value.code, int)
        return Result(caught.value.code, output, errors)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a good configuration; nothing listens where it forwards to."""
    return write_config(tmp_path / "gateway.yaml", 9)
