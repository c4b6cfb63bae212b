"""Where a violation is, and the report that violations are gathered in.

A report takes violations in whatever order they are found. What it gives is in document order: by the place
in the value as the caller wrote it, members in the order of the body. What is wrong at a place comes before
what is wrong below it: first the key, then a wrong type, then properties that are missing, then the rest as
it was found (size, range, pattern, repetition, ``enum``, what combines schemas); then the members and items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.pointers import pointer
from gateway.core.printable import clipped, printable
from gateway.core.types import Findings, Layer, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.core.schema.trial import Trial
    from gateway.core.schema.words import Wording
    from gateway.core.types import Json

MAX_VIOLATIONS: Final = 100
"""How many violations a report lists at most."""
MAX_COLLECTED: Final = 1000
"""How many violations are put in order, before the list is cut; any more are only counted."""
MAX_STEPS: Final = 100_000
"""How many steps of a trial counting may take, once a report has all that it puts in order."""
MISSING: Final = -2
"""The position of a member that is not there: before all that are."""
_MAX_CHARACTERS: Final = 64 * 1024
"""How many characters of pointers and params a report may hold, the last one not counted.

Keys repeat in the pointer of everything below them; without a bound a request could make an answer many
times its size.
"""
_AT_PLACE: Final = -1
_OF_TYPE: Final = -3
_OF_KEY: Final = -4
_LAYERS: Final = tuple(Layer)


class Place:
    """A value's place in the body, as a chain of tokens up to the root, or to a single parameter.

    ``position`` is the member's or item's number among its siblings as parsed, :data:`MISSING` for one that
    is not there. ``named`` says whether the schema names this key; ``key`` that the key itself is meant, not
    its value: then the pointer is the member's and the param is the object's.
    """

    __slots__ = ("key", "named", "parent", "position", "token")

    def __init__(
        self,
        parent: Place | None,
        token: str | int | None,
        position: int = MISSING,
        named: bool = True,
        key: bool = False,
    ) -> None:
        self.parent = parent
        self.token = token
        self.position = position
        self.named = named
        self.key = key

    def chain(self) -> list[Place]:
        """Give the places from just below the root down to this one."""
        places: list[Place] = []
        place = self
        while place.parent is not None:
            places.append(place)
            place = place.parent
        places.reverse()
        return places


ROOT: Final = Place(None, None)
"""The body as a whole."""


class Entry(NamedTuple):
    """A violation that is not put into words yet."""

    place: Place
    code: str
    wording: Wording
    limit: Json
    actual: Json
    layer: Layer


class Full(Exception):
    """The report takes no more."""


class Report:
    """Gathers violations: the first :data:`MAX_COLLECTED` whole, of the others the number.

    Counting ends early where choices between schemas make it dear: after :data:`MAX_STEPS`.

    ``trial`` is what silent verdicts of the same judging remember, ``told`` which checks have told all that
    is wrong with which arrays and objects, both by identity. Violations of the layers ``without`` are left
    out.
    """

    __slots__ = ("entries", "told", "total", "trial", "without")

    def __init__(self, trial: Trial, without: frozenset[Layer] = frozenset()) -> None:
        self.entries: list[Entry] = []
        self.total = 0
        self.told: set[tuple[int, int]] = set()
        self.trial = trial
        self.without = without

    @property
    def brief(self) -> bool:
        """Whether a violation need not be explained: it will not be told, only counted."""
        return self.total >= MAX_COLLECTED

    def add(
        self,
        place: Place,
        code: str,
        wording: Wording,
        limit: Json = None,
        actual: Json = None,
        layer: Layer = Layer.CONTRACT,
    ) -> None:
        """Note one violation; raises :class:`Full` when it is the last that is counted."""
        if layer in self.without:
            return
        self.total += 1
        if self.total <= MAX_COLLECTED:
            self.entries.append(Entry(place, code, wording, limit, actual, layer))
        if self._enough:
            raise Full

    @property
    def _enough(self) -> bool:
        return self.total > MAX_COLLECTED and self.trial.steps > MAX_STEPS

    def spend(self, amount: int) -> None:
        """Account for a look at ``amount`` members or items; free of charge in a report that counts."""

    def findings(self, parameter: str | None = None) -> Findings:
        """Give what was found, in document order and without repetitions.

        ``parameter`` is the name of the parameter that was judged instead of a body: violations then have no
        pointer, and a param that begins with that name.
        """
        if not self.total:
            return Findings((), 0)
        entries = list(_without_repetitions(sorted(self.entries, key=_position)))
        violations: list[Violation] = []
        room = _MAX_CHARACTERS
        for entry in entries[:MAX_VIOLATIONS]:
            violation = _violation(entry, parameter)
            violations.append(violation)
            room -= len(violation.pointer or "") + len(violation.param or "")
            if room < 0:
                break
        return Findings(tuple(violations), len(entries) + self.total - len(self.entries))


class Sketch(Report):
    """A rough report, to tell how far a value is from a schema: a few violations, at a bounded cost.

    Raises :class:`Full` when it has enough, or when the judging's budget for sketches is spent.
    """

    __slots__ = ()
    ENOUGH: Final = 32

    @property
    def brief(self) -> bool:
        """True: what is wrong inside a choice counts as one violation."""
        return True

    @property
    def _enough(self) -> bool:
        return self.total >= self.ENOUGH

    def spend(self, amount: int) -> None:
        """Account for a look at ``amount`` members or items; raises :class:`Full` when that is too many."""
        self.trial.budget -= amount
        if self.trial.budget < 0:
            raise Full


def _position(entry: Entry) -> tuple[int, ...]:
    positions = [step.position for step in entry.place.chain()]
    if entry.place.key:
        return (*positions, _OF_KEY)
    return (*positions, _OF_TYPE if entry.code == "invalid_type" else _AT_PLACE)


def _without_repetitions(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Give each fault once: equal ones once, and of several bounds on one figure the tightest.

    Among equals the one of the outermost layer stays, the contract's first.
    """
    kept: dict[tuple[object, ...], Entry] = {}
    for entry in entries:
        place = entry.place
        tokens = tuple(step.token for step in place.chain())
        bound = _bound(entry.code)
        if bound:
            key: tuple[object, ...] = (tokens, place.key, bound)
        else:
            subject = entry.wording("", entry.limit, entry.actual)
            key = (tokens, place.key, entry.code, subject)
        known = kept.get(key)
        if known is None or _tighter(entry, known, bound):
            kept[key] = entry  # in the place of the first one
    return iter(kept.values())


def _bound(code: str) -> str | None:
    """Name the bound that a code says is broken: codes that differ by the kind of number share it."""
    if "_below_min_" in code or "_above_max_" in code:
        kind, _, side = code.partition("_")
        return f"number {side}" if kind in {"integer", "decimal"} else code
    return code if code in {"empty_string", "empty_array"} else None


def _tighter(entry: Entry, known: Entry, bound: str | None) -> bool:
    if bound and entry.limit != known.limit:
        return bool(entry.limit < known.limit if "above" in bound else entry.limit > known.limit)
    return _LAYERS.index(entry.layer) < _LAYERS.index(known.layer)


def _violation(entry: Entry, parameter: str | None) -> Violation:
    place, code, wording, limit, actual, layer = entry
    chain = place.chain()
    tokens = [_shown(step) for step in chain]
    safe = [token if step.named else "*" for token, step in zip(tokens, chain, strict=True)]
    prefix = [] if parameter is None else [parameter]
    end = -1 if place.key else len(chain)
    param = _param((*prefix, *tokens[:end]))
    # An index is the caller's figure, too; labels of metrics are made from this one.
    safe_param = _param((*prefix, *(None if isinstance(token, int) else token for token in safe[:end])))
    message = wording(None if param is None else printable(param), limit, actual)
    if parameter is not None:
        return Violation(None, param, code, message, None, safe_param, layer, limit, actual)
    return Violation(pointer(tokens), param, code, message, pointer(safe), safe_param, layer, limit, actual)


def _param(tokens: Iterable[str | int | None]) -> str | None:
    """Name a place as the upstream API does; None among the tokens is an array's index left out."""
    text: str | None = None
    for token in tokens:
        if isinstance(token, str):
            text = token if text is None else f"{text}.{token}"
        else:
            text = f"{text or ''}[{'*' if token is None else token}]"
    return text


def _shown(place: Place) -> str | int:
    """Give a place's own token for pointer and param: a key that the schema does not name is cut."""
    token = place.token
    assert token is not None
    return token if place.named or isinstance(token, int) else clipped(token)
