"""What a record says of a body that was not kept, held against what an operation asks. Pure.

Facts can refuse a body, and never permit one: all they tell is that something is too much.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.core.policy import FILE_LISTS
from gateway.core.view import View, forbids, tightest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import Operation


class Facts:
    """Holds the facts of records against the JSON bodies of one operation."""

    def __init__(self, operation: Operation) -> None:
        self._view: View | None = None
        self._most_files: float | None = None
        self._forbidden: dict[str, bool] = {}
        contents = [] if operation.body is None else list(operation.body.media_types.values())
        # What is only reported refuses nothing, and of several media types it is not known which it was.
        if len(contents) == 1 and operation.judged and not operation.reported:
            validator = contents[0].validator
            self._view = View.of(validator.schema, validator.definitions)
            self._most_files = _most_files(self._view)

    def refusal(self, record: Mapping[str, Any]) -> str | None:
        """Give the code by which a body with these facts is certainly refused; None where it may pass."""
        count = record.get("file_count")
        if self._most_files is not None and isinstance(count, int) and count > self._most_files:
            return "array_above_max_length"
        if any(map(self._forbids, record.get("metadata_keys", ()))):
            return "unknown_parameter"
        return None

    def _forbids(self, key: str) -> bool:
        """Say whether no body may have this key of ``metadata``."""
        if self._view is None:
            return False
        known = self._forbidden.get(key)
        if known is None:
            known = self._view.member("metadata").proves(partial(forbids, name=key))
            self._forbidden[key] = known
        return known


def _most_files(view: View) -> float | None:
    """Give how many files a body may name in both of its lists together; None where there is no bound."""
    total = 0.0
    for name in FILE_LISTS:
        member = view.member(name)
        if member.possible:
            bound = tightest(member, "maxItems")
            if bound is None:
                return None
            total += bound
    return total
