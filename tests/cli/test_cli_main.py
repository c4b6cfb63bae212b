"""What all verbs share: exit statuses, and that no fault prints a traceback."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from gateway import __version__, cli, wiring
from gateway.cli import main
from gateway.errors import ConfigError, Fault, GatewayError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


def _raising(error: BaseException) -> Any:
    def compile_plan(*_: object) -> NoReturn:
        raise error

    return compile_plan


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (GatewayError("Nothing to be had."), 1, "gateway: Nothing to be had.\n"),
        (ConfigError([Fault("a", 1, 2, "b"), Fault("c", 0, 0, "d")]), 2, "a:1:2: b\nc:0:0: d\n"),
        (
            ZeroDivisionError("canary"),
            1,
            "gateway: internal error (ZeroDivisionError); GATEWAY_DEBUG=1 shows where.\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_whatever_is_raised(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str
) -> None:
    """An expected fault is its own text, a bug one line; neither has a traceback."""
    monkeypatch.setattr(wiring, "compile_plan", _raising(error))
    result = command("schema", "createMessage")
    assert (result.status, result.output) == (status, "")
    assert result.errors == words


def test_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    """With GATEWAY_DEBUG an exception that is a bug is raised as it is."""
    monkeypatch.setattr(wiring, "compile_plan", _raising(ZeroDivisionError()))
    monkeypatch.setenv("GATEWAY_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["gateway", "schema", "createMessage"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_an_interrupt_before_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the program is still being loaded ends it quietly."""

    def app() -> NoReturn:
        raise KeyboardInterrupt

    from gateway.cli import app as module

    monkeypatch.setattr(module, "app", app)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130


@pytest.mark.parametrize("arguments", [["schema", "createMessage"], ["check"], ["version"], ["--help"]])
def test_a_reader_that_has_gone(config: Path, arguments: list[str]) -> None:
    """Output into a pipe that nobody reads (``gateway … | head -0``) ends the command quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    environ = os.environ | {"GATEWAY_CONFIG": str(config), "PYTHONUNBUFFERED": ""}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            env=environ,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_help_names_every_verb(command: Command) -> None:
    """--help lists the verbs; without any, a usage error does."""
    result = command("--help")
    assert result.status == 0
    for verb in ("check", "demo", "schema", "serve", "upstream", "validate", "version"):
        assert f"\n  {verb} " in result.output
        assert command(verb, "-h").status == 0
    assert command() == (2, "", result.output)


def test_unknown_verbs_and_options(command: Command) -> None:
    """Usage errors have exit status 2."""
    assert command("serv").status == 2
    assert command("check", "--colour").status == 2


def test_version(command: Command) -> None:
    """Version, Python's, and which accelerations are in use."""
    result = command("version")
    assert result.status == 0
    lines = result.output.splitlines()
    assert lines[0] == f"message-gateway {__version__}"
    assert lines[1].split()[:2] == [platform.python_implementation(), platform.python_version()]
    assert any(line.startswith("aiohttp ") for line in lines)


def test_version_without_accelerations(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said."""
    from importlib.metadata import PackageNotFoundError

    from gateway import documents
    from gateway.cli import version

    def version_of(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "find_spec", lambda _: None)
    monkeypatch.setattr(version, "version_of", version_of)
    monkeypatch.setattr(documents, "ACCELERATED", False)
    output = command("version").output
    assert "event loop: asyncio (uvloop is not installed)" in output
    assert "YAML: pure Python" in output
    assert "aiohttp is not installed" in output


def test_importing_the_program_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m gateway`` runs it, ``import gateway.__main__`` does not."""
    from gateway.__main__ import main as same

    assert same is main
    assert capsys.readouterr() == ("", "")
