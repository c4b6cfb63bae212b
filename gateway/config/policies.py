"""The section ``policies``: what is asked on top of the contracts, and which policy takes what from which."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the model reads its annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from gateway.config.section import Section
from gateway.config.values import Flag, Name, Pattern, choice, fault, integer, kind, string
from gateway.core.policy import FileLimits, MetadataLimits
from gateway.core.policy import Policy as CorePolicy
from gateway.errors import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.core.policy import ConfigPath
    from gateway.core.types import Operation

DEFAULT: Final = "default"
"""The policy that callers of no app are judged by."""

_Count = Annotated[int, *integer(0, 1_000_000)] | None
_Key = Annotated[str, *string(r"[\s\S]{1,512}", "a key of 1 to 512 characters")]


def _distinct(keys: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if keys is not None and len(set(keys)) < len(keys):
        raise fault("a key stands twice")
    return keys


_Keys = Annotated[tuple[_Key, ...], AfterValidator(_distinct)]


class Metadata(Section):
    """What ``metadata`` may be, wherever a body has it."""

    max_pairs: _Count = Field(default=16, description="Most pairs; null: as many as the contract allows")
    max_key_length: _Count = Field(
        default=64, description="Longest key in characters; null: as long as the contract allows"
    )
    max_value_length: _Count = Field(
        default=512,
        description="Longest value in characters, and values are strings; null: what the contract allows",
    )
    required: _Keys = Field(default=(), description="Keys that must be there, and metadata with them")
    allowed_keys: _Keys | None = Field(default=None, description="The only keys there may be; null: any")


class Files(Section):
    """What ``file_ids`` and ``attachments`` may be, wherever a body has them."""

    max_count: _Count = Field(
        default=10, description="Most items of each; null: as many as the contract allows"
    )
    unique: Flag = Field(
        default=True, description="Refuse a file id that stands twice, and an attachment that stands twice"
    )
    id_pattern: Pattern | None = Field(
        default=None, description="What file ids match: ECMA 262, anywhere unless anchored; null: anything"
    )


def _read_schema(value: object) -> Any:
    if not isinstance(value, dict | bool):
        raise fault(f"expected a JSON Schema, a mapping or a boolean, but got {kind(value)}")
    return value


_Schema = Annotated[Any, PlainValidator(_read_schema), WithJsonSchema({"type": ["object", "boolean"]})]
_OperationName = Annotated[
    str, *string(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63}:)?[^\s:]{1,256}", "an operationId")
]


class Policy(Section):
    """What is asked on top of the contracts; it can tighten them, never loosen."""

    extends: Name | None = Field(
        default=None, description="The policy that all keys are taken from which this one does not state"
    )
    metadata: Metadata = Field(
        default={}, validate_default=True, description="Limits of metadata, wherever a body has it"
    )
    files: Files = Field(default={}, validate_default=True, description="Limits of file_ids and attachments")
    schemas: Mapping[_OperationName, _Schema] = Field(
        default={}, description="By operation, a JSON Schema of the body on top of the contract's"
    )
    mode: Annotated[Literal["enforce", "report"], *choice("enforce", "report")] = Field(
        default="enforce", description="enforce, or report: this policy's own violations are only recorded"
    )


class ResolvedPolicy(NamedTuple):
    """A policy with what it takes from others: all but its schemas, and where each of those stands."""

    policy: CorePolicy
    schemas: Mapping[str, ConfigPath]


def resolve_policy(policies: Mapping[str, Policy], name: str = DEFAULT) -> ResolvedPolicy:
    """Give the policy ``name`` with what it takes from others; one that asks nothing where there is none.

    ``schemas`` maps operations to the places of their schemas, for whoever reads them; put into the policy
    they complete it.
    """
    values: dict[tuple[str, str], Any] = {}
    stated: dict[tuple[str, str], ConfigPath] = {}
    schemas: dict[str, ConfigPath] = {}
    mode = "enforce"
    line = _line(policies, name)
    if not line:
        return ResolvedPolicy(CorePolicy(), {})
    for ancestor in reversed(line):
        policy = policies[ancestor]
        place: ConfigPath = ("policies", ancestor)
        for key, section in (("metadata", policy.metadata), ("files", policy.files)):
            for field in section.model_fields_set:
                values[key, field] = getattr(section, field)
                stated[key, field] = (*place, key, field)
        schemas |= {operation: (*place, "schemas", operation) for operation in policy.schemas}
        mode = policy.mode if "mode" in policy.model_fields_set else mode
    metadata = MetadataLimits(**{field: value for (key, field), value in values.items() if key == "metadata"})
    files = FileLimits(**{field: value for (key, field), value in values.items() if key == "files"})
    return ResolvedPolicy(CorePolicy(metadata, files, reported=mode == "report", stated=stated), schemas)


def _line(policies: Mapping[str, Policy], name: str) -> list[str]:
    """Give a policy's name, its parent's, and so on; a circle ends where it closes."""
    line: list[str] = []
    following: str | None = name
    while following is not None and following in policies and following not in line:
        line.append(following)
        following = policies[following].extends
    return line


def stated_schemas(policies: Mapping[str, Policy]) -> Iterator[tuple[ConfigPath, str]]:
    """Give the place of each schema of all policies, and the operation that it is for."""
    for name, policy in policies.items():
        for operation in policy.schemas:
            yield ("policies", name, "schemas", operation), operation


def misplaced_schemas(
    policies: Mapping[str, Policy], operations: Iterable[Operation]
) -> Iterator[tuple[ConfigPath, str]]:
    """Give the places of schemas for operations that no contract has, or that take no body.

    An operation is named by its name in the snapshot, or as ``contract:operationId``.
    """
    known: dict[str, Operation] = {}
    shared: dict[str, list[str]] = {}
    for operation in operations:
        own = operation.name.removeprefix(f"{operation.contract}:")
        known[operation.name] = known[f"{operation.contract}:{own}"] = operation
        if own != operation.name:
            shared.setdefault(own, []).append(operation.name)
    for path, name in stated_schemas(policies):
        if name in known:
            if known[name].body is None:
                yield path, f"{name} takes no body, so a schema has nothing to judge"
        elif name in shared:
            yield path, f"several contracts have {name}: write {' or '.join(shared[name])}"
        else:
            yield path, f"no contract lets an operation {name!r} through{suggestion(name, known)}"


def contradictions(policies: Mapping[str, Policy]) -> Iterator[tuple[ConfigPath, str]]:
    """Give the faults of limits that no metadata could keep to, once for each place."""
    told: set[ConfigPath] = set()
    for name in policies:
        policy = resolve_policy(policies, name).policy
        path = policy.stated.get(("metadata", "required"))
        if path is None or path in told or policy.metadata is None:
            continue
        message = _contradiction(policy.metadata)
        if message is not None:
            told.add(path)
            yield path, message if path[1] == name else f"{message} (in {name})"


def _contradiction(limits: MetadataLimits) -> str | None:
    if limits.max_pairs is not None and len(limits.required) > limits.max_pairs:
        return f"more keys are required than max_pairs allows, {limits.max_pairs}"
    if limits.allowed_keys is not None and not set(limits.required) <= set(limits.allowed_keys):
        return "a required key is not among allowed_keys"
    longest = limits.max_key_length
    if longest is not None and any(len(key) > longest for key in limits.required):
        return f"a required key is longer than max_key_length allows, {longest}"
    return None
