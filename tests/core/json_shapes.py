"""JSON texts of any size, each made to cost a reader more than its bytes are worth."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Shape = Callable[[int], bytes]
    """Makes a text of about so many bytes."""

# 2^-1075, in the middle between 0 and the smallest double: only a digit behind its 752 decides.
_HALF_OF_THE_SMALLEST: Final = b"%d" % 5**1075


def _repeated(piece: bytes, before: bytes = b"[", behind: bytes = b"]", between: bytes = b",") -> Shape:
    """Make a shape of pieces side by side, in an array unless told otherwise."""

    def make(size: int) -> bytes:
        count = max(1, size // len(piece + between))
        return before + between.join([piece] * count) + behind

    return make


def _object(keys: Callable[[int], Iterator[bytes]], behind: bytes = b"}") -> Shape:
    """Make a shape of an object with as many members as fit."""

    def make(size: int) -> bytes:
        members: list[bytes] = []
        for key in keys(size):
            members.append(b'"%b":0' % key)
            size -= len(members[-1]) + 1
            if size < 0:
                break
        return b"{" + b",".join(members) + behind

    return make


def _numbered(size: int) -> Iterator[bytes]:
    return (b"%x" % n for n in range(size))


def _colliding(_: int) -> Iterator[bytes]:
    """Give keys that are one to a hash that has no random key: 31 h + c, as in Java."""
    return map(b"".join, product((b"Aa", b"BB", b"C#"), repeat=13))


def _long_keys(_: int) -> Iterator[bytes]:
    """Give keys that differ only at their ends."""
    return (b"k" * 200 + b"%d" % n for n in range(10**9))


SHAPES: Final[dict[str, Shape]] = {
    "keys": _object(_numbered),
    "keys, colliding where hashes are not random": _object(_colliding),
    "keys alike but for the end": _object(_long_keys),
    "keys, the last one twice": _object(_numbered, b',"0":1}'),
    "keys, escaped": _object(lambda size: (b"\\u0061\\u%04x" % n for n in range(min(size, 0xD800)))),
    "one key in each of many objects": _repeated(b'{"a":0}'),
    "escapes \\u0041": _repeated(b"\\u0041", b'"', b'"', b""),
    'escapes \\"': _repeated(b'\\"', b'"', b'"', b""),
    "escapes \\\\": _repeated(b"\\\\", b'"', b'"', b""),
    "surrogate pairs": _repeated(b"\\ud83d\\ude00", b'"', b'"', b""),
    "surrogate pairs, and half of one": _repeated(b"\\ud83d\\ude00", b'"', b'\\ud83d"', b""),
    "halves of surrogate pairs": _repeated(b"\\ud83d", b'"', b'"', b""),
    "one long string": _repeated(b"x", b'"', b'"', b""),
    "short strings": _repeated(b'""'),
    "two bytes a character": _repeated(b"\xc3\xa9", b'"', b'"', b""),
    "ASCII and at the end four bytes": _repeated(b"x", b'"', b'\xf0\x9f\x98\x80"', b""),
    "ASCII and at the end no UTF-8": _repeated(b"x", b'"', b'\xff"', b""),
    "empty arrays": _repeated(b"[]"),
    "empty objects": _repeated(b"{}"),
    "arrays as deep as allowed": _repeated(b"[" * 31 + b"]" * 31),
    "objects as deep as allowed": _repeated(b'{"a":' * 31 + b"0" + b"}" * 31),
    "opening brackets": _repeated(b"[", b"", b"", b""),
    "opening brackets in a string": _repeated(b"[", b'["', b'"]', b""),
    "opening brackets in a string without end": _repeated(b"[", b'["', b"", b""),
    "quotes and brackets in turn": _repeated(b'"["', b"[", b"]", b","),
    "escaped quotes and brackets, without end": _repeated(b'\\"[', b'[[[],"', b"", b""),
    "quotes": _repeated(b'"', b"[" * 33, b"", b""),
    "backslashes": _repeated(b"\\", b"[" * 33 + b'"', b"", b""),
    "backslashes outside strings": _repeated(b"\\", b"[" * 33, b"", b""),
    "small integers": _repeated(b"1"),
    "largest integers": _repeated(b"9223372036854775807"),
    "integers of 5000 digits": _repeated(b"9" * 5000),
    "one integer": _repeated(b"9", b"", b"", b""),
    "one decimal": _repeated(b"3", b"0.", b"", b""),
    "one exponent": _repeated(b"9", b"1e-", b"", b""),
    "decimals": _repeated(b"0.1"),
    "decimals as long as allowed": _repeated(b"0." + b"3" * 798),
    "decimals hard to round": _repeated(_HALF_OF_THE_SMALLEST + b"1e-1076"),
    "smallest decimals": _repeated(b"2.4703282292062328e-324"),
    "nulls": _repeated(b"null"),
    "white space": _repeated(b" \n", b"", b"0", b""),
    "white space behind": _repeated(b" \n", b"0", b"x", b""),
    "lines, and a fault at the end": _repeated(b"0,\n", b"[", b"x]", b""),
    "one line, and a fault at the end": _repeated(b"0", b"[", b"x]"),
    "commas": _repeated(b",", b"[", b"]", b""),
    "minus signs": _repeated(b"-", b"[", b"]", b""),
}
