"""What an operator can be told: the one family of exceptions that leave this package, and hints.

Every fault of the outside world (configuration, contract documents, files, addresses) is raised as a
:class:`GatewayError` and printed without a traceback. Any other exception that escapes is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class GatewayError(Exception):
    """The base of all errors that an operator is shown. Its text is one or more whole sentences.

    ``exit_status`` is that of a command which it ends: 2 where 1 would be an answer, as of ``audit verify``.
    """

    exit_status: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in one place of a file; lines and columns count from 1, 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Give the form that editors and terminals make clickable: ``file:line:column: message``."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(GatewayError):
    """A configuration or a document it names cannot be used. Carries every fault found, in order."""

    exit_status = 2

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give ``; did you mean 'x'?`` where one of ``known`` is near ``name``, else nothing."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
