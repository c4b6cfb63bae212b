"""The one table of refusal codes: code → HTTP status and title. Nothing else maps faults to statuses."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Code(NamedTuple):
    """A refusal code's HTTP status and its short title for people."""

    status: int
    title: str


_CONSTRAINTS: Final = {
    "missing_required_parameter": "A required parameter is missing",
    "unknown_parameter": "A parameter is not known",
    "unexpected_body": "No body belongs here",
    "invalid_type": "A value has the wrong type",
    "invalid_value": "A value is not allowed",
    "empty_string": "A string is empty",
    "string_below_min_length": "A string is too short",
    "string_above_max_length": "A string is too long",
    "empty_array": "An array is empty",
    "array_below_min_length": "An array is too short",
    "array_above_max_length": "An array is too long",
    "array_items_not_unique": "An array repeats an item",
    "object_below_min_properties": "An object has too few properties",
    "object_above_max_properties": "An object has too many properties",
    "integer_below_min_value": "A number is too small",
    "integer_above_max_value": "A number is too large",
    "decimal_below_min_value": "A number is too small",
    "decimal_above_max_value": "A number is too large",
    "duplicate_key": "A key stands twice in one object",
    "json_too_deep": "The JSON is nested too deep",
    "invalid_json": "The body is not JSON",
    "bad_request": "The request is malformed",
}

CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {code: Code(400, title) for code, title in _CONSTRAINTS.items()}
    | {
        "invalid_api_key": Code(401, "The caller is not known"),
        "not_allowed": Code(403, "The caller may not do this"),
        "unknown_route": Code(404, "No such route"),
        "method_not_allowed": Code(405, "The route has no such method"),
        "request_timeout": Code(408, "The request came too slowly"),
        "body_too_large": Code(413, "The body is too large"),
        "uri_too_long": Code(414, "The request line is too long"),
        "unsupported_media_type": Code(415, "The content type is not accepted"),
        "unsupported_content_encoding": Code(415, "The content encoding is not accepted"),
        "expectation_failed": Code(417, "The expectation is not known"),
        "rate_limit_exceeded": Code(429, "Over the rate"),
        "headers_too_large": Code(431, "The header fields are too large"),
        "upstream_unreachable": Code(502, "The upstream cannot be reached"),
        "upstream_protocol_error": Code(502, "The upstream's answer is malformed"),
        "overloaded": Code(503, "The gateway is at capacity"),
        "draining": Code(503, "The gateway is shutting down"),
        "audit_unavailable": Code(503, "The audit trail cannot be written"),
        "upstream_timeout": Code(504, "The upstream did not answer in time"),
    }
)


def status_of(code: str) -> int:
    """Give the HTTP status of a refusal code; KeyError for one that is not in the table."""
    return CODES[code].status
