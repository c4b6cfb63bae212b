"""The examples beside the packs, judged as requests are: each becomes what it says."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from gateway.core.codes import status_of
from gateway.core.decide import Rules, decide
from gateway.core.route import RouteTable
from gateway.core.types import Permit, Rejection
from tests.support.examples import FOLDER, read_examples, read_pack

if TYPE_CHECKING:
    from gateway.core.types import Verdict
    from tests.support.examples import Example

PACKS: Final = ("assistants-v1", "assistants-v2", "conversations", "responses", "chat-completions")
EXAMPLES: Final = [example for pack in PACKS for example in read_examples(pack)]
ACCEPTED: Final = [example for example in EXAMPLES if example.code is None]
REFUSED: Final = [example for example in EXAMPLES if example.code is not None]

BY_SCHEMA: Final = frozenset(
    (
        "missing_required_parameter",
        "unknown_parameter",
        "unexpected_body",
        "invalid_type",
        "invalid_value",
        "string_above_max_length",
        "empty_string",
        "array_above_max_length",
        "empty_array",
        "object_below_min_properties",
        "object_above_max_properties",
        "integer_below_min_value",
        "integer_above_max_value",
        "decimal_below_min_value",
        "decimal_above_max_value",
        "array_items_not_unique",
        "duplicate_key",
        "json_too_deep",
        "invalid_json",
        "unsupported_media_type",
    )
)
"""The codes that a pack's parameters, media types, schemas and bodies can give."""


@cache
def rules(pack: str) -> Rules:
    """Compile a pack, its paths below ``/v1``."""
    return Rules(RouteTable(read_pack(f"pack:{pack}", prefix="/v1")), max_depth=32)


def ask(example: Example) -> Verdict:
    """Judge an example's request."""
    return decide(rules(example.pack), example.raw_head, example.body)


@pytest.mark.parametrize("example", ACCEPTED, ids=str)
def test_accepted(example: Example) -> None:
    """It is permitted without a finding, and the permit holds its very bytes."""
    verdict = ask(example)
    assert isinstance(verdict, Permit), verdict
    assert verdict.body == example.body
    assert verdict.findings is None


@pytest.mark.parametrize("example", REFUSED, ids=str)
def test_refused(example: Example) -> None:
    """It is refused with exactly these violations, all of them, in this order."""
    verdict = ask(example)
    assert isinstance(verdict, Rejection), "it is permitted"
    found = [(one.code, one.pointer, one.param, one.layer.value) for one in verdict.violations]
    assert found == [tuple(told) for told in example.violations]
    assert verdict.total == len(found)
    assert (verdict.code, status_of(verdict.code)) == (example.code, example.status)


def test_every_pack_has_its_examples() -> None:
    """There is a file of examples for each pack, and in it enough of both kinds, each told once."""
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(PACKS)
    assert not [name for name, count in Counter(map(str, EXAMPLES)).items() if count > 1]
    for pack in PACKS:
        few = 9 if pack == "assistants-v1" else 12
        assert sum(example.pack == pack for example in ACCEPTED) >= few
        assert sum(example.pack == pack for example in REFUSED) >= 20


@pytest.mark.parametrize("pack", PACKS)
def test_every_operation_has_an_accepted_example(pack: str) -> None:
    """No operation of a pack is left without a request that it takes."""
    verdicts = [ask(example) for example in ACCEPTED if example.pack == pack]
    shown = {verdict.operation.name for verdict in verdicts if isinstance(verdict, Permit)}
    assert shown == {operation.name for operation in read_pack(f"pack:{pack}")}


def test_the_faults_are_many_and_of_every_kind() -> None:
    """At least 100 refusals with at least 150 faults in all, and every code that a pack can give."""
    faults = [told for example in REFUSED for told in example.violations]
    assert len(REFUSED) >= 100
    assert len(faults) >= 150
    told = {fault.code for fault in faults} | {example.code for example in REFUSED}
    assert told >= BY_SCHEMA
