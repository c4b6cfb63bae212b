"""What a well-kept library has to say of a document, for ``gateway check``: openapi-spec-validator.

Its findings are warnings: whether a document can be enforced, and how, is settled by
:mod:`gateway.contracts.openapi` alone. Nothing here reads the network, nor a file that is not below the
document's folder. To hold schemas against their metaschema, most of its time, is left to jsonschema-rs.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import jsonschema_rs
from jsonschema_path import SchemaPath
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from openapi_spec_validator.schemas import schema_v30, schema_v31
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError
from openapi_spec_validator.validation.keywords import (
    OpenAPIV30SchemaValidator,
    OpenAPIV30ValueValidator,
    OpenAPIV31SchemaValidator,
    OpenAPIV31ValueValidator,
)

from gateway import documents
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.documents import Document
    from gateway.errors import Fault

MAX_FINDINGS: Final = 100
"""How many findings of one document are told."""
_LONGEST: Final = 200
"""How many characters of a finding are told: some repeat half the document."""


def inspect(document: Document, folder: Path | None) -> list[Fault]:
    """Give what openapi-spec-validator finds in an OpenAPI 3.0 or 3.1 document, each with its place.

    ``folder`` is where files lie that the document refers to, None for no such files. For another version,
    and for what is no OpenAPI document at all, there is nothing to say.
    """
    value = document.value
    version = str(value.get("openapi")) if isinstance(value, dict) else ""
    chosen = next((kinds for start, kinds in _VALIDATORS.items() if version.startswith(start)), None)
    if chosen is None:
        return []
    base = "" if folder is None else f"{folder.resolve().as_uri()}/"
    path = SchemaPath.from_dict(value, base_uri=base, handlers=_Files(folder), resolved_cache_maxsize=1024)
    schema, checks = chosen
    found: dict[Fault, None] = {}
    places = _Places(value)
    try:
        for error in chain(_structure(schema, value), checks(path, base_uri=base).root_validator(path)):
            found[document.fault(places.of(error), _words(error))] = None
            if len(found) >= MAX_FINDINGS:
                found[document.fault((), "there is more; only this much is told")] = None
                break
    except Exception as error:  # noqa: BLE001 - a library's own trouble with a document is nobody's fault
        reason = str(error).partition("\n")[0][:_LONGEST] or type(error).__name__
        found[document.fault((), f"openapi-spec-validator could not look further: {reason}")] = None
    return list(found)


def _words(error: OpenAPIValidationError) -> str:
    message = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"
    return f"openapi-spec-validator: {' '.join(message.split())}"


def _structure(schema: dict[str, Any], value: Any) -> Iterator[OpenAPIValidationError]:
    """Hold a document against OpenAPI's own schema of documents."""
    for error in jsonschema_rs.validator_for(schema, offline=True).iter_errors(value):
        deepest = _deepest(error)
        yield OpenAPIValidationError(deepest.message, path=deepest.instance_path)


def _deepest(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """Give the reason that lies deepest in the document, where all that is said is that no branch fits."""
    inner = [one for branch in getattr(error.kind, "context", ()) for one in branch]
    if not inner:
        return error
    return max(map(_deepest, inner), key=lambda one: len(one.instance_path))


class _Files(Mapping[str, Any]):
    """Reads referenced files by URI, of whatever scheme: those below one folder, and nothing else."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder.resolve()

    def __contains__(self, scheme: object) -> bool:
        """Claim every scheme, or the library would ask the network."""
        return True

    def __getitem__(self, scheme: str) -> Callable[[str], Any]:
        return self._read

    def __iter__(self) -> Iterator[str]:
        return iter(("file",))

    def __len__(self) -> int:
        return 1

    def _read(self, uri: str) -> Any:
        parts = urlsplit(uri)
        file = Path(unquote(parts.path)).resolve()
        if parts.scheme != "file" or self._folder is None or not file.is_relative_to(self._folder):
            raise LookupError(f"{uri} is not below the document's folder")
        try:
            return documents.read(file).value
        except ConfigError as error:
            raise LookupError(str(error)) from None


def _placed(errors: Iterator[OpenAPIValidationError], schema: SchemaPath) -> Iterator[OpenAPIValidationError]:
    """Note with each error the schema that it is about, where the library does not."""
    for error in errors:
        if not isinstance(error.schema, dict):
            error.schema = schema.read_value()
        yield error


def _defaults(
    errors: Iterator[OpenAPIValidationError], schema: SchemaPath
) -> Iterator[OpenAPIValidationError]:
    """Say of errors that they are those of a schema's default."""
    for error in errors:
        message = f"the default is not valid under its own schema: {error.message}"
        yield OpenAPIValidationError(message, path=("default",), schema=schema.read_value())


def _check_schema(schema: Any) -> None:
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        raise OpenAPIValidationError(error.message, path=error.instance_path, schema=schema) from None


def _checked_already(_schema: Any) -> None:
    """Do nothing: OpenAPI 3.0's schema of documents is one of their schemas, too."""


class _Schemas30(OpenAPIV30SchemaValidator):
    def _get_schema_checker(self, _schema: SchemaPath, _value: Any) -> Callable[[Any], None]:
        return _checked_already

    def __call__(self, schema: SchemaPath, *args: Any, **options: Any) -> Iterator[OpenAPIValidationError]:
        yield from _placed(super().__call__(schema, *args, **options), schema)


class _Schemas31(OpenAPIV31SchemaValidator):
    def _get_schema_checker(self, _schema: SchemaPath, _value: Any) -> Callable[[Any], None]:
        return _check_schema

    def __call__(self, schema: SchemaPath, *args: Any, **options: Any) -> Iterator[OpenAPIValidationError]:
        yield from _placed(super().__call__(schema, *args, **options), schema)


class _Defaults30(OpenAPIV30ValueValidator):
    def __call__(self, schema: SchemaPath, value: Any) -> Iterator[OpenAPIValidationError]:
        yield from _defaults(super().__call__(schema, value), schema)


class _Defaults31(OpenAPIV31ValueValidator):
    def __call__(self, schema: SchemaPath, value: Any) -> Iterator[OpenAPIValidationError]:
        yield from _defaults(super().__call__(schema, value), schema)


_KEYWORDS_30: Final = {
    **OpenAPIV30SpecValidator.keyword_validators,
    "schema": _Schemas30,
    "default": _Defaults30,
}


class _Validator30(OpenAPIV30SpecValidator):
    keyword_validators = _KEYWORDS_30


_KEYWORDS_31: Final = {
    **OpenAPIV31SpecValidator.keyword_validators,
    "schema": _Schemas31,
    "default": _Defaults31,
}


class _Validator31(OpenAPIV31SpecValidator):
    keyword_validators = _KEYWORDS_31


_VALIDATORS: Final = {
    "3.0.": (dict(schema_v30), _Validator30),
    "3.1.": (dict(schema_v31), _Validator31),
}


class _Places:
    """Finds where in the document something stands, by identity."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._paths: dict[int, tuple[str | int, ...]] = {}

    def of(self, error: OpenAPIValidationError) -> tuple[str | int, ...]:
        """Give the place that an error is about: below its schema, or in the document as a whole."""
        if not self._paths:
            self._walk(self._root)
        return (*self._paths.get(id(error.schema), ()), *error.absolute_path)

    def _walk(self, root: Any) -> None:
        pending: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
        while pending:
            path, value = pending.pop()
            if isinstance(value, dict | list):
                self._paths[id(value)] = path
                members = value.items() if isinstance(value, dict) else enumerate(value)
                pending += [((*path, step), member) for step, member in members]
