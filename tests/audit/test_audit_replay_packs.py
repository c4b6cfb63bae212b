"""The shipped contracts, judged by structure: every example's verdict is kept or left open, never turned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.audit.instance import Keys
from gateway.audit.redaction import enumerated, redact
from gateway.audit.replay.bounds import Bounding
from gateway.core.decide import Rules
from gateway.core.parse import JsonFault, parse
from gateway.core.route import Route, RouteTable
from tests.support.examples import read_examples, read_pack

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.core.types import Operation

PACKS = ["assistants-v1", "assistants-v2", "chat-completions", "conversations", "responses"]
JSON = "application/json"


def passes(operation: Operation, body: bytes) -> bool:
    assert operation.body is not None
    return operation.body.media_types[JSON].validator.fast(parse(body, max_depth=32))


@pytest.mark.parametrize("pack", PACKS)
def test_examples(pack: str, tmp_path: Path) -> None:
    """Lenient and strict forms bound the real one, and hardly anything that is accepted is left open."""
    keys = Keys(tmp_path)
    bounding = Bounding(keys.possible)
    rules = Rules(RouteTable(read_pack(f"pack:{pack}")), 32)
    seen = decided = 0
    for example in read_examples(pack):
        method, target, _ = example.raw_head.split(b"\r\n")[0].decode().split(" ")
        route = rules.routes.match(method, target.partition("?")[0])
        if not isinstance(route, Route) or route.operation.body is None:
            continue
        operation = route.operation
        if JSON not in operation.body.media_types:
            continue
        try:
            value = parse(example.body, max_depth=32)
        except JsonFault:
            continue
        bounds = bounding.of(operation)
        redacted = json.loads(redact(value, enumerated(operation), keys.sign))
        restored = json.dumps(bounds.placeholders.restore(redacted)).encode()
        real, lenient = passes(operation, example.body), passes(bounds.lenient, restored)
        strict = lenient if bounds.strict is None else passes(bounds.strict, restored)
        assert strict <= real <= lenient, example
        seen += 1
        decided += lenient == strict
    assert seen
    assert decided >= 0.8 * seen, (decided, seen)
