"""Finding the operation that a verb's argument names."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gateway.core.types import Operation
    from gateway.wiring import Plan


def find_operation(plan: Plan, name: str) -> Operation:
    """Give the operation ``name``; a usage error that lists the known ones if there is none."""
    known = {operation.name: operation for operation in plan.operations}
    if name in known:
        return known[name]
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(sorted(known))
    raise typer.BadParameter(f"there is no operation {name!r}; {hint}", param_hint="OPERATION")
