"""Policies of a configuration as a whole: every fault at its place, whatever it takes to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


def faults(command: Command, config: Path, policies: str) -> list[str]:
    """Check a configuration with ``policies`` from line 5 on; give ``line:column: message`` of each fault."""
    write_config(config, 9, f"policies:\n{policies}")
    result = command("check", "-c", str(config))
    assert (result.status, result.errors) == (2, "")
    return [line.removeprefix(f"{config}:") for line in result.output.splitlines()]


def test_schemas_that_cannot_be_used(command: Command, config: Path) -> None:
    """Those of policies that nothing uses, too."""
    assert faults(
        command,
        config,
        "  default:\n"
        "    schemas:\n"
        '      createMessage: {properties: {content: {type: strng}, role: {pattern: "(?=a)"}}}\n'
        "  spare:\n"
        "    schemas:\n"
        "      createThread: {maxLenght: 5}\n"
        "      modifyThread: {$ref: other.yaml}\n"
        "      getThread: {}\n"
        "      getThraed: {}\n",
    ) == [
        "8:46: a type must be one or more of string, integer, number, boolean, array, object, null",
        "8:67: the pattern cannot be used: it looks around, which cannot be done in linear time",
        "11:22: JSON Schema 2020-12 has no keyword maxLenght: it judges nothing; did you mean maxLength?",
        "12:22: other.yaml: no other file can be referred to from here",
        "13:7: getThread takes no body, so a schema has nothing to judge",
        "14:7: no contract lets an operation 'getThraed' through; did you mean 'getThread'?",
    ]


def test_policies_that_would_loosen_a_contract(command: Command, config: Path) -> None:
    """Where each value stands, also when another policy takes it over."""
    found = faults(
        command,
        config,
        "  base: {metadata: {max_pairs: 32}, files: {max_count: 11}}\n"
        "  default:\n"
        "    extends: base\n"
        "    files: {max_count: 10}\n"
        "    schemas:\n"
        "      createMessage:\n"
        "        properties: {role: {enum: [user, assistant]}, name: {type: string}}\n",
    )
    words = "a policy cannot loosen a contract: assistants-v1:"
    assert f"6:21: {words}createMessage allows at most 16 in metadata" in found
    assert f"12:29: {words}createMessage does not allow all of these values here" in found
    assert f"12:55: {words}createMessage allows no property 'name' here" in found
    assert {fault.partition(":")[0] for fault in found} == {"6", "12"}


def test_formats_hold_in_policies(command: Command, config: Path) -> None:
    """A format in a policy is a rule."""
    write_config(
        config,
        9,
        "policies:\n  default: {schemas: {createMessage: {properties: {content: {format: date}}}}}\n",
    )
    for content, status in ((b"2026-11-23", 0), (b"2026-11-32", 1)):
        body = b'{"role": "user", "content": "%b"}' % content
        assert command("validate", "createMessage", "-c", str(config), stdin=body).status == status


def test_required_keys_are_not_evaded_by_no_body(command: Command, config: Path) -> None:
    """A body that the contract lets a client leave out has to be there, since it has to have something."""
    assert command("validate", "createThread", "-c", str(config)).status == 0
    write_config(config, 9, "policies: {default: {metadata: {required: [team]}}}\n")
    assert command("validate", "createThread", "-c", str(config)).status == 1
    body = b'{"metadata": {"team": "a"}}'
    assert command("validate", "createThread", "-c", str(config), stdin=body).status == 0
