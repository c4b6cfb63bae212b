"""The OpenAI dialect: the error object that the official SDKs turn into exceptions."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Final

from gateway.render.violations import text_or_null, violations_json

if TYPE_CHECKING:
    from gateway.core.types import Rejection

CONTENT_TYPE: Final = "application/json"


def openai_body(rejection: Rejection, status: int) -> bytes:
    """Give ``{"error": {"message", "type", "param", "code", "violations"}}``.

    ``type`` is ``requests`` for 429, ``server_error`` for 5xx, else ``invalid_request_error``.
    ``violations`` is absent where there are none.
    """
    return (
        f'{{"error":{{"message":{quote(rejection.message)},"type":"{_type(status)}",'
        f'"param":{text_or_null(rejection.param)},"code":{quote(rejection.code)}'
        f"{violations_json(rejection)}}}}}"
    ).encode("ascii")


def _type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return "requests" if status == 429 else "invalid_request_error"
