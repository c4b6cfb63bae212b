"""The value of ``audit.index``: ``sqlite`` or a PostgreSQL URL, which is shown with its secrets masked.

The grammar is that of libpq (https://www.postgresql.org/docs/current/libpq-connect.html, "Connection URIs"),
held strictly: what is a secret in a URL has to be known for certain, or it is not taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import unquote

from pydantic import PlainSerializer, PlainValidator, SecretStr, ValidationInfo, WithJsonSchema

from gateway.config.values import MASK, fault, read_secret

if TYPE_CHECKING:
    from pydantic import SerializationInfo

_CODED: Final = "%[0-9A-Fa-f]{2}"
_PART: Final = rf"(?:[A-Za-z0-9._~!$&'()*+;=-]|{_CODED})"
_HOST: Final = rf"(?:\[[0-9A-Fa-f:.]+\]|{_PART}*)(?::[0-9]{{1,5}})?"
_SETTING: Final = rf"(?:[!-$'-<>-~]|{_CODED})*"
_URL: Final = re.compile(
    rf"(?P<start>postgresql://)(?:(?P<user>{_PART}*)(?P<password>:(?:[!-$&-.0-?A-~]|{_CODED})*)?@)?"
    rf"(?P<place>{_HOST}(?:,{_HOST})*(?:/{_PART}*)?)(?:\?(?P<settings>{_SETTING}={_SETTING}(?:&{_SETTING}={_SETTING})*))?"
)


def _read(value: object, info: ValidationInfo) -> SecretStr:
    secret = read_secret(value, info)
    text = secret.get_secret_value()
    if text != "sqlite" and not _URL.fullmatch(text):
        raise fault("expected sqlite or postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return secret


def _write(value: SecretStr, info: SerializationInfo) -> str:
    text = value.get_secret_value()
    return text if (info.context or {}).get("reveal") else masked(text)


def masked(text: str) -> str:
    """Give a value of ``audit.index`` with its password, and all that is like one, masked."""
    url = _URL.fullmatch(text)
    if url is None:
        return text if text == "sqlite" else MASK
    shown = url["start"]
    if url["user"] is not None:
        shown += url["user"] + (f":{MASK}" if url["password"] else "") + "@"
    shown += url["place"]
    if url["settings"] is not None:
        shown += "?" + "&".join(map(_masked_setting, url["settings"].split("&")))
    return shown


def _masked_setting(setting: str) -> str:
    name, _, _ = setting.partition("=")
    plain = unquote(name).lower()
    return f"{name}={MASK}" if "password" in plain or "secret" in plain else setting


IndexUrl = Annotated[
    SecretStr,
    PlainValidator(_read),
    PlainSerializer(_write),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(?:sqlite$|postgresql://)"},
                {
                    "type": "object",
                    "properties": {"file": {"type": "string", "minLength": 1}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
