"""Policies as schema: where limits stand, what is left out, what they refuse, and under which layer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.policy import (
    NO_POLICY,
    FileLimits,
    MetadataLimits,
    Policy,
    compose,
    needs_body,
    policy_schema,
)
from gateway.core.schema.checks import Checks, holds, judge

if TYPE_CHECKING:
    from gateway.core.types import Findings, Json, Plain

METADATA: dict[str, Any] = {
    "type": ["object", "null"],
    "maxProperties": 16,
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": ["string"], "maxLength": 512},
}
MESSAGE: dict[str, Any] = {
    "type": ["object"],
    "additionalProperties": False,
    "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["user"]},
        "content": {"type": ["string"], "maxLength": 100},
        "file_ids": {"type": ["array"], "maxItems": 10, "uniqueItems": True, "items": {"type": ["string"]}},
        "metadata": {"$ref": "Metadata"},
    },
}
THREAD: dict[str, Any] = {
    "type": ["object"],
    "additionalProperties": False,
    "properties": {
        "messages": {"type": ["array"], "items": {"$ref": "Message"}},
        "metadata": {"$ref": "Metadata"},
    },
}
DEFINITIONS: dict[str, Plain] = {"Metadata": METADATA, "Message": MESSAGE, "Thread": THREAD}
OPEN: dict[str, Any] = {"type": ["object"]}
DEFAULTS = Policy(MetadataLimits(), FileLimits())
NO_LIMITS = MetadataLimits(max_pairs=None, max_key_length=None, max_value_length=None)


def found(schema: Plain, policy: Policy, body: Json, operation: str = "c:o") -> Findings:
    """Judge a body by the composed schema."""
    definitions = {**DEFINITIONS, **policy.definitions}
    return judge(Checks(definitions).check(compose(schema, DEFINITIONS, policy, operation)), body, None)


def told(schema: Plain, policy: Policy, body: Json) -> list[tuple[str | None, str, str]]:
    """Give param, code and layer of each violation."""
    return [(one.param, one.code, one.layer.value) for one in found(schema, policy, body).violations]


# What is left out.


@pytest.mark.parametrize("schema", [{"$ref": "Message"}, THREAD, {"type": ["string"]}, False])
def test_limits_that_the_contract_keeps_to_add_nothing(schema: Plain) -> None:
    """The very same schema comes back, so nothing is judged twice and no second form is compiled."""
    assert compose(schema, DEFINITIONS, DEFAULTS, "c:o") is schema


def test_no_policy_adds_nothing() -> None:
    """Not even to a schema that leaves everything open."""
    assert compose(OPEN, {}, NO_POLICY, "c:o") is OPEN
    assert compose(True, {}, NO_POLICY, "c:o") is True
    assert compose(OPEN, {}, Policy(NO_LIMITS, FileLimits(max_count=None, unique=False)), "c:o") is OPEN


def test_only_what_is_tighter_is_added() -> None:
    """Each limit by itself; what the contract already has stays the contract's."""
    policy = Policy(MetadataLimits(max_pairs=15), FileLimits(max_count=3))
    assert compose({"$ref": "Message"}, DEFINITIONS, policy, "c:o") == {
        "allOf": [
            {"$ref": "Message"},
            {
                "x-layer": "limit",
                "properties": {"metadata": {"maxProperties": 15}, "file_ids": {"maxItems": 3}},
            },
        ]
    }


def test_a_contract_that_only_reports_keeps_to_nothing() -> None:
    """Where its violations are let through, the policy's own limits have to stand on their own."""
    composed = compose(MESSAGE, DEFINITIONS, DEFAULTS, "c:o", enforced=False)
    assert isinstance(composed, dict)
    assert composed["allOf"][1]["properties"]["metadata"]["maxProperties"] == 16
    assert "messages" in composed["allOf"][1]["properties"]


@pytest.mark.parametrize(
    ("contract", "kept"),
    [
        ({"anyOf": [METADATA, {"type": ["null"]}]}, True),
        ({"oneOf": [{"$ref": "Metadata"}, {"type": ["string"], "maxLength": 9}]}, True),
        ({"anyOf": [METADATA, {"type": ["object"]}]}, False),
        ({"allOf": [METADATA, {"type": ["object"]}]}, True),
        ({"allOf": [{"maxProperties": 9}, {"propertyNames": {"enum": ["a"]}}]}, False),
        ({**METADATA, "patternProperties": {"^x": {"type": ["integer"]}}}, False),
        ({**METADATA, "additionalProperties": {"type": ["string", "null"], "maxLength": 512}}, False),
        ({**METADATA, "additionalProperties": {"type": ["string"]}}, False),
        ({**METADATA, "properties": {"a": {"type": ["string"], "maxLength": 512}}}, True),
        ({**METADATA, "properties": {"a": {"type": ["string"], "maxLength": 513}}}, False),
        ({"type": ["array"]}, True),
        (False, True),
        (True, False),
    ],
)
def test_what_a_contract_keeps_to(contract: Plain, kept: bool) -> None:
    """Seen through references and branches: all of them have to keep to it."""
    schema: Plain = {"type": ["object"], "additionalProperties": False, "properties": {"metadata": contract}}
    assert (compose(schema, DEFINITIONS, Policy(MetadataLimits()), "c:o") is schema) is kept


# Where limits stand.

PLACES = [
    lambda body: body,
    lambda body: {"messages": [{}, body]},
    lambda body: {"additional_messages": [body]},
    lambda body: {"thread": body},
    lambda body: {"thread": {"messages": [body]}},
]


@pytest.mark.parametrize("put", PLACES)
@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {str(number): "" for number in range(17)}},
        {"metadata": {"k" * 65: ""}},
        {"metadata": {"k": "v" * 513}},
        {"metadata": {"k": 1}},
        {"file_ids": [str(number) for number in range(11)]},
        {"file_ids": ["a", "a"]},
        {"attachments": [{"file_id": str(number)} for number in range(11)]},
        {"attachments": [{"file_id": "a"}, {"file_id": "a"}]},
    ],
    ids=lambda body: json.dumps(body)[:20],
)
def test_limits_hold_wherever_a_body_has_what_they_limit(put: Any, body: Json) -> None:
    """At the top, in each of messages and additional_messages, in thread; also where a contract is open."""
    [violation] = found(OPEN, DEFAULTS, put(body)).violations
    assert violation.layer.value == "limit"


@pytest.mark.parametrize("put", PLACES)
@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {str(number): "" for number in range(16)}},
        {"metadata": {"👋" * 64: "👋" * 512}},
        {"metadata": None, "file_ids": "a", "attachments": None},
        {"file_ids": [str(number) for number in range(10)]},
        {"attachments": [{"file_id": "a"}, {"file_id": "a", "tools": []}]},
        {"other": {"metadata": {"k": 1}}, "messages": {"metadata": {"k": 1}}, "thread": []},
    ],
    ids=lambda body: json.dumps(body)[:20],
)
def test_what_limits_allow(put: Any, body: Json) -> None:
    """Up to the limit, in code points; values of other kinds are the contract's business."""
    assert not found(OPEN, DEFAULTS, put(body)).violations


def test_codes_and_params_of_limits() -> None:
    """Each limit is told as the same rule of a contract would be, under its own layer."""
    policy = Policy(
        MetadataLimits(2, 4, 3, required=("team",), allowed_keys=("team", "cost")),
        FileLimits(max_count=1, id_pattern="^file-[0-9]+$"),
    )
    body = {
        "metadata": {"cost": "much", "other": "x", "o": 1},
        "file_ids": ["file-1", "file-1\n"],
        "attachments": [{"file_id": "x"}],
    }
    assert sorted(told(OPEN, policy, body), key=str) == sorted(
        [
            ("metadata", "object_above_max_properties", "limit"),
            ("metadata", "string_above_max_length", "limit"),
            ("metadata.team", "missing_required_parameter", "limit"),
            ("metadata.cost", "string_above_max_length", "limit"),
            ("metadata.other", "unknown_parameter", "limit"),
            ("metadata.o", "unknown_parameter", "limit"),
            ("file_ids", "array_above_max_length", "limit"),
            ("file_ids[1]", "invalid_value", "limit"),
            ("attachments[0].file_id", "invalid_value", "limit"),
        ],
        key=str,
    )


def test_an_id_pattern_that_the_contract_has_adds_nothing() -> None:
    """The same pattern, not another one."""
    ids = {"type": ["array"], "maxItems": 1, "items": {"type": ["string"], "pattern": "^f"}}
    files = {"maxItems": 1, "items": {"properties": {"file_id": {"$ref": "id"}}}}
    schema = {"additionalProperties": False, "properties": {"file_ids": ids, "attachments": files}}
    definitions: dict[str, Plain] = {"id": {"pattern": "^f"}}
    policy = Policy(files=FileLimits(id_pattern="^f"))
    assert compose(schema, definitions, policy, "c:o") is schema
    assert compose(schema, definitions, Policy(files=FileLimits(id_pattern="^g")), "c:o") is not schema


# Required and allowed keys.


def test_required_keys() -> None:
    """Where the contract names metadata, it has to be there, an object, with those keys."""
    policy = Policy(MetadataLimits(required=("team",)))
    missing = ("metadata", "missing_required_parameter", "limit")
    assert told(THREAD, policy, {}) == [missing]
    assert told(THREAD, policy, {"metadata": None}) == [("metadata", "invalid_type", "limit")]
    assert told(THREAD, policy, {"metadata": {"a": "b"}}) == [
        ("metadata.team", "missing_required_parameter", "limit")
    ]
    assert told(THREAD, policy, {"metadata": {"team": "b"}}) == []
    message = {"role": "user", "content": ""}
    assert told(THREAD, policy, {"metadata": {"team": "b"}, "messages": [message]}) == [
        ("messages[0].metadata", "missing_required_parameter", "limit")
    ]


def test_required_keys_where_the_contract_does_not_name_metadata() -> None:
    """Then it need not be there; but if it is, it has them."""
    policy = Policy(MetadataLimits(required=("team",)))
    assert told(OPEN, policy, {}) == []
    assert told(OPEN, policy, {"metadata": {}}) == [("metadata.team", "missing_required_parameter", "limit")]


def test_required_keys_are_known_by_name() -> None:
    """They may stand in logs and metrics; other keys may not."""
    policy = Policy(MetadataLimits(required=("team",)))
    violations = found(OPEN, policy, {"metadata": {"team": 1, "secret": 1}}).violations
    assert {one.safe_param for one in violations} == {"metadata.team", "metadata.*"}


def test_allowed_keys_that_the_contract_has_add_nothing() -> None:
    """A contract with as many keys or fewer keeps to them by itself."""
    value = {"type": ["string"], "maxLength": 5}
    metadata = {
        "type": ["object"], "maxProperties": 2, "propertyNames": {"maxLength": 3},
        "additionalProperties": False, "properties": {"a": value, "b": value, "id": False},
    }  # fmt: skip
    schema: Plain = {"additionalProperties": False, "properties": {"metadata": metadata}}
    assert compose(schema, {}, Policy(MetadataLimits(allowed_keys=("b", "a", "c"))), "c:o") is schema
    assert compose(schema, {}, Policy(MetadataLimits(allowed_keys=("b",))), "c:o") is not schema


def test_allowed_keys_without_a_limit_of_values() -> None:
    """Any value goes, under those keys."""
    limits = MetadataLimits(None, None, None, allowed_keys=("a",))
    assert told(OPEN, Policy(limits), {"metadata": {"a": 1}}) == []
    assert told(OPEN, Policy(limits), {"metadata": {"b": 1}}) == [
        ("metadata.b", "unknown_parameter", "limit")
    ]


# Schemas.


def test_schemas_of_a_policy() -> None:
    """They hold beside the contract, under the layer policy, references and all."""
    own = policy_schema(
        "o",
        {"properties": {"content": {"$ref": "Metadata"}, "thread": {"allOf": [True, {"$ref": "loop"}]}}},
        {"Metadata": {"maxLength": 2}, "loop": {"properties": {"next": {"$ref": "loop"}, "end": False}}},
        ("policies", "default", "schemas", "o"),
    )
    policy = Policy(schemas={"o": own})
    assert set(own.definitions) == {"policy:o#Metadata", "policy:o#loop"}
    body = {"role": "me", "content": "long", "thread": {"next": {"next": {"end": 1}}}}
    assert sorted(told({**MESSAGE, "additionalProperties": True}, policy, body), key=str) == [
        ("content", "string_above_max_length", "policy"),
        ("role", "invalid_value", "contract"),
        ("thread.next.next.end", "unknown_parameter", "policy"),
    ]
    assert compose(MESSAGE, DEFINITIONS, policy, "c:other") is MESSAGE


def test_a_policy_can_refuse_everything_or_nothing() -> None:
    """The schemas false and true."""
    no = Policy(schemas={"o": policy_schema("o", False, {}, ())})
    assert [(layer, param) for param, _, layer in told(OPEN, no, {})] == [("policy", None)]
    yes = Policy(schemas={"o": policy_schema("o", True, {}, ())})
    assert compose(OPEN, {}, yes, "c:o") is OPEN


def test_operations_by_both_names() -> None:
    """A schema for the operation in any contract, and one for it in this contract: both hold."""
    policy = Policy(
        schemas={
            "o": policy_schema("o", {"maxProperties": 2}, {}, ()),
            "c:o": policy_schema("c:o", {"minProperties": 1}, {}, ()),
        }
    )
    assert compose(OPEN, {}, policy, "c:o") == {
        "allOf": [OPEN, {"x-layer": "policy", "minProperties": 1}, {"x-layer": "policy", "maxProperties": 2}]
    }
    assert compose(OPEN, {}, policy, "d:o") == {"allOf": [OPEN, {"x-layer": "policy", "maxProperties": 2}]}
    assert compose(OPEN, {}, policy, "o") == {"allOf": [OPEN, {"x-layer": "policy", "maxProperties": 2}]}


# Bodies that a client may leave out.


@pytest.mark.parametrize(
    ("policy", "needed"),
    [
        (DEFAULTS, False),
        (Policy(MetadataLimits(required=("a",))), True),
        (Policy(MetadataLimits(required=("a",)), reported=True), False),
        (Policy(schemas={"o": policy_schema("o", {"maxProperties": 2}, {}, ())}), False),
        (Policy(schemas={"o": policy_schema("o", {"minProperties": 1}, {}, ())}), True),
        (Policy(schemas={"o": policy_schema("o", {"$ref": "x"}, {"x": {"required": ["a"]}}, ())}), True),
        (Policy(schemas={"o": policy_schema("o", False, {}, ())}), True),
        (Policy(schemas={"p": policy_schema("p", {"required": ["a"]}, {}, ())}), False),
    ],
)
def test_what_a_policy_requires_is_not_evaded_by_no_body(policy: Policy, needed: bool) -> None:
    """Where a member has to be there, so has the body; else the contract's word stands."""
    assert needs_body(THREAD, DEFINITIONS, policy, "c:o") is needed


def test_metadata_that_no_body_can_have_needs_none() -> None:
    """Required keys ask nothing of an operation whose contract does not name metadata."""
    assert not needs_body(OPEN, {}, Policy(MetadataLimits(required=("a",))), "c:o")


# All of it together.

KEYS = st.sampled_from(["metadata", "file_ids", "attachments", "messages", "thread", "role", "content"])
VALUES = st.recursive(
    st.sampled_from([None, 1, "", "a", "long" * 9, [], ["a", "a"], ["a"] * 11]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
CONTRACTS: list[Plain] = [
    True, OPEN, MESSAGE, THREAD, {"$ref": "Thread"}, {"anyOf": [{"$ref": "Message"}, {"$ref": "Thread"}]},
    {"oneOf": [OPEN, {"type": ["array"]}]},
]  # fmt: skip
POLICIES = [
    DEFAULTS,
    Policy(MetadataLimits(1, 3, 4), FileLimits(max_count=1)),
    Policy(MetadataLimits(allowed_keys=("role",)), FileLimits(unique=False, id_pattern="^l")),
    Policy(MetadataLimits(required=("role",))),
]


@given(st.sampled_from(CONTRACTS), st.sampled_from(POLICIES), VALUES)
def test_leaving_out_what_is_known_changes_no_verdict(contract: Plain, policy: Policy, body: Json) -> None:
    """With and without the limits that the contract keeps to, the same bodies are permitted."""
    short, whole = (
        Checks(DEFINITIONS).check(compose(contract, DEFINITIONS, policy, "c:o", enforced=enforced))
        for enforced in (True, False)
    )
    assert holds(short, body) == holds(whole, body)


@given(st.sampled_from(CONTRACTS), st.sampled_from(POLICIES), VALUES)
def test_a_policy_only_tightens(contract: Plain, policy: Policy, body: Json) -> None:
    """What a contract refuses is refused under every policy."""
    checks = Checks(DEFINITIONS)
    if holds(checks.check(compose(contract, DEFINITIONS, policy, "c:o")), body):
        assert holds(checks.check(contract), body)
