"""Where a violation is, and the list that violations are gathered in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.types import Layer, Violation
from gateway.core.words import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.core.types import Json
    from gateway.core.words import Wording

MAX_VIOLATIONS: Final = 100
"""How many violations a report lists at most."""
MAX_KEY: Final = 1024
"""Longest key in characters that a pointer or param repeats whole; a longer one is cut and ends in ``…``."""
_MAX_CHARACTERS: Final = 64 * 1024
"""How many characters of pointers and params a report may hold, the last one not counted.

Long keys repeat in the pointer of everything below them; without a bound a request of 1 MiB could make
an answer of hundreds.
"""


class Place:
    """A value's place in the body, as a chain of tokens up to the root, or to a single parameter.

    ``named`` says whether the schema names this key; ``key`` that the key itself is meant, not its value:
    then the pointer is the member's and the param is the object's.
    """

    __slots__ = ("key", "named", "parent", "token")

    def __init__(
        self, parent: Place | None, token: str | int | None, *, named: bool = True, key: bool = False
    ) -> None:
        self.parent = parent
        self.token = token
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


def _pointer(tokens: Iterable[str | int]) -> str:
    """Write an RFC 6901 JSON Pointer."""
    return "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in tokens)


def _param(tokens: Iterable[str | int | None]) -> str | None:
    """Name a place as the upstream API does; None among the tokens is an array's index left out."""
    text: str | None = None
    for token in tokens:
        if isinstance(token, str):
            text = token if text is None else f"{text}.{token}"
        else:
            text = f"{text or ''}[{'*' if token is None else token}]"
    return text


class Report:
    """Gathers violations in the order in which they are found, up to :data:`MAX_VIOLATIONS`.

    ``parameter`` is the name of the path or query parameter that is judged instead of a body. A ``silent``
    report takes nothing: it only tells yes from no, and the first violation ends it.
    """

    __slots__ = ("_layer", "_parameter", "_room", "_silent", "violations")

    def __init__(
        self, layer: Layer = Layer.CONTRACT, parameter: str | None = None, *, silent: bool = False
    ) -> None:
        self.violations: list[Violation] = []
        self._layer = layer
        self._parameter = parameter
        self._room = _MAX_CHARACTERS
        self._silent = silent

    def add(self, place: Place, code: str, wording: Wording, limit: Json = None, actual: Json = None) -> None:
        """Note one violation; raises :class:`Full` when it is the last that fits."""
        if self._silent:
            raise Full
        chain = place.chain()
        tokens = [_clipped(step.token) if step.token is not None else "" for step in chain]
        safe = [token if step.named else "*" for token, step in zip(tokens, chain, strict=True)]
        end = -1 if place.key else len(chain)
        param = _param(tokens[:end])
        # An index is the caller's figure, too; labels of metrics are made from this one.
        safe_param = _param(None if isinstance(token, int) else token for token in safe[:end])
        pointer: str | None = _pointer(tokens)
        safe_pointer: str | None = _pointer(safe)
        if self._parameter is not None:
            param = safe_param = self._parameter
            pointer = safe_pointer = None
        message = wording(None if param is None else printable(param), limit, actual)
        self._append(
            Violation(pointer, param, code, message, safe_pointer, safe_param, self._layer, limit, actual)
        )

    def _append(self, violation: Violation) -> None:
        self.violations.append(violation)
        self._room -= len(violation.pointer or "") + len(violation.param or "")
        if len(self.violations) >= MAX_VIOLATIONS or self._room < 0:
            raise Full

    def adopt(self, trial: Report) -> None:
        """Take over what a trial found."""
        if self._silent:
            raise Full
        for violation in trial.violations:
            self._append(violation)

    def trial(self) -> Report:
        """Give an empty report of the same kind, to try a branch with."""
        return Report(self._layer, self._parameter, silent=self._silent)

    def passes(self, check: Callable[[Report], None]) -> bool:
        """Run ``check`` with this report, which is empty; true if it found nothing."""
        try:
            check(self)
        except Full:
            return False
        return not self.violations


def _clipped(token: str | int) -> str | int:
    """Cut a key that nobody can have meant, so that an answer is not many times what was asked."""
    if isinstance(token, int) or len(token) <= MAX_KEY:
        return token
    return token[:MAX_KEY] + "…"


class Full(Exception):
    """The report takes no more."""
