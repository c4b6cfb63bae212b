"""Violations as JSON text, put together by hand: refusing has to cost no more than forwarding.

Everything comes out as ASCII: whatever a string holds, lone surrogates included, is escaped (RFC 8259
section 7), so that nothing here can fail to encode.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote
from math import isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.core.types import Rejection, Violation

# int to str is quadratic, and Python refuses it beyond 4300 digits.
_MAX_INTEGER_BITS: Final = 1024


def violations_json(rejection: Rejection) -> str:
    """Give ``,"violations":[…]``, the last member of an object that has others; empty for no violations.

    Where there are more than are listed, ``,"violation_count":N`` follows.
    """
    violations = rejection.violations
    if not violations:
        return ""
    if len(violations) == 1:
        return f',"violations":[{_violation(violations[0])}]'
    count = f',"violation_count":{rejection.total}' if rejection.total > len(violations) else ""
    return f',"violations":[{",".join(map(_violation, violations))}]{count}'


def text_or_null(text: str | None) -> str:
    """Give ``text`` as a JSON string, None as ``null``."""
    return "null" if text is None else quote(text)


def _violation(violation: Violation) -> str:
    return (
        f'{{"pointer":{text_or_null(violation.pointer)},"param":{text_or_null(violation.param)},'
        f'"code":{quote(violation.code)},"message":{quote(violation.message)},"layer":"{violation.layer}"'
        f"{_member('limit', violation.limit)}{_member('actual', violation.actual)}}}"
    )


def _member(name: str, figure: str | float | None) -> str:
    return "" if figure is None else f',"{name}":{_figure(figure)}'


def _figure(figure: str | float) -> str:
    """Give a rule's figure as JSON; what JSON has no number for becomes a string."""
    if isinstance(figure, str):
        return quote(figure)
    if isinstance(figure, int):
        if figure.bit_length() > _MAX_INTEGER_BITS:
            return f'"an integer of {figure.bit_length()} bits"'
        return str(int(figure))
    return repr(figure) if isfinite(figure) else f'"{figure}"'
