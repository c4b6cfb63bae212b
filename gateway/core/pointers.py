"""JSON Pointers (RFC 6901): how a place in a JSON value is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def pointer(tokens: Iterable[str | int]) -> str:
    """Write keys and indexes as a pointer (section 5); that of the whole value is empty."""
    return "".join(f"/{escaped(str(token))}" for token in tokens)


def escaped(token: str) -> str:
    """Write one key as it stands in a pointer (section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def unescaped(token: str) -> str:
    """Give the key that a well-formed part of a pointer stands for (section 4)."""
    return token.replace("~1", "/").replace("~0", "~")
