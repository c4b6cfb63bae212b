"""JSON equality: what ``enum``, ``const`` and ``uniqueItems`` compare by (draft 7, section 4.2.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.core.types import Json


def canonical(value: Json) -> str:
    """Give a text that two values share exactly when they are equal as JSON.

    ``1`` equals ``1.0`` and not ``true``; the order of an object's members does not count. Being a string, it
    can be hashed without a caller being able to choose values whose hashes collide.
    """
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Json) -> Json:
    """Write numbers alike that are equal."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
