"""Reading an OpenAPI 3.0 document: the operations that it describes, compiled, or every fault that it has.

What the reader does not enforce it does not let pass: other parameter styles, header and cookie parameters,
other media types, circular references and OpenAPI 3.1 are faults at their place. Operations that were not
asked for are not read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from gateway.contracts.references import ReferenceFault, follow, resolve_schema
from gateway.contracts.weak import weak_spots
from gateway.core.schema import SchemaFault, compile_schema
from gateway.core.types import Body, Operation, Parameter, Validator
from gateway.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.contracts.references import DocumentPath
    from gateway.documents import Document

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_JSON: Final = "application/json"
_VERSION: Final = re.compile(r"3\.0\.[0-9]+")
_SEGMENT: Final = re.compile(r"\{[^{}/]+\}|[^{}?#%\s]+")
_SCALARS: Final = ("string", "integer", "number", "boolean")
_STYLES: Final = {"path": "simple", "query": "form"}
_PARAMETER_KEYS: Final = frozenset(
    (
        "name",
        "in",
        "required",
        "schema",
        "style",
        "explode",
        "description",
        "deprecated",
        "example",
        "examples",
    )
)


class _Found(NamedTuple):
    """An operation's place in the document."""

    name: str
    method: str
    template: str
    path: DocumentPath


def read_contract(
    name: str,
    source: Document,
    *,
    prefix: str | None,
    upstream: str,
    operations: Sequence[str] | None,
    max_bytes: int,
) -> list[Operation]:
    """Compile the operations of the contract ``name``, in the document's order.

    ``prefix`` stands before every path; None takes the path of the first server (OpenAPI 3.0.3, "Server
    Object"). ``operations`` are the operationIds wanted, None for all. ``upstream`` and ``max_bytes`` are
    written into each operation. Raises :class:`ConfigError` with every fault, each at its line and column.
    """
    reader = _Reader(source)
    result = reader.read(name, prefix, upstream, operations, max_bytes)
    if reader.faults:
        raise ConfigError(sorted(set(reader.faults)))
    return result


class _Reader:
    """Reads one document and collects its faults."""

    def __init__(self, source: Document) -> None:
        self.faults: list[Fault] = []
        self._source = source

    def _fault(self, path: DocumentPath, message: str) -> None:
        self.faults.append(self._source.fault(path, message))

    def _mapping(self, value: Any, path: DocumentPath, what: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._fault(path, f"{what} must be a mapping")
        return {}

    def read(
        self, name: str, prefix: str | None, upstream: str, wanted: Sequence[str] | None, max_bytes: int
    ) -> list[Operation]:
        root = self._mapping(self._source.value, (), "an OpenAPI document")
        version = root.get("openapi")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            text = "OpenAPI 3.1 is" if str(version).startswith("3.1") else "anything but OpenAPI 3.0 is"
            self._fault(("openapi",), f"{text} not available yet; openapi must be 3.0.x")
            return []
        base = self._server_path(root) if prefix is None else prefix
        found = list(self._find(self._mapping(root.get("paths"), ("paths",), "paths")))
        if wanted is not None:
            self._refuse_unknown(found, wanted)
            found = [one for one in found if one.name in wanted]
        self._refuse_unnamed_and_repeated(found)
        return [
            operation
            for one in found
            if (operation := self._operation(one, name, base.rstrip("/"), upstream, max_bytes)) is not None
        ]

    def _server_path(self, root: Mapping[str, Any]) -> str:
        servers = root.get("servers") or [{"url": "/"}]
        path: DocumentPath = ("servers", 0, "url")
        url = servers[0].get("url") if isinstance(servers, list) and isinstance(servers[0], dict) else None
        if not isinstance(url, str):
            self._fault(path, "a server needs a url")
            return ""
        if "{" in url:
            self._fault(path, "variables in a server's url are not available yet; set the contract's prefix")
        return urlsplit(url).path

    def _find(self, paths: Mapping[str, Any]) -> Iterator[_Found]:
        """Find every operation; what is wrong with those not wanted is left alone."""
        for template, item in paths.items():
            if template.startswith("x-"):
                continue
            for key, operation in self._mapping(item, ("paths", template), "a path item").items():
                if key == "$ref":
                    self._fault(("paths", template, key), "a reference to a path item is not available yet")
                elif key in _METHODS:
                    path = ("paths", template, key)
                    identifier = self._mapping(operation, path, "an operation").get("operationId")
                    yield _Found(
                        identifier if isinstance(identifier, str) else "", key.upper(), template, path
                    )

    def _refuse_unknown(self, found: list[_Found], wanted: Sequence[str]) -> None:
        known = sorted({one.name for one in found if one.name})
        for name in wanted:
            if name not in known:
                self._fault(
                    ("paths",),
                    f"there is no operation {name}; the document's are {', '.join(known) or 'none'}",
                )

    def _refuse_unnamed_and_repeated(self, found: list[_Found]) -> None:
        seen: set[str] = set()
        for one in found:
            if not one.name:
                self._fault(one.path, "an operation needs an operationId")
            elif one.name in seen:
                self._fault((*one.path, "operationId"), f"operationId {one.name} stands twice")
            seen.add(one.name)

    def _operation(
        self, found: _Found, contract: str, base: str, upstream: str, max_bytes: int
    ) -> Operation | None:
        before = len(self.faults)
        item = self._source.value["paths"][found.template]
        value = self._mapping(item[found.path[-1]], found.path, "an operation")
        for holder, path in ((item, found.path[:-1]), (value, found.path)):
            if "servers" in holder:
                self._fault((*path, "servers"), "servers of a single path or operation are not available yet")
        names = self._template_names(found)
        parameters = self._parameters(item, value, found)
        self._compare(names, parameters, found)
        body = self._body(value, found)
        if len(self.faults) > before:
            return None
        in_path = {parameter.name: parameter for parameter in parameters if parameter.where == "path"}
        return Operation(
            name=found.name,
            contract=contract,
            method=found.method,
            template=base + found.template,
            upstream=upstream,
            max_bytes=max_bytes,
            path_parameters=tuple(in_path[name] for name in names),
            query_parameters={one.name: one for one in parameters if one.where == "query"},
            body=body,
            weak=() if body is None else weak_spots(body.media_types[_JSON]),
        )

    def _template_names(self, found: _Found) -> list[str]:
        """Give the names in a path template, in order."""
        segments = found.template.split("/")[1:]
        if not found.template.startswith("/") or not all(map(_SEGMENT.fullmatch, segments)):
            self._fault(
                ("paths", found.template),
                "a path is /-separated, and each segment either literal or one {name}; "
                "anything else is not available yet",
            )
        names = [segment[1:-1] for segment in segments if segment.startswith("{")]
        if len(names) != len(set(names)):
            self._fault(("paths", found.template), "a name stands twice in a path")
        return names

    def _compare(self, names: list[str], parameters: list[Parameter], found: _Found) -> None:
        described = {parameter.name for parameter in parameters if parameter.where == "path"}
        for name in names:
            if name not in described:
                self._fault(found.path, f"the path parameter {name} is not described, or not rightly")
        for name in sorted(described.difference(names)):
            self._fault(found.path, f"the path parameter {name} does not stand in the path")

    def _parameters(
        self, item: Mapping[str, Any], operation: Mapping[str, Any], found: _Found
    ) -> list[Parameter]:
        """Read the parameters of path and operation; the operation's own win."""
        merged: dict[tuple[str, str], Parameter] = {}
        for holder, path in ((item, found.path[:-1]), (operation, found.path)):
            listed = holder.get("parameters", [])
            if not isinstance(listed, list):
                self._fault((*path, "parameters"), "parameters must be a list")
                continue
            own: set[tuple[str, str]] = set()
            for index in range(len(listed)):
                parameter = self._parameter((*path, "parameters", index))
                if parameter is None:
                    continue
                key = parameter.where, parameter.name
                if key in own:
                    self._fault((*path, "parameters", index), f"the parameter {parameter.name} stands twice")
                own.add(key)
                merged[key] = parameter
        return list(merged.values())

    def _parameter(self, path: DocumentPath) -> Parameter | None:
        try:
            value, path = follow(self._source, path)
        except ReferenceFault as fault:
            self._fault(fault.path, fault.message)
            return None
        value = self._mapping(value, path, "a parameter")
        name, where = value.get("name"), value.get("in")
        if not isinstance(name, str) or not name or not isinstance(where, str):
            self._fault(path, "a parameter needs a name and a place (in)")
            return None
        if where not in _STYLES:
            self._fault((*path, "in"), f"a parameter in {where} is not available yet")
            return None
        for key in value:
            if key not in _PARAMETER_KEYS and not key.startswith("x-"):
                self._fault((*path, key), f"{key} is not available yet")
        if value.get("style", _STYLES[where]) != _STYLES[where]:
            self._fault((*path, "style"), f"the style {value['style']} is not available yet")
        required = value.get("required", False)
        if not isinstance(required, bool) or (where == "path" and not required):
            self._fault(path, "required must be true for a path parameter, true or false for others")
        return self._typed_parameter(
            name, "path" if where == "path" else "query", path, required=required is True
        )

    def _typed_parameter(
        self, name: str, where: Literal["path", "query"], path: DocumentPath, *, required: bool
    ) -> Parameter | None:
        validator = self._schema((*path, "schema"), parameter=name)
        if validator is None:
            return None
        kind = validator.schema.get("type") if not isinstance(validator.schema, bool) else None
        if kind not in _SCALARS:
            self._fault((*path, "schema"), f"a parameter's type must be one of {', '.join(_SCALARS)} yet")
            return None
        return Parameter(name, where, kind, required, validator)

    def _body(self, operation: Mapping[str, Any], found: _Found) -> Body | None:
        if "requestBody" not in operation:
            return None
        try:
            value, path = follow(self._source, (*found.path, "requestBody"))
        except ReferenceFault as fault:
            self._fault(fault.path, fault.message)
            return None
        value = self._mapping(value, path, "a request body")
        required = value.get("required", False)
        if not isinstance(required, bool):
            self._fault((*path, "required"), "required must be true or false")
        content = self._mapping(value.get("content"), (*path, "content"), "the content of a request body")
        for media_type in content:
            if media_type.lower() != _JSON:
                self._fault((*path, "content", media_type), f"{media_type} is not available yet")
        if _JSON not in content:
            self._fault((*path, "content"), f"a request body needs {_JSON}")
            return None
        here = (*path, "content", _JSON)
        described = "schema" in self._mapping(content[_JSON], here, "a media type")
        validator = self._schema((*here, "schema")) if described else compile_schema(schema=True)
        return None if validator is None else Body(required is True, {_JSON: validator})

    def _schema(self, path: DocumentPath, parameter: str | None = None) -> Validator | None:
        """Compile the schema at ``path``; None, and the faults noted, when that cannot be done."""
        try:
            resolved = resolve_schema(self._source, path)
        except ReferenceFault as fault:
            self._fault(fault.path, fault.message)
            return None
        except KeyError:
            self._fault(path[:-1], "a schema is needed here; content is not available yet")
            return None
        try:
            return compile_schema(resolved.value, parameter=parameter)
        except SchemaFault as fault:
            for place, message in fault.faults:
                self._fault(resolved.origin(place), message)
            return None
