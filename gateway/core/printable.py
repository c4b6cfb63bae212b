"""Text that others chose, made fit to be shown to people: in messages, logs and terminals."""

from __future__ import annotations

from typing import Final

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
    """Make a caller's name fit for a message: cut after 200 characters, controls escaped."""
    return escape_controls(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…")
