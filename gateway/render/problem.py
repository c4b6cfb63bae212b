"""The problem dialect: problem details for HTTP APIs (RFC 9457).

``type`` is ``urn:message-gateway:problem:CODE``: stable for each code, an identifier and not an address
(RFC 9457 section 3.1.1 allows one that cannot be fetched). ``instance`` is the request's id as a UUID URN
(RFC 9562 section 4), under which logs and records have it. ``code``, ``param`` and ``violations`` are
extension members, the same as in the OpenAI dialect.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Final

from gateway.render.violations import text_or_null, violations_json

if TYPE_CHECKING:
    from gateway.core.codes import Code
    from gateway.core.types import Rejection

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:message-gateway:problem:"


def problem_body(rejection: Rejection, code: Code, request_id: str) -> bytes:
    """Give the problem details object; ``code`` is the table's row for the rejection's code."""
    return (
        f'{{"type":{quote(TYPE_PREFIX + rejection.code)},"title":{quote(code.title)},"status":{code.status},'
        f'"detail":{quote(rejection.message)},"instance":{quote("urn:uuid:" + request_id)},'
        f'"code":{quote(rejection.code)},"param":{text_or_null(rejection.param)}'
        f"{violations_json(rejection)}}}"
    ).encode("ascii")
