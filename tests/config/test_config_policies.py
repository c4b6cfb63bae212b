"""Policies of the configuration: what one takes from another, and which operations their schemas name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.model import Config
from gateway.config.policies import misplaced_schemas, resolve_policy, stated_schemas
from gateway.core.policy import NO_POLICY, FileLimits, MetadataLimits
from gateway.core.types import Body, Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.policies import Policy


def policies(**given: Any) -> Mapping[str, Policy]:
    """Read the section."""
    rest = {
        "upstreams": {"main": {"urls": ["http://127.0.0.1:9000"]}},
        "contracts": {"c": {"openapi": "pack:p", "upstream": "main"}},
    }
    return Config.model_validate(rest | {"policies": given}).policies


def operation(contract: str, name: str, *, body: bool = True) -> Operation:
    """Make an operation of a snapshot."""
    taken = Body(required=False, media_types={}) if body else None
    return Operation(name, contract, "POST", f"/{contract}/{name}", "main", 1, body=taken)


def misplaced(*names: str) -> list[tuple[str, str]]:
    """Give operation and message of the schemas that judge nothing."""
    known = [
        operation("a", "a:both"),
        operation("b", "b:both"),
        operation("a", "one"),
        operation("a", "none", body=False),
    ]
    found = misplaced_schemas(policies(default={"schemas": dict.fromkeys(names, True)}), known)
    return [(str(path[-1]), message) for path, message in found]


def test_without_policies_nothing_is_asked() -> None:
    assert resolve_policy({}) == (NO_POLICY, {})


def test_an_empty_policy_has_the_default_limits() -> None:
    """None of them is stated."""
    policy, schemas = resolve_policy(policies(default={}))
    assert (policy.metadata, policy.files) == (MetadataLimits(), FileLimits())
    assert policy.metadata == MetadataLimits(16, 64, 512, (), None)
    assert policy.files == FileLimits(10, unique=True, id_pattern=None)
    assert (policy.stated, policy.reported, schemas) == ({}, False, {})


def test_a_policy_takes_what_it_does_not_state() -> None:
    """Value by value, schema by schema, over several steps; each is known by the place that states it."""
    policy, schemas = resolve_policy(
        policies(
            default={
                "extends": "middle",
                "metadata": {"max_pairs": 16},
                "schemas": {"p": True},
            },
            middle={
                "extends": "base",
                "metadata": {"max_key_length": None},
                "files": {"max_count": 3},
            },
            base={
                "metadata": {"max_pairs": 1, "max_key_length": 2, "required": ["a"]},
                "schemas": {"o": {}, "p": False},
                "mode": "report",
            },
            other={"metadata": {"max_value_length": 1}},
        )
    )
    assert policy.metadata == MetadataLimits(16, None, 512, ("a",))
    assert policy.files == FileLimits(3)
    assert policy.reported
    assert policy.stated == {
        ("metadata", "max_pairs"): ("policies", "default", "metadata", "max_pairs"),
        ("metadata", "max_key_length"): ("policies", "middle", "metadata", "max_key_length"),
        ("metadata", "required"): ("policies", "base", "metadata", "required"),
        ("files", "max_count"): ("policies", "middle", "files", "max_count"),
    }
    assert schemas == {
        "o": ("policies", "base", "schemas", "o"),
        "p": ("policies", "default", "schemas", "p"),
    }


def test_a_mode_can_be_set_back() -> None:
    """A policy that enforces may extend one that reports."""
    resolved = resolve_policy(policies(default={"extends": "a", "mode": "enforce"}, a={"mode": "report"}))
    assert not resolved.policy.reported


def test_all_schemas_have_a_place() -> None:
    """Those of policies that nothing uses, too."""
    given = policies(default={"schemas": {"o": {}}}, spare={"schemas": {"o": {}, "c:p": True}})
    assert list(stated_schemas(given)) == [
        (("policies", "default", "schemas", "o"), "o"),
        (("policies", "spare", "schemas", "o"), "o"),
        (("policies", "spare", "schemas", "c:p"), "c:p"),
    ]


def test_schemas_that_name_an_operation() -> None:
    """By its name, or with its contract."""
    assert misplaced("one", "a:one", "a:both", "b:both") == []


def test_schemas_that_judge_nothing() -> None:
    """Of unknown operations, of names that several contracts share, and where no body belongs."""
    assert misplaced("onne", "both", "none", "b:one", "x") == [
        ("onne", "no contract lets an operation 'onne' through; did you mean 'one'?"),
        ("both", "several contracts have both: write a:both or b:both"),
        ("none", "none takes no body, so a schema has nothing to judge"),
        ("b:one", "no contract lets an operation 'b:one' through; did you mean 'a:one'?"),
        ("x", "no contract lets an operation 'x' through"),
    ]
