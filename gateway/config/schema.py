"""The configuration's JSON Schema, for editors.

``python -m gateway.config.schema > config/gateway.schema.json`` writes it. It is generated from the model.
Since environment variables are put in before the model reads a value, any value may be a string with ``${``
in it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from gateway.config.model import Config
from gateway.config.units import DURATION_PATTERN, SIZE_PATTERN, render_duration, render_size

if TYPE_CHECKING:
    from collections.abc import Callable

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = {"type": "string", "pattern": r"\x24\{"}
"""``${``; spelt so because not every validator leaves an escaped dollar sign alone."""
_RENDER: Final[dict[str, Callable[[Any], str]]] = {
    DURATION_PATTERN: render_duration,
    SIZE_PATTERN: render_size,
}


def build() -> dict[str, Any]:
    """Give the JSON Schema, draft 2020-12."""
    generated: dict[str, Any] = _as_written(Config.model_json_schema())
    return {"$schema": _DIALECT, "title": "Message Gateway configuration", **generated}


def text() -> str:
    """Give the file's text."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def _as_written(part: Any) -> Any:
    """Let each value that is narrower than a string also be a reference; write defaults as people do."""
    if isinstance(part, list):
        return [_as_written(item) for item in part]
    if not isinstance(part, dict):
        return part
    result = {
        key: member if key in {"default", "required", "propertyNames"} else _as_written(member)
        for key, member in part.items()
    }
    result.pop("title", None)
    render = _RENDER.get(result.get("pattern", ""))
    if render and "default" in result:
        result["default"] = render(result["default"])
    if "patternProperties" in result:
        result["additionalProperties"] = False  # no other names
    narrow = result.get("type") in ("integer", "boolean") or "const" in result or "enum" in result
    if not narrow and not (result.get("type") == "string" and "pattern" in result):
        return result
    outer = {key: result.pop(key) for key in ("default", "description") if key in result}
    return {"anyOf": [result, _REFERENCE]} | outer


if __name__ == "__main__":
    sys.stdout.write(text())
