"""Parsers of other languages as child processes, and the form in which they say what they read.

The form is one line that two values share only if they mean the same: numbers by the bits of their double,
strings by their UTF-16 units, members sorted by key. JavaScript has nothing but doubles, and so has Go where
nobody tells it otherwise; integers beyond 2^53 are therefore compared as the doubles next to them, and -0
as 0.
"""

from __future__ import annotations

import base64
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from gateway.core.types import Json

REFUSED: Final = "!"
"""What a parser answers in place of a form when it does not take the text."""
_HERE: Final = Path(__file__).parent


def form(value: Json) -> str:
    """Give the form of a value, as the parsers in other languages write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "#" + struct.pack(">d", float(value) + 0.0).hex()  # -0.0 + 0.0 is 0.0
    if isinstance(value, str):
        return f'"{value.encode("utf-16-be").hex()}"'
    if isinstance(value, list):
        return f"[{''.join(map(form, value))}]"
    return f"{{{''.join(sorted(form(key) + form(item) for key, item in value.items()))}}}"


class Reader:
    """A parser of another language, as long as the ``with`` block lasts."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes():
            pipe.close()
        self._process.wait()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def read(self, body: bytes) -> str:
        """Give the form of what the parser makes of ``body``, or :data:`REFUSED`."""
        questions, answers = self._pipes()
        questions.write(base64.b64encode(body) + b"\n")
        questions.flush()
        return answers.readline().decode().strip()


def node(_: Path) -> Reader | None:
    """Give JSON.parse of Node.js, if that is here."""
    program = shutil.which("node")
    return Reader([program, str(_HERE / "json_reader.js")]) if program else None


def go(folder: Path) -> Reader | None:
    """Give Go's encoding/json, built into ``folder``, if Go is here."""
    program = shutil.which("go")
    if program is None:
        return None
    built, source = folder / "json_reader", _HERE / "json_reader.go"
    local = os.environ | {"GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0"}
    subprocess.run([program, "build", "-o", str(built), str(source)], env=local, check=True)
    return Reader([str(built)])
