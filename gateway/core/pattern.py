r"""Patterns: ECMA 262 meaning, and a bound on their cost, on Python's regular expressions.

A pattern is read and written anew, so that it means the same as in ECMA 262 with the ``u`` flag: ``$`` is the
end and not before a trailing newline, ``\d`` and ``\w`` are ASCII, ``\s`` and ``.`` know ECMA's white space
and line terminators. Python's engine backtracks; a pattern is accepted only when the number of steps that it
can take is small, or is small for each character of the input.
"""

from __future__ import annotations

import re
from typing import Final

_SPACES: Final = "\t-\r\\ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES: Final = {"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACES}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_SYNTAX: Final = frozenset("^$\\.*+?()[]{}|/")
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{(?P<low>[0-9]+)(?P<comma>,(?P<high>[0-9]*))?\})(?P<lazy>\??)")
_HEX: Final = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")
_MAX_STEPS: Final = 1_000_000
_MAX_STEPS_EACH: Final = 1000


class PatternFault(ValueError):
    """A pattern that is not accepted; its text says why."""


def translate(pattern: str) -> re.Pattern[str]:
    """Compile an ECMA 262 pattern; use it with ``search``. Raises :class:`PatternFault`."""
    reader = _Reader(pattern)
    text = reader.alternatives()
    if reader.at < len(pattern):
        raise PatternFault("a parenthesis closes that was not opened")
    anchored = pattern.startswith("^") and not reader.forks_at_top
    growing = reader.open_ended + (not anchored)
    if growing > 1:
        raise PatternFault(
            "it could take more than linear time: begin it with ^ and use one unbounded quantifier at most"
        )
    if reader.ways * reader.widest > (_MAX_STEPS_EACH if growing else _MAX_STEPS):
        raise PatternFault("it could be tried in too many ways")
    return re.compile(text)


class _Reader:
    """Reads one pattern from left to right; each method gives the Python text of what it read.

    ``ways`` bounds the number of ways in which the finite choices can be made, ``widest`` is the highest
    repetition, ``quantifiers`` counts all quantifiers and ``open_ended`` those without an upper end.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.ways = 1
        self.widest = 1
        self.quantifiers = 0
        self.open_ended = 0
        self.forks_at_top = False
        self._depth = 0

    def alternatives(self) -> str:
        """Read up to the end or the closing parenthesis."""
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        if len(branches) > 1:
            self.ways *= len(branches)
            self.forks_at_top = self.forks_at_top or not self._depth
        return "|".join(branches)

    def _take(self, text: str) -> bool:
        if self.pattern.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _sequence(self) -> str:
        parts: list[str] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            before = self.ways, self.quantifiers
            atom, repeatable = self._atom()
            nested = (self.ways, self.quantifiers) != before
            parts.append(atom + self._quantifier(repeatable=repeatable, nested=nested))
        return "".join(parts)

    def _quantifier(self, *, repeatable: bool, nested: bool) -> str:
        found = _QUANTIFIER.match(self.pattern, self.at)
        if found is None:
            return ""
        if not repeatable:
            raise PatternFault("a quantifier stands where there is nothing to repeat")
        self.at = found.end()
        self.quantifiers += 1
        text = found[0]
        if text[0] == "?":
            self.ways *= 2
            return text
        if nested:
            raise PatternFault("a group is repeated that has a quantifier or alternatives inside")
        if text[0] in "*+" or found["high"] == "":
            self.open_ended += 1
        low = int(found["low"] or 0)
        high = int(found["high"] or low)
        if low > high:
            raise PatternFault("a quantifier's bounds are out of order")
        self.ways *= high - low + 1
        self.widest = max(self.widest, high)
        return text

    def _atom(self) -> tuple[str, bool]:
        character = self.pattern[self.at]
        self.at += 1
        if character == "^":
            return "^", False
        if character == "$":
            return r"\Z", False
        if character == ".":
            return "[^\n\r\u2028\u2029]", True
        if character == "(":
            return self._group(), True
        if character == "[":
            return self._class(), True
        if character == "\\":
            return self._escape()
        if character in _SYNTAX and character != "/":
            raise PatternFault(f"{character} stands for itself only when it is escaped")
        return re.escape(character), True

    def _group(self) -> str:
        if not self._take("?:") and self.pattern.startswith("?", self.at):
            raise PatternFault("lookaround and named groups are not available yet")
        self._depth += 1
        inner = self.alternatives()
        self._depth -= 1
        if not self._take(")"):
            raise PatternFault("a group does not end")
        return f"(?:{inner})"

    def _escape(self) -> tuple[str, bool]:
        letter = self.pattern[self.at : self.at + 1]
        if letter in {"b", "B"}:
            self.at += 1
            return f"(?a:\\{letter})", False
        if letter.lower() in _CLASSES:
            self.at += 1
            return f"[{'^' if letter.isupper() else ''}{_CLASSES[letter.lower()]}]", True
        return re.escape(self._escaped_character("")), True

    def _escaped_character(self, also: str) -> str:
        found = _HEX.match(self.pattern, self.at)
        if found:
            self.at = found.end()
            code = int(found[1] or found[2] or found[3], 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise PatternFault("an escape is no Unicode scalar value")
            return chr(code)
        letter = self.pattern[self.at : self.at + 1]
        self.at += 1
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter and (letter in _SYNTAX or letter in also):
            return letter
        raise PatternFault(f"the escape \\{letter} is not available")

    def _class(self) -> str:
        negated = "^" if self._take("^") else ""
        parts: list[str] = []
        while not self._take("]"):
            low = self._class_part()
            if len(low) > 1:
                if re.match("-[^]]", self.pattern[self.at :]):
                    raise PatternFault("a range in a class begins with several characters")
                parts.append(low)
                continue
            if self._take("-"):
                if self.pattern.startswith("]", self.at):
                    parts.append(f"{re.escape(low)}\\-")
                    continue
                high = self._class_part()
                if len(high) > 1 or high < low:
                    raise PatternFault("a range in a class is out of order")
                parts.append(f"{re.escape(low)}-{re.escape(high)}")
            else:
                parts.append(re.escape(low))
        if not parts:
            raise PatternFault("a class is empty")
        return f"[{negated}{''.join(parts)}]"

    def _class_part(self) -> str:
        """Give one character, or the ready text of an escape that means several."""
        if self.at >= len(self.pattern):
            raise PatternFault("a class does not end")
        character = self.pattern[self.at]
        self.at += 1
        if character != "\\":
            return character
        letter = self.pattern[self.at : self.at + 1]
        if letter in _CLASSES:
            self.at += 1
            return _CLASSES[letter]
        if letter == "b":
            self.at += 1
            return "\b"
        return self._escaped_character("-")
