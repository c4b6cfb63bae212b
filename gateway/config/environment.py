"""Environment variables inside a configuration's strings: ``${NAME}``, ``${NAME:-default}``, ``$$``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REFERENCE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|(?P<open>\{))"
)


class FromEnvironment(str):
    """A string that the environment had a part in: digits in it are a number, and no fault repeats it."""

    __slots__ = ()


class Unresolved(str):
    """A string whose substitution failed; that fault is noted, so nothing more is said about it."""

    __slots__ = ()


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Give ``text`` with its references replaced, and what is wrong with them.

    ``${NAME:-default}`` takes the default when the variable is unset or empty, as in a POSIX shell; ``$$``
    is ``$``; a ``$`` before anything but ``{`` stands for itself. The text is a plain str when it came
    through unchanged by the environment, else :class:`FromEnvironment`, or :class:`Unresolved` with faults.
    """
    faults: list[str] = []
    touched = False

    def replace(match: re.Match[str]) -> str:
        nonlocal touched
        if match["dollar"]:
            return "$"
        if match["open"]:
            faults.append(
                "malformed reference: expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"
            )
            return ""
        touched = True
        name, default = match["name"], match["default"]
        value = environ.get(name)
        if default is not None:
            return value or default.replace("$$", "$")
        if value is None:
            faults.append(f"environment variable {name} is not set")
            return ""
        return value

    result = _REFERENCE.sub(replace, text) if "$" in text else text
    if faults:
        return Unresolved(text), faults
    return (FromEnvironment(result) if touched else result), faults


def escape(text: str) -> str:
    """Give the text that :func:`substitute` turns into ``text``."""
    return text.replace("$", "$$")


def substitute_all(
    value: Any,
    environ: Mapping[str, str],
    report: Callable[[tuple[str | int, ...], str], None],
    path: tuple[str | int, ...] = (),
) -> Any:
    """Give a copy of ``value`` with every string in it substituted, keys as they are.

    ``report`` is called with path and message of each fault.
    """
    if isinstance(value, str):
        text, faults = substitute(value, environ)
        for fault in faults:
            report(path, fault)
        return text
    if isinstance(value, dict):
        return {key: substitute_all(item, environ, report, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute_all(item, environ, report, (*path, at)) for at, item in enumerate(value)]
    return value
