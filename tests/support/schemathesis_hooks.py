"""What schemathesis does not make up: a schema has no words for it, and this gateway refuses it by promise.

Loaded by schemathesis itself: ``hooks`` in the configuration that tests/process/test_schemathesis.py writes.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import schemathesis

_LIMIT = 1 << 63
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _fits(value: Any) -> bool:
    """Say whether all integers are of 64 bits: beyond that, JSON parsers read different values."""
    if isinstance(value, dict):
        return all(map(_fits, value.values()))
    if isinstance(value, list):
        return all(map(_fits, value))
    return not isinstance(value, int) or -_LIMIT <= value < _LIMIT


def _is_clean(value: Any) -> bool:
    """Say whether no text has a control character: none may stand in a query, escaped or not."""
    if isinstance(value, dict):
        return all(map(_is_clean, value)) and all(map(_is_clean, value.values()))
    if isinstance(value, list):
        return all(map(_is_clean, value))
    return not isinstance(value, str) or _CONTROL.search(value) is None


@schemathesis.hook
def filter_body(_context: Any, body: Any) -> bool:
    return _fits(body)


@schemathesis.hook
def filter_query(_context: Any, query: Any) -> bool:
    return _is_clean(query) and _fits(query)


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, _response: Any) -> bool:
    """Keep what an independent validator agrees with: that a refused body is good, or a permitted one bad.

    The coverage phase puts properties together without regard to ``dependentSchemas``, and takes a body for
    bad that fits another branch of a choice.
    """
    if failure.code not in {"ST201", "ST202"} or case.media_type != "application/json":
        return True
    if failure.code == "ST201" and "Invalid component: in body" not in failure.message:
        return True
    document = case.operation.schema.raw_schema
    body = case.operation.definition.raw["requestBody"]["content"][case.media_type]["schema"]
    schema = {"allOf": [body], "components": document["components"]}
    valid = jsonschema_rs.Draft202012Validator(schema).is_valid(case.body)
    return bool(valid) == (failure.code == "ST202")
