"""What replay can say of a request, and which requests it has something to say of. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ruling(NamedTuple):
    """How the other configuration judges a request; ``why`` is a refusal's code, or a :class:`Reason`."""

    kind: Literal["permitted", "refused", "unknown"]
    why: str = ""


PERMITTED: Final = Ruling("permitted")


class Reason(StrEnum):
    """Why a request cannot be judged."""

    NOT_KEPT = "its body was not kept"
    NO_JSON = "what was kept of its body is not JSON"
    ERASED = "what was kept of its body is erased"
    CHANGED = "what was kept of its body was changed"
    TEXTS = "a pattern or format asks for texts that were replaced"
    MEDIA_TYPE = "its media type is not recorded, and may not be JSON"
    PARAMETERS = "query and header fields are not recorded, and are judged otherwise"
    CONDITIONS = "header fields are not recorded, and the operation is chosen by them otherwise"
    SIZE = "the size of its body is not recorded"
    PATH = "its path is not recorded whole"


class Change(StrEnum):
    """What would become of a request."""

    SAME = "the same"
    REFUSED = "newly refused"
    PERMITTED = "newly permitted"
    UNKNOWN = "not judged"
    LEFT_OUT = "left out"


class Judgement(NamedTuple):
    """A change, with the code of the refusal or the reason, and the operation that it is counted under."""

    change: Change
    operation: str = "-"
    why: str = ""


WHOLE: Final = frozenset(("parse", "schema", "forward", "relay"))
"""The phases that a request reaches whose body came whole."""
_FORWARDED: Final = ("forward", "relay")
_JUDGED: Final = ("route", "body", "parse", "schema")
_OTHERWISE: Final = frozenset(
    ("request_timeout", "invalid_api_key", "not_allowed", "rate_limit_exceeded", "overloaded", "draining",
     "audit_unavailable")
)  # fmt: skip
"""Codes of refusals that say nothing of the request itself."""


def was_permitted(record: Mapping[str, Any]) -> bool | None:
    """Say whether the request of a record was permitted; None where neither contract nor policy decided.

    Such are malformed heads, callers that are unknown, too slow or gone, and whatever was too much; and
    requests of which a crash left nothing but that they were.
    """
    if "method" not in record:
        return None
    decision, phase = record.get("decision"), record.get("phase")
    if decision in ("allow", "would_reject") or (decision == "error" and phase in _FORWARDED):
        return True
    if decision == "reject" and phase in _JUDGED and record.get("code") not in _OTHERWISE:
        return False
    return None
