"""A contract of many operations beside createMessage, to show that their number costs a request nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_VERBS = ("get", "post", "put", "patch", "delete")
_BELOW_THREAD = 50
"""How many of the paths share everything but their last segment with the one that is measured."""


def write_contract(home: Path, count: int) -> Path:
    """Write an OpenAPI document of ``count`` operations into ``home`` and give its path.

    They have schemas of their own, so that each has validators, and lie as close to createMessage's route as
    an API's do: below ``/threads/{thread_id}`` and beside ``/threads``.
    """
    paths: dict[str, dict[str, Any]] = {}
    for number in range(count):
        place = number // len(_VERBS)
        parent = "/threads/{thread_id}" if place < _BELOW_THREAD else f"/resource_{place}/{{thread_id}}"
        path = paths.setdefault(f"{parent}/part_{place}", {})
        path[_VERBS[number % len(_VERBS)]] = _operation(number)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Many operations", "version": "1"},
        "servers": [{"url": "https://example.org/v1"}],
        "paths": paths,
    }
    file = home / f"operations-{count}.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def _operation(number: int) -> dict[str, Any]:
    properties = {
        f"member_{number}_{index}": {"type": "string", "maxLength": 100 + index} for index in range(10)
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    thread = {"name": "thread_id", "in": "path", "required": True, "schema": {"type": "string"}}
    operation: dict[str, Any] = {
        "operationId": f"operation_{number}",
        "parameters": [thread],
        "responses": {"200": {"description": "Done."}},
    }
    if _VERBS[number % len(_VERBS)] not in {"get", "delete"}:
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation
