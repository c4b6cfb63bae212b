"""Text that others chose, made fit to be shown to people: in messages, logs and terminals."""

from __future__ import annotations

from typing import Final

LONGEST_ECHO: Final = 32
"""The longest text that a caller made up and a refusal repeats whole, in characters."""
BEGINNING: Final = 16
"""How many characters of a longer one it repeats."""
_LONGEST_NAME: Final = 200


def escape_controls(text: str) -> str:
    r"""Write what is not printable (control characters, line separators, surrogates) as ``\x1b``, ``\u2028``.

    So that no string can end a line, move a terminal's cursor or reverse its writing direction.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def printable(name: str) -> str:
    """Make a name fit for a message: cut after 200 characters, controls escaped."""
    return escape_controls(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…")


def clipped(text: str) -> str:
    """Cut a text that a caller made up, such as a key that no schema names, if it is a long one.

    Callers know their own keys by the beginning. What is longer than :data:`LONGEST_ECHO` may be a secret in
    the wrong place, which has no business in an answer that is kept, shown and mailed around.
    """
    return text if len(text) <= LONGEST_ECHO else text[:BEGINNING] + "…"


def caller_name(name: str) -> str:
    """Make a name that a caller made up fit for a message: :func:`clipped`, controls escaped."""
    return escape_controls(clipped(name))
