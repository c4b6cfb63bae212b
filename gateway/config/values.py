"""The kinds of values that a configuration holds, each with its reading, its rendering and its JSON Schema.

A reader takes what stands in the file (environment variables replaced) and gives the typed value, or raises
:func:`fault` with a sentence for the operator. No such sentence repeats a value.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import PlainSerializer, PlainValidator, SecretStr, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.config.environment import FromEnvironment
from gateway.config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_size,
    render_duration,
    render_size,
)
from gateway.core.schema.pattern import PatternFault, matcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SerializationInfo

MASK: Final = "********"
_SECRET_LIMIT: Final = 64 << 10
_SHORTEST: Final = 0.001
_LONGEST: Final = 365 * 86_400.0
_LONGEST_KEPT: Final = 10 * _LONGEST
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
PACK: Final = re.compile(f"pack:{_NAME}")
_ERRATA: Final = re.compile(f"pack:errata/{_NAME}")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
"""RFC 9110 section 5.6.2."""
_MEMBER: Final = r"[!-+\--~](?:[ -+\--~]{0,1022}[!-+\--~])?"
"""A member of a field's comma-separated list: printable ASCII, no comma, no space around it."""
_PREFIX: Final = r"/|(?:/[A-Za-z0-9._~!\x24&'()*+,;=:@-]+)+"


def fault(message: str) -> PydanticCustomError:
    """Give the exception that carries ``message`` to the operator."""
    return PydanticCustomError("fault", "{message}", {"message": message})


def kind(value: object) -> str:
    """Name the kind of a value that stands in a document."""
    if value is None:
        return "nothing"
    names = {bool: "a boolean", int: "a whole number", float: "a number", dict: "a mapping", list: "a list"}
    return names.get(type(value), "a string")


def base_of(info: ValidationInfo) -> Path:
    """Give the folder that relative paths start from: the context's ``base``, else the current one."""
    base = (info.context or {}).get("base")
    return base if isinstance(base, Path) else Path.cwd()


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str):
        raise fault(f"expected {expected}, but got {kind(value)}")
    return str(value)


def string(pattern: str, expected: str) -> tuple[PlainValidator, WithJsonSchema]:
    """Make a kind of string that matches ``pattern`` whole."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        text = _text(value, expected)
        if not compiled.fullmatch(text):
            raise fault(f"expected {expected}")
        return text

    return PlainValidator(read), WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


def integer(low: int, high: int) -> tuple[PlainValidator, WithJsonSchema]:
    """Make a kind of whole number from ``low`` to ``high``; from the environment it comes as digits."""

    def read(value: object) -> int:
        if isinstance(value, FromEnvironment) and re.fullmatch(r"[0-9]{1,18}", value):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            got = "" if type(value) is int or isinstance(value, str) else f", but got {kind(value)}"
            raise fault(f"expected a whole number from {low} to {high}{got}")
        return value

    return PlainValidator(read), WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})


def choice(*values: str, later: tuple[str, ...] = ()) -> tuple[PlainValidator, WithJsonSchema]:
    """Make a kind that takes one of ``values``; those of ``later`` are known but not served yet."""
    listed = " or ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in values + later:
            raise fault(f"expected {listed}")
        if value in later:
            raise fault(f"{value} is not available yet; expected {listed}")
        return str(value)

    return PlainValidator(read), WithJsonSchema({"type": "string", "enum": list(values)})


def _read_flag(value: object) -> bool:
    if isinstance(value, FromEnvironment) and value in {"true", "false"}:
        return value == "true"
    if not isinstance(value, bool):
        raise fault("expected true or false")
    return value


def _read_workers(value: object) -> int:
    number = (
        int(value) if isinstance(value, FromEnvironment) and re.fullmatch(r"[0-9]{1,9}", value) else value
    )
    if value == "auto" or (type(number) is int and number > 1):
        raise fault("more than one worker is not available yet; expected 1")
    if type(number) is not int or number != 1:
        raise fault("expected 1")
    return number


def _read_duration(longest: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        try:
            seconds = parse_duration(value) if isinstance(value, str) else None
        except ValueError:
            seconds = None
        if seconds is None:
            raise fault("expected a duration such as 250ms, 5s, 10m, 24h or 7d")
        if not _SHORTEST <= seconds <= longest:
            raise fault(f"expected a duration from 1ms to {render_duration(longest)}")
        return seconds

    return read


def _read_size(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        try:
            size = parse_size(value) if isinstance(value, str) else None
        except ValueError:
            size = None
        if size is None:
            raise fault("expected a size such as 512B, 64KiB or 1MiB")
        if not low <= size <= high:
            raise fault(f"expected a size from {render_size(low)} to {render_size(high)}")
        return size

    return read


def size(low: int, high: int) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    """Make a kind of size in bytes from ``low`` to ``high``."""
    return (
        PlainValidator(_read_size(low, high)),
        PlainSerializer(render_size, return_type=str, when_used="json"),
        WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN}),
    )


def _read_host(value: object) -> str:
    expected = "an IP address or a host name, without a port"
    text = _text(value, expected)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if not _HOST.fullmatch(text) or re.fullmatch(r"[0-9.]+", text):
            raise fault(f"expected {expected}") from None
    return text


def is_loopback(host: str) -> bool:
    """Whether ``host`` is an address that only this machine reaches; any name but localhost is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _read_network(value: object) -> Network:
    expected = "a network such as 10.0.0.0/8 or fd00::/8, or an address"
    text = _text(value, expected)
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise fault("has bits set right of the network's length") from None
        raise fault(f"expected {expected}") from None


class Origin(NamedTuple):
    """Scheme, host and port of an upstream (RFC 9110 section 4.3.1); an IPv6 host stands without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """What the Host field says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """Give the URL."""
        return f"{self.scheme}://{self.authority}"


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _read_origin(value: object) -> Origin:
    expected = "a URL such as http://127.0.0.1:9000: http or https, host and port"
    text = _text(value, expected)
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise fault(f"expected {expected}") from None
    if url.scheme not in _DEFAULT_PORTS or not host or port == 0 or re.search(r"[^\x21-\x7e]", text):
        raise fault(f"expected {expected}")
    if "@" in url.netloc:
        raise fault("expected no user name or password; use authorization")
    if url.path not in {"", "/"} or "?" in text or "#" in text:
        raise fault("expected scheme and authority only: no path, query or fragment")
    return Origin(url.scheme, _read_host(host), port or _DEFAULT_PORTS[url.scheme])


def _read_file(value: object, info: ValidationInfo) -> Path:
    text = _text(value, "the path of a file")
    if not text or "\0" in text:
        raise fault("expected the path of a file")
    path = Path(base_of(info), text)
    shown = "the file" if isinstance(value, FromEnvironment) else repr(text)
    try:
        if path.exists() and not path.is_file():
            raise fault(f"cannot read {shown}: not a regular file")
        with path.open("rb"):
            return path
    except OSError as error:
        raise fault(f"cannot read {shown}: {error.strerror or error}") from None


def _read_folder(value: object, info: ValidationInfo) -> Path:
    text = _text(value, "the path of a folder")
    if not text or "\0" in text:
        raise fault("expected the path of a folder")
    path = Path(base_of(info), text)
    shown = "the folder" if isinstance(value, FromEnvironment) else repr(text)
    try:
        if path.exists() and not path.is_dir():
            raise fault(f"cannot use {shown}: not a folder")
    except OSError as error:
        raise fault(f"cannot use {shown}: {error.strerror or error}") from None
    return path


def read_secret(value: object, info: ValidationInfo) -> SecretStr:
    """Read a secret that stands in the document, or in the file that ``{file: PATH}`` names."""
    if isinstance(value, dict) and list(value) == ["file"]:
        with _read_file(value["file"], info).open("rb") as file:
            content = file.read(_SECRET_LIMIT + 1)
        if len(content) > _SECRET_LIMIT:
            raise fault(f"the secret is longer than {render_size(_SECRET_LIMIT)}")
        try:
            text = content.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise fault("the file's content is not UTF-8") from None
    elif isinstance(value, str):
        text = str(value)
    else:
        got = "another mapping" if isinstance(value, dict) else kind(value)
        raise fault(f"expected a string or {{file: PATH}}, but got {got}")
    if not text:
        raise fault("a secret is empty")
    if not _HEADER_VALUE.fullmatch(text):
        raise fault("a secret must be printable ASCII without spaces around it, as header fields are")
    return SecretStr(text)


def _write_secret(value: SecretStr, info: SerializationInfo) -> str:
    return value.get_secret_value() if (info.context or {}).get("reveal") else MASK


def _read_openapi(value: object, info: ValidationInfo) -> str:
    text = _text(value, "pack:NAME or the path of a file")
    if text.startswith("pack:"):
        if not PACK.fullmatch(text):
            raise fault("expected pack:NAME or the path of a file")
        return text
    return str(_read_file(value, info))


def _read_overlay(value: object, info: ValidationInfo) -> str:
    expected = "pack:errata/NAME or the path of a file"
    text = _text(value, expected)
    if text.startswith("pack:"):
        if not _ERRATA.fullmatch(text):
            raise fault(f"expected {expected}")
        return text
    return str(_read_file(value, info))


def _read_pattern(value: object) -> str:
    text = _text(value, "a regular expression")
    try:
        matcher(text)
    except PatternFault as error:
        shown = "" if isinstance(value, FromEnvironment) else f": {error}"
        raise fault(f"cannot be used as a pattern{shown}") from None
    return text


def _read_field_name(value: object) -> str:
    expected = "the name of a header field"
    text = _text(value, expected)
    if not _TOKEN.fullmatch(text):
        raise fault(f"expected {expected}")
    return text.lower()


def _strip_prefix(value: object) -> str:
    text = _text(value, "a path such as /v1")
    if not re.fullmatch(_PREFIX, text) or {".", ".."} & set(text.split("/")):
        raise fault("expected a path such as /v1, without a slash at its end")
    return "" if text == "/" else text


def _schema(*, pattern: str | None = None, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string"} | ({"pattern": pattern} if pattern else {}) | more)


_as_text: Final = PlainSerializer(str, return_type=str, when_used="json")

Name = Annotated[str, *string(_NAME, "a name of at most 64 letters, digits, dots, dashes and underscores")]
Flag = Annotated[bool, PlainValidator(_read_flag), WithJsonSchema({"type": "boolean"})]
Workers = Annotated[int, PlainValidator(_read_workers), WithJsonSchema({"const": 1})]
_render_duration: Final = PlainSerializer(render_duration, return_type=str, when_used="json")
Duration = Annotated[
    float, PlainValidator(_read_duration(_LONGEST)), _render_duration, _schema(pattern=DURATION_PATTERN)
]
Retention = Annotated[
    float, PlainValidator(_read_duration(_LONGEST_KEPT)), _render_duration, _schema(pattern=DURATION_PATTERN)
]
"""How long records are kept: years, where the law says so."""
Host = Annotated[str, PlainValidator(_read_host), _schema(minLength=1)]
Proxies = Annotated[Network, PlainValidator(_read_network), _as_text, _schema(minLength=1)]
Url = Annotated[Origin, PlainValidator(_read_origin), _as_text, _schema(pattern=r"^https?://|\x24\{")]
Folder = Annotated[Path, PlainValidator(_read_folder), _as_text, _schema(minLength=1)]
File = Annotated[Path, PlainValidator(_read_file), _as_text, _schema(minLength=1)]
Prefix = Annotated[
    str,
    PlainValidator(_strip_prefix),
    PlainSerializer(lambda prefix: prefix or "/", return_type=str, when_used="json"),
    _schema(pattern=f"^(?:{_PREFIX})$"),
]
OpenApi = Annotated[str, PlainValidator(_read_openapi), _schema(minLength=1)]
Overlay = Annotated[str, PlainValidator(_read_overlay), _schema(minLength=1)]
Pattern = Annotated[str, PlainValidator(_read_pattern), WithJsonSchema({"type": "string"})]
HeaderName = Annotated[str, PlainValidator(_read_field_name), _schema(pattern=f"^{_TOKEN.pattern}\x24")]
HeaderValue = Annotated[
    str, *string(_MEMBER, "a header field's value: printable ASCII without a comma, no space around it")
]
Secret = Annotated[
    SecretStr,
    PlainValidator(read_secret),
    PlainSerializer(_write_secret),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
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
