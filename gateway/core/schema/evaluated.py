"""``unevaluatedProperties`` and ``unevaluatedItems``: what no other keyword has looked at.

JSON Schema 2020-12, sections 11.2 and 11.3: a keyword looks at members or items by judging them, or through
the schemas that it applies to the same value and that the value fits. Which those are is worked out anew,
from silent verdicts, only for schemas that have one of the two keywords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.core.schema.objects import names_of
from gateway.core.schema.pattern import matcher
from gateway.core.schema.report import Place
from gateway.core.schema.rules import SILENT, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.core.schema.report import Report
    from gateway.core.schema.rules import Build, Scope
    from gateway.core.schema.trial import Trial
    from gateway.core.types import Json, Plain

Mark: TypeAlias = "Callable[[Json, Trial, set[Any], bool], None]"
"""Adds the keys or indexes that a schema looks at, of a value that fits it.

With the last argument set the value need not fit: then whatever the schema might have looked at is added.
"""

KEYWORDS: Final[Mapping[type, str]] = {dict: "unevaluatedProperties", list: "unevaluatedItems"}


class Evaluation:
    """Works out what schemas look at; ``definitions`` are what ``$ref`` names."""

    def __init__(self, definitions: Mapping[str, Plain], build: Build) -> None:
        self._definitions = definitions
        self._build = build
        self._references: dict[str, Mark] = {}

    def rule(
        self, schema: Mapping[str, Any], kind: type, scope: Scope, others: Sequence[Rule]
    ) -> Iterator[Rule]:
        """Give the rule for values of ``kind``, dict or list, if any; ``others`` are the schema's others."""
        keyword = KEYWORDS[kind]
        if keyword in schema:
            rest = {name: value for name, value in schema.items() if name not in KEYWORDS.values()}
            yield self._rule(schema[keyword], kind, self._mark(rest), scope, others, names_of(schema))

    def _rule(
        self,
        schema: Plain,
        kind: type,
        mark: Mark,
        scope: Scope,
        others: Sequence[Rule],
        known: frozenset[str],
    ) -> Rule:
        check = self._build(schema, scope.below())

        def unseen(value: Json, trial: Trial, *, lenient: bool) -> Iterator[tuple[int, Any, Json]]:
            seen: set[Any] = set()
            mark(value, trial, seen, lenient)
            members = value.items() if kind is dict else enumerate(value)
            for position, (token, item) in enumerate(members):
                if token not in seen:
                    yield position, token, item

        def fits(value: Json, trial: Trial) -> bool:
            return all(check.fits(item, trial) for _, _, item in unseen(value, trial, lenient=False))

        def tell(value: Json, place: Place, report: Report) -> None:
            report.spend(len(value))
            # Where something else is wrong, what its schemas might have looked at is not held against it.
            lenient = not all(other.fits(value, report.trial) for other in others)
            for position, token, item in unseen(value, report.trial, lenient=lenient):
                named = kind is list or token in known
                check.tell(item, Place(place, token, position, named), report)

        return Rule(fits, tell)

    def _mark(self, schema: Plain) -> Mark:
        """Compile what a schema looks at."""
        if isinstance(schema, bool):
            return _nothing
        marks = [*_own_properties(schema), *self._own_items(schema), *self._in_place(schema)]

        def mark(value: Json, trial: Trial, seen: set[Any], lenient: bool) -> None:
            for one in marks:
                one(value, trial, seen, lenient)

        return mark

    def _own_items(self, schema: Mapping[str, Any]) -> Iterator[Mark]:
        if "items" in schema or "unevaluatedItems" in schema:
            yield _all_items
        elif "prefixItems" in schema:
            yield _first_items(len(schema["prefixItems"]))
        if "contains" in schema:
            contained = self._build(schema["contains"], SILENT)

            def mark(value: Json, trial: Trial, seen: set[Any], _lenient: bool) -> None:
                if type(value) is list:
                    seen.update(index for index, item in enumerate(value) if contained.fits(item, trial))

            yield mark

    def _in_place(self, schema: Mapping[str, Any]) -> Iterator[Mark]:
        """Give what the schemas look at that a schema applies to the same value."""
        if "$ref" in schema:
            yield self._reference(schema["$ref"])
        for branch in schema.get("allOf", ()):
            yield self._mark(branch)
        for name in ("anyOf", "oneOf"):
            for branch in schema.get(name, ()):
                yield self._if_fits(branch)
        for name, dependent in schema.get("dependentSchemas", {}).items():
            yield _if_present(name, self._mark(dependent))
        if "if" in schema:
            yield self._conditional(schema)

    def _reference(self, name: str) -> Mark:
        """Compile what is referred to when it is first asked for: it may lead back here, further down."""

        def mark(value: Json, trial: Trial, seen: set[Any], lenient: bool) -> None:
            target = self._references.get(name)
            if target is None:
                target = self._references[name] = self._mark(self._definitions[name])
            target(value, trial, seen, lenient)

        return mark

    def _if_fits(self, schema: Plain) -> Mark:
        check, inner = self._build(schema, SILENT), self._mark(schema)

        def mark(value: Json, trial: Trial, seen: set[Any], lenient: bool) -> None:
            if lenient or check.fits(value, trial):
                inner(value, trial, seen, lenient)

        return mark

    def _conditional(self, schema: Mapping[str, Any]) -> Mark:
        condition, asked = self._build(schema["if"], SILENT), self._mark(schema["if"])
        then, otherwise = (self._mark(schema.get(name, True)) for name in ("then", "else"))

        def mark(value: Json, trial: Trial, seen: set[Any], lenient: bool) -> None:
            holds = condition.fits(value, trial)
            if lenient or holds:
                asked(value, trial, seen, lenient)
                then(value, trial, seen, lenient)
            if lenient or not holds:
                otherwise(value, trial, seen, lenient)

        return mark


def _nothing(_value: Json, _trial: Trial, _seen: set[Any], _lenient: bool) -> None:
    """Look at nothing: the schemas ``true`` and ``false``."""


def _all_items(value: Json, _trial: Trial, seen: set[Any], _lenient: bool) -> None:
    if type(value) is list:
        seen.update(range(len(value)))


def _all_members(value: Json, _trial: Trial, seen: set[Any], _lenient: bool) -> None:
    if type(value) is dict:
        seen.update(value)


def _first_items(count: int) -> Mark:
    def mark(value: Json, _trial: Trial, seen: set[Any], _lenient: bool) -> None:
        if type(value) is list:
            seen.update(range(min(count, len(value))))

    return mark


def _own_properties(schema: Mapping[str, Any]) -> Iterator[Mark]:
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        yield _all_members
        return
    names = frozenset(schema.get("properties", ()))
    patterns = [matcher(pattern) for pattern in schema.get("patternProperties", ())]
    if names or patterns:

        def mark(value: Json, _trial: Trial, seen: set[Any], _lenient: bool) -> None:
            if type(value) is dict:
                seen.update(key for key in value if key in names or any(matches(key) for matches in patterns))

        yield mark


def _if_present(name: str, inner: Mark) -> Mark:
    def mark(value: Json, trial: Trial, seen: set[Any], lenient: bool) -> None:
        if type(value) is dict and name in value:
            inner(value, trial, seen, lenient)

    return mark
