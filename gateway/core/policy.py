"""Policies: what an organisation asks on top of a contract, as schema.

A policy's limits and its own schemas are put beside the contract's schema with ``allOf``, so that a policy
can only tighten. Each part carries the layer that its violations are reported under. A limit that the
contract keeps to by itself is left out: it costs nothing, and its violations are the contract's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from gateway.core.schema.plain import map_schemas
from gateway.core.types import Layer
from gateway.core.view import View, closed, excludes, keeps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import Plain

ConfigPath: TypeAlias = tuple[str | int, ...]
"""Where something stands in the configuration: keys and indexes from its root."""

LISTS_OF_BODIES: Final = ("messages", "additional_messages")
"""Properties of a body whose items are like bodies: limits apply to them, too."""
THREAD: Final = "thread"
"""The property of a body that is like one itself, with such lists in it."""
FILE_LISTS: Final = ("file_ids", "attachments")
_ANYTHING: Final = View.of(True, {})
"""What is known of values where nothing is enforced yet."""


@dataclass(frozen=True, slots=True)
class MetadataLimits:
    """What ``metadata`` may be, wherever a body has it. None is no limit.

    ``max_key_length`` and ``max_value_length`` count code points; with the latter, values are strings.
    ``required`` keys must be there, and ``metadata`` with them, wherever the contract names it;
    ``allowed_keys`` are the only ones.
    """

    max_pairs: int | None = 16
    max_key_length: int | None = 64
    max_value_length: int | None = 512
    required: tuple[str, ...] = ()
    allowed_keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What ``file_ids`` and ``attachments`` may be, wherever a body has them. None is no limit.

    ``max_count`` bounds each of the two lists. ``unique``: no file id stands twice in ``file_ids``, no
    attachment (file and tools together) twice in ``attachments``. ``id_pattern`` is what the ids in
    ``file_ids`` and each attachment's ``file_id`` match (ECMA 262, anywhere in the id unless anchored).
    """

    max_count: int | None = 10
    unique: bool = True
    id_pattern: str | None = None


class PolicySchema(NamedTuple):
    """A policy's schema for one operation, in plain form, with what its references name; and its place.

    Made by :func:`policy_schema`.
    """

    schema: Plain
    definitions: Mapping[str, Plain]
    path: ConfigPath


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked on top of contracts. Without arguments, nothing.

    ``schemas`` by operation: ``operationId`` or ``contract:operationId``. ``reported`` says that violations
    of the layers limit and policy are recorded and not refused. ``stated`` has the place of each limit that
    the configuration states, by section and key such as ``("metadata", "max_pairs")``.
    """

    metadata: MetadataLimits | None = None
    files: FileLimits | None = None
    schemas: Mapping[str, PolicySchema] = field(default_factory=dict)
    reported: bool = False
    stated: Mapping[tuple[str, str], ConfigPath] = field(default_factory=dict)

    @property
    def definitions(self) -> dict[str, Plain]:
        """What ``$ref`` in composed schemas may name beside the contract's own definitions."""
        return {key: schema for entry in self.schemas.values() for key, schema in entry.definitions.items()}

    def schemas_of(self, operation: str) -> list[PolicySchema]:
        """Give the schemas for ``operation``, named ``contract:operationId`` or by its operationId alone."""
        names = (operation, operation.partition(":")[2])
        return [self.schemas[name] for name in names if name in self.schemas]


NO_POLICY: Final = Policy()


def policy_schema(
    operation: str, schema: Plain, definitions: Mapping[str, Plain], path: ConfigPath
) -> PolicySchema:
    """Take a schema that was read into plain form into a policy, under keys that no contract's can equal."""

    def moved(key: str) -> str:
        return f"policy:{operation}#{key}"

    def follow(part: Plain) -> Plain:
        if isinstance(part, bool):
            return part
        changed = map_schemas(part, follow)
        if "$ref" in changed:
            changed["$ref"] = moved(changed["$ref"])
        return changed

    return PolicySchema(
        follow(schema), {moved(key): _layered(follow(part)) for key, part in definitions.items()}, path
    )


def compose(
    schema: Plain,
    definitions: Mapping[str, Plain],
    policy: Policy,
    operation: str,
    *,
    enforced: bool = True,
) -> Plain:
    """Give the schema of a body under a contract and a policy.

    ``definitions`` are the contract's; the result may also name those of ``policy.definitions``.
    ``operation`` is named ``contract:operationId``. ``enforced`` says that the contract's own violations are
    refused: only then may a limit that the contract keeps to be left out.
    """
    parts: list[Plain] = []
    limits = _limits(policy, View.of(schema, definitions), enforced=enforced)
    if limits:
        parts.append({"x-layer": Layer.LIMIT.value, **limits})
    parts += [_layered(entry.schema) for entry in policy.schemas_of(operation) if entry.schema is not True]
    return {"allOf": [schema, *parts]} if parts and schema is not False else schema


def needs_body(schema: Plain, definitions: Mapping[str, Plain], policy: Policy, operation: str) -> bool:
    """Whether a body that the contract lets a client leave out has to be there under ``policy``.

    So it is where the policy requires a member of it; else what it requires could be evaded by no body.
    """
    if policy.reported:
        return False
    if policy.metadata and policy.metadata.required and View.of(schema, definitions).names("metadata"):
        return True
    return any(
        View.of(entry.schema, entry.definitions).proves(
            lambda part: bool(part.get("required")) or part.get("minProperties", 0) > 0
        )
        for entry in policy.schemas_of(operation)
    )


def _layered(schema: Plain) -> dict[str, Any]:
    """Mark a schema as the policy's; a bare ``false`` has no room for the mark."""
    inner = {"allOf": [schema]} if isinstance(schema, bool) else schema
    return {"x-layer": Layer.POLICY.value, **inner}


# The limits, each as schema.


def _limits(
    policy: Policy, view: View, *, enforced: bool, inside: tuple[str, ...] = (*LISTS_OF_BODIES, THREAD)
) -> dict[str, Any]:
    """Give what a policy's limits add at the place of a body, or of what is like one inside it."""
    members: dict[str, dict[str, Any]] = {}
    if policy.metadata is not None:
        members["metadata"] = _metadata(policy.metadata, view.member("metadata") if enforced else _ANYTHING)
    if policy.files is not None:
        for name in FILE_LISTS:
            members[name] = _files(policy.files, name, view.member(name) if enforced else _ANYTHING)
    for name in inside:
        deeper = view.member(name)
        if name == THREAD:
            members[name] = _limits(policy, deeper, enforced=enforced, inside=LISTS_OF_BODIES)
        else:
            items = _limits(policy, deeper.items(), enforced=enforced, inside=())
            members[name] = {"items": items} if items else {}
    properties = {name: member for name, member in members.items() if member}
    result: dict[str, Any] = {"properties": properties} if properties else {}
    if policy.metadata is not None and policy.metadata.required and view.names("metadata"):
        result["required"] = ["metadata"]
    return result


def _metadata(limits: MetadataLimits, view: View) -> dict[str, Any]:
    """Give what the limits add to what the contract says of ``metadata``."""
    result: dict[str, Any] = {}
    if limits.required and view.possible:
        result = {"type": ["object"], "required": list(limits.required)}
    if limits.max_pairs is not None and not keeps(view, "maxProperties", limits.max_pairs):
        result["maxProperties"] = limits.max_pairs
    names = limits.max_key_length
    if names is not None and not keeps(view.member_names(), "maxLength", names):
        result["propertyNames"] = {"maxLength": names}
    values: Plain = True
    longest = limits.max_value_length
    if longest is not None and not _short_strings(view.members(), longest):
        values = {"type": ["string"], "maxLength": longest}
    if limits.allowed_keys is not None and not _names_only(view, limits.allowed_keys):
        result["properties"] = dict.fromkeys(limits.allowed_keys, values)
        result["additionalProperties"] = False
    elif values is not True:
        result["additionalProperties"] = values
        if limits.required:  # so that they are known by name
            result["properties"] = dict.fromkeys(limits.required, values)
    return result


def _files(limits: FileLimits, name: str, view: View) -> dict[str, Any]:
    """Give what the limits add to what the contract says of ``file_ids`` or ``attachments``."""
    result: dict[str, Any] = {}
    if limits.max_count is not None and not keeps(view, "maxItems", limits.max_count):
        result["maxItems"] = limits.max_count
    if limits.unique and not view.proves(_unique):
        result["uniqueItems"] = True
    if limits.id_pattern is not None:
        ids = view.items() if name == "file_ids" else view.items().member("file_id")
        if not ids.proves(lambda part: excludes(part, "string") or part.get("pattern") == limits.id_pattern):
            rule = {"pattern": limits.id_pattern}
            result["items"] = rule if name == "file_ids" else {"properties": {"file_id": rule}}
    return result


def _unique(part: Mapping[str, Any]) -> bool:
    return excludes(part, "array") or part.get("uniqueItems") is True or part.get("maxItems", 2) < 2


def _short_strings(view: View, limit: int) -> bool:
    strings = view.proves(lambda part: "type" in part and part["type"] == ["string"])
    return strings and keeps(view, "maxLength", limit)


def _names_only(view: View, allowed: tuple[str, ...]) -> bool:
    """Whether there can be no other properties than ``allowed`` ones."""

    def only(part: Mapping[str, Any]) -> bool:
        named = {name for name, member in part.get("properties", {}).items() if member is not False}
        return excludes(part, "object") or (closed(part) and named <= set(allowed))

    return view.proves(only)
