r"""ECMA 262 patterns as trees: what a pattern of the ``u`` flag says, free of any engine's spelling.

The grammar is that of ECMA-262, section 22.2.1, with the flag ``u`` and no other. One thing is taken from
Annex B: a backslash before any ASCII sign that is neither letter nor digit stands for that sign, as published
documents write ``\-`` and ``\@``. Captures are plain groups, for nobody asks what they hold, and greedy and
lazy are the same, for nobody asks where a match ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Range: TypeAlias = "tuple[int, int]"

_LAST: Final = 0x10FFFF
_DIGITS: Final[tuple[Range, ...]] = ((0x30, 0x39),)
_WORD: Final[tuple[Range, ...]] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACES: Final[tuple[Range, ...]] = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_ENDS: Final[tuple[Range, ...]] = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": _SPACES}
_CONTROLS: Final = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
_SYNTAX: Final = frozenset("^$\\.*+?()[]{}|")
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{(?P<low>[0-9]+)(?P<comma>,(?P<high>[0-9]*))?\})\??")
_HEX: Final = re.compile(
    r"x(?P<two>[0-9a-fA-F]{2})|u(?P<lead>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<trail>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<four>[0-9a-fA-F]{4})|u\{0*(?P<many>[0-9a-fA-F]{1,6})\}"
)
_PROPERTY: Final = re.compile(r"\{([A-Za-z0-9_]+(?:=[A-Za-z0-9_]+)?)\}")
_NAME: Final = re.compile(r"\?<(?P<name>[^>=!]*)>")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MAX_DIGITS: Final = 9
_MAX_GROUPS: Final = 50


class PatternFault(ValueError):
    """A pattern that is not accepted; its text says why."""


class Characters(NamedTuple):
    r"""One character out of a set; the set's parts are ranges of code points and Unicode properties.

    ``properties`` holds names as between the braces of ``\\p{…}``, each with whether it was ``\\P``.
    ``negated`` turns the whole around.
    """

    ranges: tuple[Range, ...]
    properties: tuple[tuple[str, bool], ...] = ()
    negated: bool = False


class Edge(NamedTuple):
    """An assertion that takes no character: ``^``, ``$``, and ``b`` or ``B`` for a word's edge or none."""

    kind: Literal["^", "$", "b", "B"]


class Choice(NamedTuple):
    """Alternatives, each a sequence of terms; a group, and the pattern as a whole."""

    branches: tuple[tuple[Term, ...], ...]


class Repeat(NamedTuple):
    """A term so and so often; ``high`` is None for without end."""

    term: Term
    low: int
    high: int | None


Term: TypeAlias = Characters | Edge | Choice | Repeat


def read_pattern(pattern: str) -> Choice:
    """Read an ECMA 262 pattern; raises :class:`PatternFault` for what is no such pattern or not linear.

    Look-arounds and back-references are among the latter.
    """
    if _SURROGATE.search(pattern):
        raise PatternFault("it holds a lone surrogate")
    reader = _Reader(pattern)
    tree = reader.alternatives()
    if reader.at < len(pattern):
        raise PatternFault("a parenthesis closes that was not opened")
    return tree


class _Reader:
    """Reads one pattern from left to right, each method from ``at`` on."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self._depth = 0
        self._names: set[str] = set()

    def alternatives(self) -> Choice:
        """Read up to the end or the closing parenthesis."""
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return Choice(tuple(branches))

    def _take(self, text: str) -> bool:
        if self.pattern.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _next(self) -> str:
        """Give the next character, or nothing at the end."""
        character = self.pattern[self.at : self.at + 1]
        self.at += 1
        return character

    def _sequence(self) -> tuple[Term, ...]:
        terms: list[Term] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            terms.append(self._quantified(self._atom()))
        return tuple(terms)

    def _quantified(self, term: Term) -> Term:
        found = _QUANTIFIER.match(self.pattern, self.at)
        if found is None:
            return term
        if isinstance(term, Edge):
            raise PatternFault("a quantifier stands where there is nothing to repeat")
        self.at = found.end()
        if found["low"] is None:
            return Repeat(term, int(found[0][0] == "+"), 1 if found[0][0] == "?" else None)
        if max(len(found["low"]), len(found["high"] or "")) > _MAX_DIGITS:
            raise PatternFault("a quantifier's bound is too large")
        low = int(found["low"])
        high = low if found["comma"] is None else int(found["high"]) if found["high"] else None
        if high is not None and low > high:
            raise PatternFault("a quantifier's bounds are out of order")
        return Repeat(term, low, high)

    def _atom(self) -> Term:
        character = self._next()
        if character in "^$":
            return Edge("^" if character == "^" else "$")
        if character == ".":
            return Characters(_LINE_ENDS, negated=True)
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        if character in "*+?":
            raise PatternFault("a quantifier stands where there is nothing to repeat")
        if character in _SYNTAX:
            raise PatternFault(f"{character} stands for itself only when it is escaped")
        return Characters(((ord(character), ord(character)),))

    def _group(self) -> Choice:
        if not self._take("?:") and self.pattern.startswith("?", self.at):
            self._group_name()
        self._depth += 1
        if self._depth > _MAX_GROUPS:
            raise PatternFault(f"groups are nested more than {_MAX_GROUPS} deep")
        inner = self.alternatives()
        self._depth -= 1
        if not self._take(")"):
            raise PatternFault("a group does not end")
        return inner

    def _group_name(self) -> None:
        found = _NAME.match(self.pattern, self.at)
        if found is None:
            if re.compile(r"\?<?[=!]").match(self.pattern, self.at):
                raise PatternFault("it looks around, which cannot be done in linear time")
            raise PatternFault("a group begins in an unknown way")
        if not found["name"].isidentifier() or found["name"] in self._names:
            raise PatternFault("a group's name is none, or is there twice")
        self._names.add(found["name"])
        self.at = found.end()

    def _escape(self) -> Term:
        letter = self.pattern[self.at : self.at + 1]
        if letter in ("b", "B"):
            self.at += 1
            return Edge("b" if letter == "b" else "B")
        if letter in tuple("123456789k"):
            raise PatternFault("it refers back, which cannot be done in linear time")
        return self._several() or Characters((self._escaped_character(),))

    def _several(self) -> Characters | None:
        """Read the rest of an escape that means a set of characters, if it is one."""
        letter = self.pattern[self.at : self.at + 1]
        if letter in ("p", "P"):
            found = _PROPERTY.match(self.pattern, self.at + 1)
            if found is None:
                raise PatternFault(f"\\{letter} names no property")
            self.at = found.end()
            return Characters((), ((found[1], letter == "P"),))
        if letter and letter.lower() in _CLASSES:
            self.at += 1
            ranges = _CLASSES[letter.lower()]
            return Characters(ranges, negated=letter.isupper())
        return None

    def _escaped_character(self) -> Range:
        found = _HEX.match(self.pattern, self.at)
        if found:
            self.at = found.end()
            if found["lead"]:
                code = 0x10000 + (int(found["lead"], 16) % 0x400) * 0x400 + int(found["trail"], 16) % 0x400
            else:
                code = int(found["two"] or found["four"] or found["many"], 16)
            if code > _LAST or 0xD800 <= code <= 0xDFFF:
                raise PatternFault("an escape is no Unicode scalar value")
            return code, code
        letter = self._next()
        code = -1
        if letter in _CONTROLS:
            code = _CONTROLS[letter]
        elif letter == "c" and re.compile("[A-Za-z]").match(self.pattern, self.at):
            code = ord(self._next()) % 32
        elif letter == "0" and not re.compile("[0-9]").match(self.pattern, self.at):
            code = 0
        elif letter.isascii() and letter.isprintable() and letter and not letter.isalnum():
            code = ord(letter)
        if code < 0:
            raise PatternFault(f"the escape \\{letter} has no meaning")
        return code, code

    def _class(self) -> Characters:
        negated = self._take("^")
        ranges: list[Range] = []
        properties: list[tuple[str, bool]] = []
        while not self._take("]"):
            part = self._class_part()
            ranged = self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at)
            if ranged:
                self.at += 1
                part = _between(part, self._class_part())
            if isinstance(part, Characters):
                ranges += _complement(part.ranges) if part.negated else part.ranges
                properties += part.properties
            else:
                ranges.append(part)
        if not ranges and not properties and not negated:
            raise PatternFault("a class is empty: nothing could match it")
        return Characters(tuple(_merged(ranges)), tuple(properties), negated)

    def _class_part(self) -> Characters | Range:
        """Read one character, or an escape that means several."""
        character = self._next()
        if not character:
            raise PatternFault("a class does not end")
        if character != "\\":
            return ord(character), ord(character)
        if self._take("b"):
            return 8, 8
        return self._several() or self._escaped_character()


def _between(low: Characters | Range, high: Characters | Range) -> Range:
    if isinstance(low, Characters) or isinstance(high, Characters):
        raise PatternFault("a range in a class begins or ends with several characters")
    if low > high:
        raise PatternFault("a range in a class is out of order")
    return low[0], high[1]


def _merged(ranges: Iterable[Range]) -> list[Range]:
    """Put ranges in order, joining those that touch."""
    result: list[Range] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(high, result[-1][1])
        else:
            result.append((low, high))
    return result


def _complement(ranges: tuple[Range, ...]) -> list[Range]:
    """Give all code points that are in none of the ranges: in order, apart, and away from both ends."""
    starts = (0, *(high + 1 for _, high in ranges))
    ends = (*(low - 1 for low, _ in ranges), _LAST)
    return list(zip(starts, ends, strict=True))
