"""The configuration keys that are part of the interface and not served yet.

Each is refused by name, apart from unknown keys: a setting that nothing obeys must not look obeyed. To
serve one, delete it here and add it to ``model.py``.
"""

from __future__ import annotations

from typing import Any, Final

PENDING: Final[tuple[tuple[str, ...], ...]] = (
    ("listen", "tls", "client_ca"),
    ("upstreams", "*", "check"),
    ("unlisted_upstream",),
    ("policies", "*", "rate"),
    ("apps",),
    ("identify",),
    ("rate_store",),
    ("rate_store_down",),
    ("candidate",),
)
"""Paths of keys; ``*`` stands for any name."""


def pending_keys(parent: tuple[str | int, ...]) -> list[str]:
    """Give the keys below ``parent`` that are known and not served yet."""
    return [path[-1] for path in PENDING if _matches(path[:-1], parent)]


def without_pending(
    value: Any, parent: tuple[str | int, ...] = ()
) -> tuple[Any, list[tuple[str | int, ...]]]:
    """Give ``value`` without the keys not served yet, and the paths of those that were there."""
    if not isinstance(value, dict):
        return value, []
    pending = pending_keys(parent)
    kept, found = {}, []
    for key, member in value.items():
        if key in pending:
            found.append((*parent, key))
        else:
            kept[key], deeper = without_pending(member, (*parent, key))
            found += deeper
    return kept, found


def _matches(pattern: tuple[str, ...], path: tuple[str | int, ...]) -> bool:
    return len(pattern) == len(path) and all(
        want in {"*", step} for want, step in zip(pattern, path, strict=True)
    )
