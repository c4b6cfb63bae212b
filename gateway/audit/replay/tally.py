"""What replay found, counted by operation, app and code; small, and easily added up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.replay.verdicts import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.audit.replay.verdicts import Judgement

EXAMPLES: Final = 3
"""How many records of each group are named: the first ones by id, which are the oldest."""


class Group(NamedTuple):
    """What requests have in common; ``why`` is the code of the refusal, or why they were not judged."""

    change: Change
    operation: str
    app: str
    why: str


class Members(NamedTuple):
    """How many requests are in a group, and the ids of the first of them."""

    number: int
    ids: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What was found in a part of the ledger, or in all of it.

    ``requests`` is how many request records there were. Of those, ``left_out`` were not decided by contract
    or policy. ``damaged`` counts lines of the ledger that are no sound records.
    """

    requests: int = 0
    unchanged: int = 0
    left_out: int = 0
    damaged: int = 0
    groups: dict[Group, Members] = field(default_factory=dict)

    def add(self, judgement: Judgement, app: str, identity: str) -> None:
        """Count one request."""
        self.requests += 1
        if judgement.change is Change.SAME:
            self.unchanged += 1
        elif judgement.change is Change.LEFT_OUT:
            self.left_out += 1
        else:
            group = Group(judgement.change, judgement.operation, app, judgement.why)
            self._add(group, 1, (identity,))

    def merge(self, other: Tally) -> None:
        """Count what another one has counted, too."""
        self.requests += other.requests
        self.unchanged += other.unchanged
        self.left_out += other.left_out
        self.damaged += other.damaged
        for group, members in other.groups.items():
            self._add(group, *members)

    def _add(self, group: Group, count: int, ids: Iterable[str]) -> None:
        known = self.groups.get(group)
        if known is not None:
            count += known.number
            ids = (*known.ids, *ids)
        self.groups[group] = Members(count, tuple(sorted(ids)[:EXAMPLES]))

    def of(self, change: Change) -> list[tuple[Group, Members]]:
        """Give the groups with one change, the largest first."""
        found = [(group, members) for group, members in self.groups.items() if group.change is change]
        return sorted(found, key=lambda one: (-one[1].number, one[0]))

    def count(self, change: Change) -> int:
        """Give how many requests have one change that is grouped."""
        return sum(members.number for group, members in self.groups.items() if group.change is change)
