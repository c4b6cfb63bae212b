"""The formats that strings can be held to, each by its own standard, strictly, in time linear in the string.

Numbers' formats (``int32``, ``double`` …) are not here: the readers write them as bounds.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Possessive quantifiers throughout: nothing is ever tried twice.
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]++)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAY: Final = r"[0-9]++D"
_MONTH: Final = rf"[0-9]++M(?:{_DAY})?+"
_YEAR: Final = rf"[0-9]++Y(?:{_MONTH})?+"
_MINUTE: Final = r"[0-9]++M(?:[0-9]++S)?+"
_CLOCK: Final = rf"T(?:[0-9]++H(?:{_MINUTE})?+|{_MINUTE}|[0-9]++S)"
_DURATION: Final = re.compile(rf"P(?:[0-9]++W|(?:{_YEAR}|{_MONTH}|{_DAY})(?:{_CLOCK})?+|{_CLOCK})")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*+")
_QUOTED: Final = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*+"')
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?+")
_BASE64URL: Final = re.compile(r"(?:[A-Za-z0-9_-]{4})*+(?:[A-Za-z0-9_-]{3}=?+|[A-Za-z0-9_-]{2}(?:==)?+)?+")
_JSON_POINTER: Final = re.compile(r"(?:/(?:[^/~]|~[01])*+)*+")
_RELATIVE_POINTER: Final = re.compile(r"(?:0|[1-9][0-9]*+)(?:#|(?:/(?:[^/~]|~[01])*+)*+)")

_LEAP_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LONGEST_HOSTNAME: Final = 253
_LONGEST_LOCAL_PART: Final = 64
_LONGEST_ADDRESS: Final = 45  # of IPv6, with an IPv4 address in its tail

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:")
_PORT: Final = re.compile(r"(?::[0-9]*+)?+")
_FUTURE_ADDRESS: Final = re.compile(r"[vV][0-9A-Fa-f]++\.[A-Za-z0-9._~!$&'()*+,;=:-]++")
_ASCII: Final = r"A-Za-z0-9._~!$&'()*+,;="
_UCS: Final = "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef" + "".join(
    f"{chr(plane * 0x10000)}-{chr(plane * 0x10000 + 0xFFFD)}" for plane in range(1, 14)
)
_PRIVATE: Final = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"


def is_date(text: str) -> bool:
    """Say whether a string is a ``full-date`` (RFC 3339 section 5.6) that the calendar has."""
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    year, month, day = map(int, found.groups())
    if not 1 <= month <= 12 or not 1 <= day <= _LEAP_DAYS[month - 1]:
        return False
    return (month, day) != (2, 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


def is_time(text: str) -> bool:
    """Say whether a string is a ``full-time`` (RFC 3339 section 5.6); second 60 only at UTC midnight."""
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    hour, minute, second = map(int, found.groups()[:3])
    sign, off_hour, off_minute = found[4], int(found[5] or 0), int(found[6] or 0)
    if hour > 23 or minute > 59 or second > 60 or off_hour > 23 or off_minute > 59:
        return False
    offset = (off_hour * 60 + off_minute) * (-1 if sign == "+" else 1)
    return second < 60 or (hour * 60 + minute + offset) % 1440 == 1439


def is_date_time(text: str) -> bool:
    """Say whether a string is a ``date-time`` (RFC 3339 section 5.6); ``T`` and ``Z`` may be lower case."""
    return text[10:11] in {"T", "t"} and is_date(text[:10]) and is_time(text[11:])


def is_duration(text: str) -> bool:
    """Say whether a string is a ``duration`` (RFC 3339 appendix A)."""
    return _DURATION.fullmatch(text) is not None


def is_hostname(text: str) -> bool:
    """Say whether a string is a host name (RFC 1123 section 2.1): ASCII labels, no dot at the end."""
    return len(text) <= _LONGEST_HOSTNAME and all(map(_is_label, text.split(".")))


def _is_label(text: str) -> bool:
    if _LABEL.fullmatch(text) is None:
        return False
    if text[2:4] != "--":
        return True
    if text[:2] not in {"xn", "XN", "Xn", "xN"}:  # RFC 5891 section 4.2.3.1
        return False
    try:
        decoded = text[4:].lower().encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return not decoded.isascii()


def is_email(text: str) -> bool:
    """Say whether a string is a ``Mailbox`` (RFC 5321 section 4.1.2)."""
    local, at, domain = text.rpartition("@")
    if not at or len(local) > _LONGEST_LOCAL_PART:
        return False
    if _ATOMS.fullmatch(local) is None and _QUOTED.fullmatch(local) is None:
        return False
    if domain.startswith("[") and domain.endswith("]"):
        literal = domain[1:-1]
        if literal[:5].lower() == "ipv6:":
            return is_ipv6(literal[5:])
        return is_ipv4(literal)
    return is_hostname(domain)


def is_ipv4(text: str) -> bool:
    """Say whether a string is a ``dotted-quad`` (RFC 2673 section 3.2), without leading zeros."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def is_ipv6(text: str) -> bool:
    """Say whether a string is an IPv6 address (RFC 4291 section 2.2), without a zone."""
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def is_uuid(text: str) -> bool:
    """Say whether a string is a UUID (RFC 9562 section 4), of any version."""
    return _UUID.fullmatch(text) is not None


def is_base64(text: str) -> bool:
    """Say whether a string is base64 with its padding and without line breaks (RFC 4648 section 4)."""
    return _BASE64.fullmatch(text) is not None


def is_base64url(text: str) -> bool:
    """Say whether a string is base64url (RFC 4648 section 5), padded or not."""
    return _BASE64URL.fullmatch(text) is not None


def is_json_pointer(text: str) -> bool:
    """Say whether a string is a JSON Pointer (RFC 6901 section 3)."""
    return _JSON_POINTER.fullmatch(text) is not None


def is_relative_json_pointer(text: str) -> bool:
    """Say whether a string is a relative JSON Pointer (draft-bhutton-relative-json-pointer-00 section 3)."""
    return _RELATIVE_POINTER.fullmatch(text) is not None


class _Reference:
    """Judges URI references (RFC 3986 appendix A), or IRI references (RFC 3987 section 2.2).

    ``more`` is what may stand beside ASCII, ``private`` what may stand in queries, too, both as the inside of
    a character class.
    """

    def __init__(self, more: str = "", private: str = "") -> None:
        self._path = _characters(f"{_ASCII}{more}:@/")
        self._query = _characters(f"{_ASCII}{more}{private}:@/?")
        self._fragment = _characters(f"{_ASCII}{more}:@/?")
        self._user = _characters(f"{_ASCII}{more}:")
        self._name = _characters(f"{_ASCII}{more}")

    def absolute(self, text: str) -> bool:
        """Say whether a string is a URI: a reference with a scheme."""
        return _SCHEME.match(text) is not None and self.reference(text)

    def reference(self, text: str) -> bool:
        """Say whether a string is a URI or a relative reference."""
        rest, _, fragment = text.partition("#")
        rest, _, query = rest.partition("?")
        if self._fragment.fullmatch(fragment) is None or self._query.fullmatch(query) is None:
            return False
        scheme = _SCHEME.match(rest)
        if scheme is not None:
            rest = rest[scheme.end() :]
        if rest.startswith("//"):
            authority, _, rest = rest[2:].partition("/")
            if not self._is_authority(authority):
                return False
        elif scheme is None and ":" in rest.partition("/")[0]:
            return False
        return self._path.fullmatch(rest) is not None

    def _is_authority(self, text: str) -> bool:
        user, _, host = text.rpartition("@")
        if self._user.fullmatch(user) is None:
            return False
        if host.startswith("["):
            address, _, port = host[1:].partition("]")
            known = is_ipv6(address) or _FUTURE_ADDRESS.fullmatch(address) is not None
            return "]" in host and known and _PORT.fullmatch(port) is not None
        name, colon, port = host.partition(":")
        return self._name.fullmatch(name) is not None and _PORT.fullmatch(colon + port) is not None


def _characters(inside: str) -> re.Pattern[str]:
    return re.compile(f"(?:[{inside}-]|%[0-9A-Fa-f]{{2}})*+")


@cache
def _uri() -> _Reference:
    return _Reference()


@cache
def _iri() -> _Reference:
    return _Reference(_UCS, _PRIVATE)


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "date": is_date,
        "time": is_time,
        "date-time": is_date_time,
        "duration": is_duration,
        "email": is_email,
        "hostname": is_hostname,
        "ipv4": is_ipv4,
        "ipv6": is_ipv6,
        "uri": lambda text: _uri().absolute(text),
        "uri-reference": lambda text: _uri().reference(text),
        "iri": lambda text: _iri().absolute(text),
        "iri-reference": lambda text: _iri().reference(text),
        "uuid": is_uuid,
        "byte": is_base64,
        "base64": is_base64,
        "base64url": is_base64url,
        "json-pointer": is_json_pointer,
        "relative-json-pointer": is_relative_json_pointer,
    }
)
"""What judges each format, by its name in JSON Schema (2020-12, section 7.3) or OpenAPI's format registry."""
