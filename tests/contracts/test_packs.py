"""The contracts that ship are found by name, and say what the reference says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway import documents
from gateway.contracts import pack_path, packs, read_contract
from gateway.core.parameters import judge_parameters
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.core.types import Operation

GOOD = {"role": "user", "content": "x"}
REFERENCE = Path(__file__).parents[3] / "shared" / "openapi" / "openai-v1.yaml"


def operations(source: Path, *, wanted: list[str] | None = None) -> dict[str, Operation]:
    """Read a document's operations by name."""
    document = documents.read(source, name=source.name)
    found = read_contract("c", document, prefix=None, upstream="main", operations=wanted, max_bytes=1)
    return {operation.name: operation for operation in found}


PACK = operations(pack_path("pack:assistants-v1"))


def codes(name: str, body: Any) -> list[str]:
    """Judge a body by the pack's operation."""
    taken = PACK[name].body
    assert taken is not None
    validator = taken.media_types["application/json"]
    found = [violation.code for violation in validator.full(body)]
    assert validator.fast(body) is (not found)
    return found


def test_the_pack_s_operations() -> None:
    """Seven operations with the routes and parameters of the reference."""
    routes = {name: f"{one.method} {one.template}" for name, one in PACK.items()}
    thread = "/v1/threads/{thread_id}"
    assert routes == {
        "createThread": "POST /v1/threads",
        "getThread": f"GET {thread}",
        "modifyThread": f"POST {thread}",
        "listMessages": f"GET {thread}/messages",
        "createMessage": f"POST {thread}/messages",
        "getMessage": f"GET {thread}/messages/{{message_id}}",
        "modifyMessage": f"POST {thread}/messages/{{message_id}}",
    }
    assert list(PACK["listMessages"].query_parameters) == ["limit", "order", "after", "before"]
    required = {name: one.body.required for name, one in PACK.items() if one.body is not None}
    assert required == {
        "createThread": False,
        "modifyThread": True,
        "createMessage": True,
        "modifyMessage": True,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GOOD, []),
        (GOOD | {"metadata": None, "file_ids": ["f"] * 10}, []),
        (GOOD | {"metadata": {"k" * 64: "v" * 512}}, []),
        (GOOD | {"metadata": {"k" * 65: ""}}, ["string_above_max_length"]),
        (GOOD | {"metadata": {"k": "v" * 513}}, ["string_above_max_length"]),
        (GOOD | {"metadata": {"k": 1}}, ["invalid_type"]),
        (GOOD | {"metadata": {str(i): "" for i in range(17)}}, ["object_above_max_properties"]),
        (GOOD | {"file_ids": []}, ["empty_array"]),
        (GOOD | {"file_ids": ["f"] * 11}, ["array_above_max_length"]),
        (GOOD | {"file_ids": None}, ["invalid_type"]),
        (GOOD | {"content": "x" * 32769}, ["string_above_max_length"]),
        (GOOD | {"content": ""}, ["empty_string"]),
        (GOOD | {"role": "assistant"}, ["invalid_value"]),
        (GOOD | {"attachments": []}, ["unknown_parameter"]),
        ({}, ["missing_required_parameter"] * 2),
    ],
)
def test_create_message_is_the_seed(body: Any, expected: list[str]) -> None:
    """All limits of the reference hold, those in its prose included, and also inside a new thread."""
    assert codes("createMessage", body) == expected
    assert codes("createThread", {"messages": [GOOD, body]}) == expected


def test_the_other_bodies() -> None:
    """A thread may be empty; a modification is of metadata alone."""
    assert codes("createThread", {}) == codes("modifyThread", {"metadata": {"a": "b"}}) == []
    assert codes("modifyMessage", {"content": "x"}) == ["unknown_parameter"]
    assert codes("createThread", {"messages": None}) == ["invalid_type"]


@pytest.mark.parametrize(
    ("identifier", "query", "expected"),
    [
        ("thread_abc-1", "limit=100&order=asc&after=msg_1&before=msg_2", []),
        ("a" * 257, None, ["thread_id"]),
        ("a%2Fb", None, ["thread_id"]),
        ("t", "limit=0&order=up&after=a/b&run_id=x", ["limit", "order", "after", "run_id"]),
        ("t", "limit=101", ["limit"]),
    ],
)
def test_list_messages_parameters(identifier: str, query: str | None, expected: list[str]) -> None:
    """Identifiers and pages are judged."""
    found = judge_parameters(PACK["listMessages"], (identifier,), query)
    assert [violation.param for violation in found] == expected


if REFERENCE.is_file():  # it lies beside some checkouts; elsewhere there is nothing to compare

    def test_the_public_document_of_that_time_says_the_same() -> None:
        """The same routes, the same parameters, and for these samples the same verdicts."""
        theirs = operations(REFERENCE, wanted=list(PACK))
        assert theirs.keys() == PACK.keys()
        samples = [
            {},
            GOOD,
            *(
                GOOD | {key: value}
                for key, value in itertools.product(
                    ("role", "content", "file_ids", "metadata", "x"),
                    (None, 1, "", "user", [], ["f"], ["f"] * 11, {}, {"a": "b"}),
                )
            ),
        ]
        for name, ours in PACK.items():
            other = theirs[name]
            assert (ours.method, ours.template) == (other.method, other.template)
            assert list(ours.query_parameters) == list(other.query_parameters)
            assert [one.name for one in ours.path_parameters] == [one.name for one in other.path_parameters]
            assert (ours.body is None) is (other.body is None)
            if ours.body is None or other.body is None:
                continue
            assert ours.body.required is other.body.required
            for sample in [*samples, *({"messages": [one]} for one in samples)]:
                verdicts = {
                    body.media_types["application/json"].fast(sample) for body in (ours.body, other.body)
                }
                assert len(verdicts) == 1, (name, sample)


def test_an_unknown_pack_is_told_with_the_known_ones() -> None:
    """The operator is told which packs there are."""
    for reference in ("pack:nope", "pack:../assistants-v1", "pack:"):
        with pytest.raises(GatewayError, match="assistants-v1"):
            pack_path(reference)


def test_packs_inside_the_package_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a wheel the packs lie in the package; without any folder there are none."""
    (tmp_path / "mine.yaml").write_text("")
    monkeypatch.setattr(packs, "_FOLDERS", (tmp_path, *packs._FOLDERS))
    assert pack_path("pack:mine") == tmp_path / "mine.yaml"
    monkeypatch.setattr(packs, "_FOLDERS", (tmp_path / "missing",))
    with pytest.raises(GatewayError, match="none"):
        pack_path("pack:mine")
