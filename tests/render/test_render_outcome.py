"""An outcome's members: made once for all who want the same, and anew where limits differ."""

from __future__ import annotations

import json

import pytest

from gateway.core.types import Decision, Layer, Outcome, Phase, Violation
from gateway.render.outcome import OutcomeMembers

OUTCOME = Outcome("id", 1.8e9, 1.5, "127.0.0.1", "abc", Phase.RELAY, Decision.ALLOW, 200, path="/v1/x")
VIOLATION = Violation("/x", "x", "invalid_type", "message", "/x", "x", Layer.CONTRACT)
FEW, MANY = OutcomeMembers(max_text=256, max_violations=1), OutcomeMembers(max_text=1024, max_violations=9)


def test_what_one_has_made_is_what_the_other_gives() -> None:
    """The text is the same, and the very same object: it was not made twice."""
    outcome = OUTCOME._replace(rendered=[])
    assert MANY(outcome) is FEW(outcome)
    assert MANY(outcome) == MANY(OUTCOME) == FEW(OUTCOME)


@pytest.mark.parametrize(
    "changes", [{"path": "/" + "x" * 256}, {"violations": (VIOLATION,) * 2, "violation_count": 2}]
)
def test_limits_that_differ(changes: dict[str, object]) -> None:
    """Whoever may tell more does so, whoever came first."""
    for first, second in ((FEW, MANY), (MANY, FEW)):
        outcome = OUTCOME._replace(rendered=[], **changes)
        assert (first(outcome), second(outcome)) == tuple(
            one(outcome._replace(rendered=None)) for one in (first, second)
        )
        assert first(outcome) != second(outcome)
    assert json.loads(f"{{{MANY(OUTCOME._replace(**changes))}}}")["status"] == 200
