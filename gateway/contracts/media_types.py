"""Media types as documents name them: which of the four ways of reading a body one means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.core.types import ContentKind

_NAME: Final = "[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
"""RFC 6838 section 4.2, in lower case."""
_ESSENCE: Final = re.compile(rf"\*/\*|{_NAME}/(?:\*|{_NAME})")
_CHARSET: Final = re.compile(r"\s*charset\s*=\s*\"?utf-8\"?\s*", re.IGNORECASE)


def essence(media_type: str) -> str | None:
    """Give a media type or range in lower case, without a charset of UTF-8; None for what is neither.

    Other parameters would have to be compared with those of the request, which nothing does: None as well.
    """
    name, *parameters = media_type.split(";")
    name = name.strip().lower()
    known = _ESSENCE.fullmatch(name) is not None and all(map(_CHARSET.fullmatch, parameters))
    return name if known else None


def media_type_kind(media_type: str) -> ContentKind:
    """Say how a body of ``media_type``, which may be a range, is read."""
    name = essence(media_type) or ""
    if name == "application/json" or name.endswith("+json"):
        return "json"
    if name == "multipart/form-data":
        return "multipart"
    return "form" if name == "application/x-www-form-urlencoded" else "opaque"
