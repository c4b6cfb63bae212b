"""Redaction: a body's structure without its texts, and the way back to something that can be judged. Pure.

The redacted form of a JSON value is JSON itself, of the same shape. Keys, numbers, ``true``, ``false`` and
``null`` stay as they are. Every string becomes a tagged one:

    "=user"                   a text that an ``enum`` or ``const`` of the operation has: the contract's word
    "#5:90a4c1e2b3d4f506"     any other: its length in code points and the start of its HMAC

16 hex digits of the HMAC (64 bits) tell texts apart: among a million different ones, two share theirs with a
probability of 3 in 100 million. More would make most bodies longer than they were, and nothing safer: without
the key nothing can be tried out against it, whatever its length.

What one body may cost is bounded, as the caller chooses it: of one that has more than ``MAX_STRINGS`` or
becomes longer than ``MAX_REDACTED`` there is no such form.

Keys are kept whole, as replay needs them. Whoever lets callers write personal text into keys, say of
``metadata``, is better off with ``content: none``, which keeps no key that neither schema nor policy names.

:class:`Placeholders` makes values to judge of the redacted form. With the key at hand it knows more than the
form shows: a replaced text that another configuration has in an ``enum`` is recognised by its HMAC.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from gateway.core.schema.plain import inner_schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gateway.core.types import Json, Operation, Plain

MAX_STRINGS: Final = 10_000
"""How many strings of one body are redacted, equal ones counted each; keys are none."""
MAX_REDACTED: Final = 256 * 1024
"""Longest redacted form in bytes."""
HMAC_DIGITS: Final = 16
_KEY_ID: Final = 9
"""Characters of a signature before its digits: the key's id and a colon."""
_TAG: Final = re.compile(rf"#(0|[1-9][0-9]{{0,15}}):[0-9a-f]{{{HMAC_DIGITS}}}")

FIRST_PLACEHOLDER: Final = 0xE000
LAST_PLACEHOLDER: Final = 0xF8FF
"""What placeholders are made of: the private use area of the first plane (Unicode, section 23.5)."""
_BASE: Final = LAST_PLACEHOLDER - FIRST_PLACEHOLDER + 1


class TooMuch(Exception):
    """A body with more strings, or a longer redacted form, than one may have."""


class Unrestorable(Exception):
    """A redacted form of which nothing to judge can be made."""


def enumerated(operation: Operation) -> frozenset[str]:
    """Give the strings that are, or stand within, an ``enum`` or ``const`` of what judges bodies.

    Walks the whole schema, thousands of parts for a large one: once for each operation is enough.
    """
    contents = operation.body.media_types.values() if operation.body is not None else ()
    found: set[str] = set()
    for content in contents:
        for schema in reachable(content.validator.schema, content.validator.definitions):
            found.update(_strings([*schema.get("enum", ()), schema.get("const")]))
    return frozenset(found)


def reachable(schema: Plain, definitions: Mapping[str, Plain]) -> Iterator[dict[str, Any]]:
    """Give a schema and all that are inside it or that it refers to, each once."""
    seen: set[int] = set()
    pending = [schema]
    while pending:
        one = pending.pop()
        if isinstance(one, bool) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += inner_schemas(one)
        if "$ref" in one:
            pending.append(definitions[one["$ref"]])


def _strings(values: Iterable[Json]) -> Iterator[str]:
    """Give the strings among values, and within them; keys do not count."""
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()


def redact(value: Json, words: frozenset[str], sign: Callable[[bytes], str]) -> bytes:
    """Give the redacted form of a parsed body as JSON text in ASCII.

    ``words`` are the strings to keep, as :func:`enumerated` gives them. ``sign`` is
    :meth:`gateway.audit.instance.Keys.sign`. Each string is signed once, however often the body has it. One
    frame for each level of the value.

    :raises TooMuch: beyond ``MAX_STRINGS`` or ``MAX_REDACTED``, as soon as that is certain
    """
    text = _Texts(words, sign)
    room = MAX_REDACTED + 1

    def replaced(value: Json) -> Json:
        nonlocal room
        room -= 2  # a character, and a comma or what its list or object is closed with
        if room < 0:
            raise TooMuch
        if isinstance(value, str):
            return text(value)
        if isinstance(value, dict):
            result = {}
            for key, member in value.items():
                result[key] = replaced(member)
            return result
        if isinstance(value, list):
            items = []
            for item in value:
                items.append(replaced(item))  # noqa: PERF401 - a comprehension would take a frame of its own
            return items
        return value

    redacted = json.dumps(replaced(value), separators=(",", ":")).encode("ascii")
    if len(redacted) > MAX_REDACTED:
        raise TooMuch
    return redacted


class _Texts:
    """Replaces the strings of one body."""

    def __init__(self, words: frozenset[str], sign: Callable[[bytes], str]) -> None:
        self._words = words
        self._sign = sign
        self._count = 0
        self._tags: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        self._count += 1
        if self._count > MAX_STRINGS:
            raise TooMuch
        if text in self._words:
            return "=" + text
        known = self._tags.get(text)
        if known is None:
            known = self._tags[text] = tag(text, self._sign)
        return known


def tag(text: str, sign: Callable[[bytes], str]) -> str:
    """Give what stands for a text that is not kept."""
    return _tag(len(text), sign(text.encode("utf-8")))


def opaque(body: bytes, sign: Callable[[bytes], str]) -> bytes:
    """Give what is kept of a body that has no redacted form: one tagged string, its length in bytes."""
    return b'"%b"' % _tag(len(body), sign(body)).encode("ascii")


def _tag(length: int, signature: str) -> str:
    return f"#{length}:{signature[_KEY_ID : _KEY_ID + HMAC_DIGITS]}"


class Placeholders:
    """Makes values to judge of redacted ones.

    Of a replaced text that is one of ``words`` it gives the text. Any other becomes a placeholder of the same
    length, made of private use characters: equal texts of a body get equal ones, different texts different
    ones. So lengths, types, keys, counts, repetition, ``enum`` and ``const`` are judged as they were.
    """

    def __init__(self, words: Iterable[str], possible: Callable[[bytes], tuple[str, ...]]) -> None:
        """``possible`` is :meth:`gateway.audit.instance.Keys.possible`."""
        self._known = {
            _tag(len(word), signature): word for word in words for signature in possible(word.encode("utf-8"))
        }

    def restore(self, redacted: Json) -> Json:
        """Give the value to judge for one that :func:`redact` made.

        :raises Unrestorable: where it has a string that is not tagged, or more different texts of a length
            than there are placeholders
        """
        given: dict[str, str] = {}
        numbers: dict[int, int] = {}

        def restored(value: Json) -> Json:
            if isinstance(value, str):
                return self._text(value, given, numbers)
            if isinstance(value, dict):
                return {key: restored(member) for key, member in value.items()}
            if isinstance(value, list):
                return [restored(item) for item in value]
            return value

        return restored(redacted)

    def _text(self, tagged: str, given: dict[str, str], numbers: dict[int, int]) -> str:
        """Give what stands for a tagged string in a body that has got ``given`` so far."""
        if tagged[:1] == "=":
            return tagged[1:]
        known = self._known.get(tagged) or given.get(tagged)
        if known is None:
            match = _TAG.fullmatch(tagged)
            if match is None:
                raise Unrestorable
            length = int(match[1])
            number = numbers[length] = numbers.get(length, -1) + 1
            known = given[tagged] = _placeholder(length, number)
        return known


def _placeholder(length: int, number: int) -> str:
    """Write ``number`` in ``length`` private use characters."""
    digits = ""
    while number:
        number, digit = divmod(number, _BASE)
        digits = chr(FIRST_PLACEHOLDER + digit) + digits
    if len(digits) > length:
        raise Unrestorable
    return digits.rjust(length, chr(FIRST_PLACEHOLDER))
