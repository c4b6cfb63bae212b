"""The contracts that ship are found by name, and say what the reference says."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway import documents
from gateway.contracts import pack_path, packs
from gateway.contracts.weak import weak_spots
from gateway.core.decide import Rules, decide
from gateway.core.parameters import judge_parameters
from gateway.core.route import RouteTable
from gateway.core.types import Permit
from gateway.errors import GatewayError
from tests.support.examples import read_examples, read_pack
from tests.support.published import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.core.types import Findings, Operation, Validator

GOOD: Final[dict[str, Any]] = {"role": "user", "content": "x"}
JSON: Final = "application/json"
NEW_PACKS: Final = ("assistants-v2", "conversations", "responses", "chat-completions")


@cache
def operations(reference: str) -> dict[str, Operation]:
    """Read a pack's operations by name."""
    return {operation.name: operation for operation in read_pack(reference)}


def judge(pack: str, name: str, body: Any) -> Findings:
    """Judge a body by both forms of a pack's operation."""
    taken = operations(f"pack:{pack}")[name].body
    assert taken is not None
    validator = taken.media_types[JSON].validator
    findings = validator.full(body)
    assert validator.fast(body) is (not findings.total)
    return findings


def codes(name: str, body: Any) -> list[str]:
    """Judge a body by an operation of the first pack."""
    return [violation.code for violation in judge("assistants-v1", name, body).violations]


def routes(pack: str) -> dict[str, str]:
    """Give a pack's routes by operation."""
    return {name: f"{one.method} {one.template}" for name, one in operations(f"pack:{pack}").items()}


def test_the_first_pack_s_operations() -> None:
    """Seven operations with the routes and parameters of the reference."""
    thread = "/v1/threads/{thread_id}"
    assert routes("assistants-v1") == {
        "createThread": "POST /v1/threads",
        "getThread": f"GET {thread}",
        "modifyThread": f"POST {thread}",
        "listMessages": f"GET {thread}/messages",
        "createMessage": f"POST {thread}/messages",
        "getMessage": f"GET {thread}/messages/{{message_id}}",
        "modifyMessage": f"POST {thread}/messages/{{message_id}}",
    }
    pack = operations("pack:assistants-v1")
    assert list(pack["listMessages"].query_parameters) == ["limit", "order", "after", "before"]
    required = {name: one.body.required for name, one in pack.items() if one.body is not None}
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
        ("a.b", None, ["thread_id"]),
        ("t", "limit=0&order=up&after=a/b&run_id=x", ["limit", "order", "after", "run_id"]),
        ("t", "limit=101", ["limit"]),
    ],
)
def test_list_messages_parameters(identifier: str, query: str | None, expected: list[str]) -> None:
    """Identifiers and pages are judged."""
    found = judge_parameters(operations("pack:assistants-v1")["listMessages"], (identifier,), query)
    assert [violation.param for violation in found.violations] == expected


def test_the_other_packs_operations() -> None:
    """The routes of the reference."""
    assistant, thread, run = "/v1/assistants/{assistant_id}", "/v1/threads/{thread_id}", "/runs/{run_id}"
    assert routes("assistants-v2") == routes("assistants-v1") | {
        "listAssistants": "GET /v1/assistants",
        "createAssistant": "POST /v1/assistants",
        "getAssistant": f"GET {assistant}",
        "modifyAssistant": f"POST {assistant}",
        "deleteAssistant": f"DELETE {assistant}",
        "createThreadAndRun": "POST /v1/threads/runs",
        "deleteThread": f"DELETE {thread}",
        "deleteMessage": f"DELETE {thread}/messages/{{message_id}}",
        "listRuns": f"GET {thread}/runs",
        "createRun": f"POST {thread}/runs",
        "getRun": f"GET {thread}{run}",
        "modifyRun": f"POST {thread}{run}",
        "cancelRun": f"POST {thread}{run}/cancel",
        "submitToolOuputsToRun": f"POST {thread}{run}/submit_tool_outputs",
        "listRunSteps": f"GET {thread}{run}/steps",
        "getRunStep": f"GET {thread}{run}/steps/{{step_id}}",
    }
    items = "/v1/conversations/{conversation_id}/items"
    assert routes("conversations") == {
        "createConversation": "POST /v1/conversations",
        "getConversation": "GET /v1/conversations/{conversation_id}",
        "updateConversation": "POST /v1/conversations/{conversation_id}",
        "deleteConversation": "DELETE /v1/conversations/{conversation_id}",
        "listConversationItems": f"GET {items}",
        "createConversationItems": f"POST {items}",
        "getConversationItem": f"GET {items}/{{item_id}}",
        "deleteConversationItem": f"DELETE {items}/{{item_id}}",
    }
    assert routes("responses") == {
        "createResponse": "POST /v1/responses",
        "Getinputtokencounts": "POST /v1/responses/input_tokens",
        "Compactconversation": "POST /v1/responses/compact",
        "getResponse": "GET /v1/responses/{response_id}",
        "deleteResponse": "DELETE /v1/responses/{response_id}",
        "cancelResponse": "POST /v1/responses/{response_id}/cancel",
        "listInputItems": "GET /v1/responses/{response_id}/input_items",
    }
    chat = "/v1/chat/completions"
    assert routes("chat-completions") == {
        "listChatCompletions": f"GET {chat}",
        "createChatCompletion": f"POST {chat}",
        "getChatCompletion": f"GET {chat}/{{completion_id}}",
        "updateChatCompletion": f"POST {chat}/{{completion_id}}",
        "deleteChatCompletion": f"DELETE {chat}/{{completion_id}}",
        "getChatCompletionMessages": f"GET {chat}/{{completion_id}}/messages",
    }


def test_the_second_version_is_asked_for_by_a_header() -> None:
    """Every operation of the second Assistants API requires it."""
    for operation in operations("pack:assistants-v2").values():
        assert [(one.name, one.required) for one in operation.header_parameters] == [("openai-beta", True)]


@pytest.mark.parametrize("pack", ["assistants-v1", *NEW_PACKS])
def test_ids_in_paths_hold_nothing_but_letters_digits_and_two_signs(pack: str) -> None:
    """So that no upstream can take one for more than one segment, or for another path."""
    for operation in operations(f"pack:{pack}").values():
        for parameter in operation.path_parameters:
            for good in ("a", "A-z_9", "x" * 256):
                assert parameter.validator.fast(good)
            for bad in ("", "x" * 257, "a.b", "a%2Fb", "a/b", "ä", "a\n"):
                assert not parameter.validator.fast(bad)


@pytest.mark.parametrize("pack", NEW_PACKS)
def test_only_what_others_define_is_left_open(pack: str) -> None:
    """Every text and list ends somewhere, every object is closed, but for schemas and what tools define."""
    places = {
        spot.place.rpartition(".")[2]
        for operation in operations(f"pack:{pack}").values()
        for validator in _validators(operation)
        for spot in weak_spots(validator)
    }
    schemas = {"parameters", "schema", "output_schema", "input_schema"}
    assert places <= {*schemas, "annotations", "arguments", "content", "tools[]"}


def _validators(operation: Operation) -> Iterator[Validator]:
    for parameter in (*operation.query_parameters.values(), *operation.header_parameters):
        yield parameter.validator
    if operation.body is not None:
        yield operation.body.media_types[JSON].validator


def test_shapes_that_packs_share_are_the_same() -> None:
    """Items and tools stand in two packs; whoever changes one has to change the other."""
    ours = {pack: documents.read(pack_path(f"pack:{pack}"), name=pack).value for pack in NEW_PACKS}
    items = ours["conversations"]["components"]["schemas"]
    responses = ours["responses"]["components"]["schemas"]
    own = {"NewConversation", "ChangedConversation", "NewItems"}
    assert set(items) - set(responses) == own
    assert {name: responses[name] for name in set(items) - own} == {
        name: items[name] for name in set(items) - own
    }
    for shared in ("PathId", "Metadata"):
        assert len({str(one["components"]["schemas"][shared]) for one in ours.values()}) == 1


if PUBLISHED.is_dir():  # they lie beside some checkouts; elsewhere there is nothing to compare

    def test_the_public_document_of_that_time_says_the_same() -> None:
        """The same routes, the same parameters, and for these samples the same verdicts."""
        pack = operations("pack:assistants-v1")
        theirs = {one.name: one for one in read_pack(f"{PUBLISHED}/openai-v1.yaml", wanted=list(pack))}
        assert theirs.keys() == pack.keys()
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
        for name, ours in pack.items():
            other = theirs[name]
            _assert_same_route(ours, other)
            if ours.body is None or other.body is None:
                continue
            assert ours.body.required is other.body.required
            for sample in [*samples, *({"messages": [one]} for one in samples)]:
                verdicts = {body.media_types[JSON].validator.fast(sample) for body in (ours.body, other.body)}
                assert len(verdicts) == 1, (name, sample)

    def test_the_public_document_of_today_accepts_what_the_packs_accept() -> None:
        """The same routes and parameters; no accepted example is refused by it, but for known reasons."""
        ours = {name: one for pack in NEW_PACKS for name, one in operations(f"pack:{pack}").items()}
        document = f"{PUBLISHED}/openai-v2.yaml"
        theirs = read_pack(document, prefix="/v1", wanted=list(ours), overlays=["pack:errata/openai-v2"])
        assert {one.name for one in theirs} == ours.keys()
        for one in theirs:
            _assert_same_route(ours[one.name], one)
        rules = Rules(RouteTable(theirs), max_depth=32)
        refused = {
            str(example)
            for pack in NEW_PACKS
            for example in read_examples(pack)
            if example.code is None and not isinstance(decide(rules, example.raw_head, example.body), Permit)
        }
        assert refused == {
            # The API answers with items whose status is null, and takes back what it answered.
            "responses: what came out goes in again",
        }


def _assert_same_route(ours: Operation, theirs: Operation) -> None:
    assert (ours.method, ours.template) == (theirs.method, theirs.template)
    assert list(ours.query_parameters) == list(theirs.query_parameters)
    assert [one.name for one in ours.path_parameters] == [one.name for one in theirs.path_parameters]
    assert (ours.body is None) is (theirs.body is None)


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
