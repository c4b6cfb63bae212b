"""What one judging of a value remembers: silent verdicts, and how much may still be spent on explanations.

Schemas may be circular, and choices (``anyOf`` and the like) ask several schemas about one value. Without a
memory, two branches that both lead back to their schema would ask twice as often at each level of the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.core.schema.report import Place, Report
    from gateway.core.schema.rules import Check
    from gateway.core.types import Json

_WORTH_REMEMBERING: Final = 16
_BUDGET: Final = 10_000


class Trial:
    """``verdicts`` by schema and value, both by identity; the value must live as long as the trial.

    ``steps`` counts the work that was done, about one for each array or object that a schema was asked about.
    ``budget`` is how many members and items may still be looked at in order to find the closest branch.
    """

    __slots__ = ("budget", "steps", "verdicts")

    def __init__(self) -> None:
        self.verdicts: dict[tuple[int, int], bool] = {}
        self.steps = 0
        self.budget = _BUDGET


def remembered(check: Check) -> Check:
    """Let a trial remember what a check says of an array or an object, and a report what it told.

    A verdict that took little work is not kept: asking again costs less than the memory, and all in all stays
    linear in the value.
    """
    fits, tell, verdict, telling = check.fits, check.tell, id(check.schema), id(check)

    def fits_once(value: Json, trial: Trial) -> bool:
        if type(value) is not dict and type(value) is not list:
            return fits(value, trial)
        key = (verdict, id(value))
        known = trial.verdicts.get(key)
        if known is not None:
            return known
        before = trial.steps
        trial.steps = before + 1 + (len(value) >> 3)
        known = fits(value, trial)
        if trial.steps - before > _WORTH_REMEMBERING:
            trial.verdicts[key] = known
        return known

    def tell_once(value: Json, place: Place, report: Report) -> None:
        if type(value) is not dict and type(value) is not list:
            tell(value, place, report)
            return
        trial = report.trial
        key = (telling, id(value))
        if key in report.told or trial.verdicts.get((verdict, id(value))):
            return
        before = trial.steps
        trial.steps = before + 1 + (len(value) >> 3)
        tell(value, place, report)
        if trial.steps - before > _WORTH_REMEMBERING:
            report.told.add(key)

    check.fits, check.tell = fits_once, tell_once
    return check
