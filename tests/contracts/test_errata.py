"""The errata overlays, laid over OpenAI's own documents: nothing is stale, and they mend what they say.

Judged by jsonschema here, in the 2020-12 reading of the documents, so that these tests say something of the
errata and not of this project's compiler. Where the documents are not at hand nothing is tested.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from gateway import documents
from gateway.contracts import overlay_path
from gateway.contracts.overlays import apply_overlays
from tests.support.published import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.documents import Document
    from gateway.errors import Fault

METHODS = ("get", "put", "post", "delete", "patch")
MEMBERS = ("properties", "patternProperties", "$defs")
BRANCHES = ("allOf", "anyOf", "oneOf", "prefixItems")
INNER = ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else")
NOT_SCHEMAS = ("example", "examples", "default", "enum", "const")


class Laid(NamedTuple):
    """A document before and after its errata, and what the errata had to say."""

    version: str
    before: Any
    after: Any
    result: Document
    warnings: list[Fault]


def lay(version: str) -> Laid:
    """Lay the errata over the document."""
    file = PUBLISHED / f"openai-{version}.yaml"
    if not file.exists():
        pytest.skip("OpenAI's document is not at hand")
    document = documents.read(file, name=file.name)
    errata = documents.read(overlay_path(f"pack:errata/openai-{version}"), name="errata.yaml")
    warnings: list[Fault] = []
    result = apply_overlays(document, [errata], warnings)
    return Laid(version, document.value, result.value, result, warnings)


@pytest.fixture(scope="module", params=["v1", "v2"])
def laid(request: pytest.FixtureRequest) -> Laid:
    """Give each document with its errata."""
    return lay(request.param)


@pytest.fixture(scope="module")
def v1() -> Laid:
    return lay("v1")


@pytest.fixture(scope="module")
def v2() -> Laid:
    return lay("v2")


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def operations(document: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for template, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield ("paths", template, method), item[method]


def request_schemas(document: Any) -> dict[tuple[str | int, ...], Any]:
    """Give every schema that a request is judged by: of parameters and bodies, and whatever they refer to."""
    pending: list[tuple[str | int, ...]] = []
    for path, operation in operations(document):
        pending += [(*path, "parameters", i, "schema") for i in range(len(operation.get("parameters", [])))]
        content = operation.get("requestBody", {}).get("content", {})
        pending += [(*path, "requestBody", "content", kind, "schema") for kind in content]
    found: dict[tuple[str | int, ...], Any] = {}
    while pending:
        path = pending.pop()
        schema = at(document, path)
        if path in found or not isinstance(schema, dict):
            continue
        found[path] = schema
        if "$ref" in schema:
            pending.append(tuple(schema["$ref"].removeprefix("#/").split("/")))
        for key, value in schema.items():
            if key in MEMBERS:
                pending += [(*path, key, name) for name in value]
            elif key in BRANCHES:
                pending += [(*path, key, index) for index in range(len(value))]
            elif key in INNER:
                pending.append((*path, key))
    return found


def modern(value: Any) -> Any:
    """Say in 2020-12's words what OpenAPI 3.0's keywords mean, also where the 3.1 document uses them."""
    if isinstance(value, list):
        return [modern(item) for item in value]
    if not isinstance(value, dict):
        return value
    said = {key: member if key in NOT_SCHEMAS else modern(member) for key, member in value.items()}
    if said.pop("nullable", None) is True and isinstance(said.get("type"), str):
        said["type"] = [said["type"], "null"]
    if said.get("exclusiveMinimum") is True:
        said["exclusiveMinimum"] = said.pop("minimum")
    return said


class Judge:
    """Judges values by the schemas of a document."""

    def __init__(self, document: Any) -> None:
        contents = {key: modern(document[key]) for key in ("paths", "components")}
        resource = Resource(contents=contents, specification=DRAFT202012)
        self._registry: Any = Registry().with_resource("urn:document", resource)

    def good(self, path: tuple[str | int, ...], value: Any) -> bool:
        steps = [quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~") for step in path]
        schema = {"$ref": "urn:document#/" + "/".join(steps)}
        return bool(Draft202012Validator(schema, registry=self._registry).is_valid(value))


def test_every_target_selects_something(laid: Laid) -> None:
    """Errata that mend nothing are stale."""
    assert laid.warnings == []


def test_most_of_the_document_is_left_alone(laid: Laid) -> None:
    """Nothing but parameters and schemas changes, and no operation or schema comes or goes."""
    assert laid.after.keys() == laid.before.keys()
    assert laid.after["components"]["schemas"].keys() == laid.before["components"]["schemas"].keys()
    before, after = dict(operations(laid.before)), dict(operations(laid.after))
    assert after.keys() == before.keys()
    for path, operation in after.items():
        assert {k: v for k, v in operation.items() if k != "parameters"} == {
            k: v for k, v in before[path].items() if k != "parameters"
        }


def forbidden(document: Any) -> list[tuple[str | int, ...]]:
    """Give the schemas that require what they forbid, or, if no branch knows it, what they do not know."""
    return [
        path
        for path, schema in request_schemas(document).items()
        if isinstance(schema.get("properties"), dict)
        and not any(key in schema for key in BRANCHES)
        and not set(schema.get("required", ())) <= schema["properties"].keys()
    ]


def test_nothing_is_required_that_is_forbidden_or_unknown(laid: Laid) -> None:
    """In v1 no run could be created; in v2 four items of a response could not be sent."""
    names = {path[2] for path in forbidden(laid.before)}
    assert (
        names
        == {
            "v1": {"CreateRunRequest", "CreateThreadAndRunRequest"},
            "v2": {
                "LocalShellToolCallOutput",
                "BetaLocalShellToolCallOutput",
                "MCPApprovalResponse",
                "BetaMCPApprovalResponse",
            },
        }[laid.version]
    )
    assert forbidden(laid.after) == []


def refused_defaults(document: Any) -> list[tuple[str | int, ...]]:
    judge = Judge(document)
    return [
        path
        for path, schema in request_schemas(document).items()
        if "default" in schema and not judge.good(path, schema["default"])
    ]


def test_no_default_is_refused_by_its_own_schema(laid: Laid) -> None:
    counts = len(refused_defaults(laid.before)), len(refused_defaults(laid.after))
    assert counts == {"v1": (1, 0), "v2": (10, 0)}[laid.version]


def test_keywords_stand_where_they_mean_something(laid: Laid) -> None:
    """``nullable`` beside a type, ``required`` beside objects, numbers as bounds in 3.1, no misspellings."""
    for path, schema in request_schemas(laid.after).items():
        assert "type" in schema or schema.get("nullable") is not True, path
        assert "enum" not in schema or schema.get("nullable") is not True or None in schema["enum"], path
        assert "required" not in schema or schema.get("type", "object") == "object", path
        assert laid.version == "v1" or not isinstance(schema.get("exclusiveMinimum"), bool), path
        assert not {"$recursiveRef", "$recursiveAnchor", "min_items", "max_items"} & schema.keys(), path
        assert schema.get("type") != "string" or "minItems" not in schema, path


def examples(document: Any) -> Iterator[tuple[tuple[str, ...], int, Any]]:
    """Give the JSON bodies of the document's own curl examples; those that are no JSON are left out."""
    for path, operation in operations(document):
        given = operation.get("x-oaiMeta", {}).get("examples") or []
        for index, example in enumerate(given if isinstance(given, list) else [given]):
            request = example.get("request", {})
            curl = request.get("curl") or "" if isinstance(request, dict) else request
            for body in re.findall(r"(?:-d|--data)\s+'(.*?)'(?:\s|$)", curl, re.DOTALL):
                try:
                    yield path, index, json.loads(body)
                except ValueError:
                    continue


def refused_examples(document: Any) -> list[tuple[str, int]]:
    judge = Judge(document)
    return [
        (f"{path[2]} {path[1]}", index)
        for path, index, body in examples(document)
        if not judge.good((*path, "requestBody", "content", "application/json", "schema"), body)
    ]


def test_the_document_s_own_examples_are_taken(laid: Laid) -> None:
    """What the prose shows must pass. Two stay refused: they contradict the prose as well as the schema.

    One writes a static chunking strategy flat, where every other place, and the SDK, nests it; the other
    leaves out the user of a ChatKit session.
    """
    before, after = refused_examples(laid.before), refused_examples(laid.after)
    assert (len(list(examples(laid.after))), len(before)) == {"v1": (31, 6), "v2": (123, 11)}[laid.version]
    assert (
        after
        == {
            "v1": [],
            "v2": [("post /vector_stores/{vector_store_id}/file_batches", 0), ("post /chatkit/sessions", 0)],
        }[laid.version]
    )


MESSAGE = {"role": "user", "content": "x"}
UPLOAD = {"filename": "a", "bytes": 1, "mime_type": "text/plain"}
PAIRS = {str(number): "" for number in range(17)}
TASTES: dict[str, list[tuple[str, Any, bool, bool]]] = {
    # schema below components, value, taken before the errata, taken after
    "v1": [
        ("CreateMessageRequest", MESSAGE | {"metadata": {"k" * 64: "v" * 512}}, True, True),
        ("CreateMessageRequest", MESSAGE | {"metadata": None}, True, True),
        ("CreateMessageRequest", MESSAGE | {"metadata": {"k" * 65: ""}}, True, False),
        ("CreateMessageRequest", MESSAGE | {"metadata": {"k": "v" * 513}}, True, False),
        ("CreateMessageRequest", MESSAGE | {"metadata": {"k": 1}}, True, False),
        ("CreateMessageRequest", MESSAGE | {"metadata": PAIRS}, True, False),
        ("CreateMessageRequest", MESSAGE | {"file_ids": []}, False, False),
        *((f"Modify{name}Request", {"metadata": PAIRS}, True, False)
          for name in ("Run", "Thread", "Message")),
        ("CreateThreadRequest", {"metadata": PAIRS}, True, False),
        ("CreateAssistantRequest", {"model": "m", "metadata": PAIRS}, True, False),
        ("ModifyAssistantRequest", {"metadata": PAIRS}, True, False),
        ("CreateRunRequest", {"assistant_id": "a"}, False, True),
        ("CreateRunRequest", {"assistant_id": "a", "metadata": PAIRS}, False, False),
        ("CreateRunRequest", {}, False, False),
        ("CreateThreadAndRunRequest", {"assistant_id": "a"}, False, True),
        ("CreateThreadAndRunRequest", {"assistant_id": "a", "metadata": PAIRS}, False, False),
        ("CreateImageRequest", {"prompt": "x" * 4000, "model": None, "size": None, "style": None},
         False, True),
        ("CreateImageRequest", {"prompt": "x" * 4001}, True, False),
        ("CreateImageEditRequest", {"prompt": "x", "image": "", "response_format": None}, False, True),
        ("CreateImageEditRequest", {"prompt": "x" * 1001, "image": ""}, True, False),
        ("CreateImageVariationRequest", {"image": "", "model": None, "size": None}, False, True),
        ("CreateCompletionRequest", {"model": "m", "prompt": None, "stop": None}, False, True),
        ("CreateCompletionRequest", {"model": "m", "prompt": "x", "logit_bias": {"1": 100}}, True, True),
        ("CreateCompletionRequest", {"model": "m", "prompt": "x", "logit_bias": {"1": 101}}, True, False),
        ("CreateEmbeddingRequest", {"model": "m", "input": "x"}, True, True),
        ("CreateEmbeddingRequest", {"model": "m", "input": ""}, True, False),
        ("CreateTranscriptionRequest", {"model": "m", "file": "", "temperature": 1}, True, True),
        ("CreateTranscriptionRequest", {"model": "m", "file": "", "temperature": 1.1}, True, False),
        ("CreateTranslationRequest", {"model": "m", "file": "", "temperature": -0.1}, True, False),
        ("CreateFineTuningJobRequest", {"model": "m", "training_file": "f", "suffix": "x" * 18}, True, True),
        ("CreateFineTuningJobRequest", {"model": "m", "training_file": "f", "suffix": "x" * 19}, True, False),
        ("FunctionObject", {"name": "get_weather-2"}, True, True),
        ("FunctionObject", {"name": "get weather"}, True, False),
        ("ChatCompletionFunctions", {"name": "x" * 65}, True, False),
    ],
    "v2": [
        ("Metadata", {"k" * 64: "v" * 512}, True, True),
        ("Metadata", None, True, True),
        ("Metadata", PAIRS, True, False),
        ("Metadata", {"k" * 65: ""}, True, False),
        ("BetaMetadata", {"k": "v" * 513}, True, False),
        ("CreateMessageRequest", MESSAGE | {"attachments": [{"file_id": "f", "tools": []}]}, True, True),
        ("CreateMessageRequest", MESSAGE | {"attachments": [{"file_id": "f"}]}, True, False),
        ("CreateMessageRequest", MESSAGE | {"attachments": None}, True, True),
        ("CreateRunRequest", {"assistant_id": "a", "model": None, "truncation_strategy": None}, False, True),
        ("CreateRunRequest", {"assistant_id": "a", "tool_choice": None, "response_format": None},
         False, True),
        ("CreateRunRequest", {"assistant_id": "a", "tool_choice": "none", "response_format": "auto"},
         True, True),
        ("CreateRunRequest", {"assistant_id": "a", "tool_choice": "some"}, False, False),
        ("CreateThreadAndRunRequest", {"assistant_id": "a", "response_format": None}, False, True),
        ("InputItem", {"role": "user", "content": [{"type": "input_text", "text": "x"}]}, False, True),
        ("InputItem", {"role": "user", "content": "x"}, True, True),
        ("InputItem", {"role": "nobody", "content": "x"}, False, False),
        ("BetaInputItem", {"role": "user", "content": [{"type": "input_text", "text": "x"}]}, False, True),
        ("InputImageContent", {"type": "input_image", "image_url": "https://example.org/a"}, False, True),
        ("OutputTextContent", {"type": "output_text", "text": "x", "annotations": []}, False, True),
        ("OutputTextContent", {"type": "output_text", "text": "x"}, False, False),
        ("BetaOutputTextContent", {"type": "output_text", "text": "x", "annotations": []}, False, True),
        ("MCPApprovalResponse",
         {"type": "mcp_approval_response", "approve": True, "approval_request_id": "a"}, False, True),
        ("LocalShellToolCallOutput", {"type": "local_shell_call_output", "id": "a", "output": ""},
         False, True),
        ("FunctionTool", {"type": "function", "name": "f", "parameters": {}}, False, True),
        ("CreateEvalItem", {"role": "user", "content": "x"}, False, True),
        ("WorkflowParam", {"id": "w", "state_variables": {"k": 1}}, False, True),
        ("WorkflowParam", {"id": "w", "state_variables": {"k" * 65: "v"}}, True, False),
        ("RealtimeSessionCreateRequest", {"modalities": ["text"], "turn_detection": None}, False, True),
        ("RealtimeSessionCreateRequest", {"temperature": 0.6, "max_response_output_tokens": "inf"},
         False, True),
        ("RealtimeSessionCreateRequest", {"temperature": 0.5}, False, False),
        ("RealtimeSessionCreateRequest", {"max_response_output_tokens": 4097}, False, False),
        ("RealtimeSessionCreateRequestGA", {"type": "realtime", "tracing": None}, False, True),
        ("RealtimeSessionCreateRequestGA",
         {"type": "realtime", "audio": {"input": {"noise_reduction": None}}}, False, True),
        ("RealtimeSessionCreateRequestGA", {"type": "realtime", "audio": {"input": {"transcription": None}}},
         False, True),
        ("RealtimeSessionCreateRequestGA", {"type": "realtime", "max_output_tokens": 0}, True, False),
        ("RealtimeTranscriptionSessionCreateRequest", {"turn_detection": None}, False, True),
        ("RealtimeTranscriptionSessionCreateRequest", {"turn_detection": {"threshold": 1.1}}, True, False),
        ("RealtimeTurnDetection", {"type": "server_vad", "threshold": -0.1}, True, False),
        ("CreateModelResponseProperties", {"top_logprobs": None}, False, True),
        ("CreateModelResponseProperties", {"top_logprobs": 21}, False, False),
        ("BetaCreateModelResponseProperties", {"top_logprobs": None}, False, True),
        ("CreateChatCompletionRequest",
         {"model": "m", "messages": [{"role": "user", "content": "x"}], "top_logprobs": None}, False, True),
        ("CreateUploadRequest", UPLOAD | {"purpose": "assistants"}, True, True),
        ("CreateUploadRequest", UPLOAD | {"purpose": "user_data"}, False, True),
        ("CreateUploadRequest", UPLOAD | {"purpose": "fun"}, False, False),
        ("StopConfiguration", None, True, True),
        ("StopConfiguration", ["a"] * 5, False, False),
        ("CreateCompletionRequest", {"model": "m", "prompt": None}, False, True),
        ("CreateCompletionRequest", {"model": "m", "prompt": "x", "logit_bias": {"1": -101}}, True, False),
        ("CreateImageRequest", {"prompt": "x", "model": None, "size": None, "quality": None}, False, True),
        ("CreateImageRequest", {"prompt": "x" * 32001}, True, False),
        ("CreateImageRequest", {"prompt": "x", "output_compression": 101}, True, False),
        ("UpdateVectorStoreRequest", {"expires_after": None}, False, True),
        ("UpdateVectorStoreRequest", {"expires_after": {}}, False, False),
        ("CompoundFilter", {"type": "and", "filters": [{"type": "eq", "key": "k", "value": 1}]}, False, True),
        ("CompoundFilter", {"type": "and", "filters": [{"type": "or", "filters": []}]}, True, True),
        ("CompoundFilter", {"type": "and", "filters": [{"type": "no", "filters": []}]}, True, False),
        ("FineTuneDPOHyperparameters", {"beta": 0}, False, False),
        ("FineTuneReinforcementHyperparameters", {"compute_multiplier": 0.00001}, False, False),
        ("GraderScoreModel", {"type": "score_model", "name": "n", "model": "m", "input": [], "range": [0]},
         True, False),
        ("VectorStoreSearchRequest", {"query": []}, True, False),
        ("TokenCountsBody", {"personality": "x" * 65}, True, False),
        ("FileSearchTool", {"type": "file_search", "vector_store_ids": [], "max_num_results": 51},
         True, False),
        ("RankingOptions", {"score_threshold": 1.1}, True, False),
        ("MCPTool", {"type": "mcp", "server_label": "l"}, True, False),
        ("MCPTool", {"type": "mcp", "server_label": "l", "server_url": "https://example.org"}, True, True),
        ("TextResponseFormatJsonSchema", {"type": "json_schema", "name": "a b", "schema": {}}, True, False),
        ("VadConfig", {"type": "server_vad", "threshold": 2}, True, False),
    ],
}  # fmt: skip


def test_what_is_mended(laid: Laid) -> None:
    """A body for each kind of erratum, judged before and after."""
    before, after = Judge(laid.before), Judge(laid.after)
    found = [
        (name, value, before.good(("components", "schemas", name), value),
         after.good(("components", "schemas", name), value))
        for name, value, _, _ in TASTES[laid.version]
    ]  # fmt: skip
    assert found == TASTES[laid.version]


def limits(document: Any) -> dict[str, tuple[Any, Any]]:
    """Give the bounds of every query parameter ``limit``."""
    return {
        path[1]: (parameter["schema"].get("minimum"), parameter["schema"].get("maximum"))
        for path, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "limit"
    }


def test_limits_of_pages(v1: Laid, v2: Laid) -> None:
    """Bounded where the prose says how, and nowhere else."""
    assert limits(v1.after) == limits(v1.before) | dict.fromkeys(
        (
            "/assistants",
            "/assistants/{assistant_id}/files",
            "/threads/{thread_id}/messages",
            "/threads/{thread_id}/messages/{message_id}/files",
            "/threads/{thread_id}/runs",
            "/threads/{thread_id}/runs/{run_id}/steps",
        ),
        (1, 100),
    )
    before, after = limits(v2.before), limits(v2.after)
    changed = [bounds for path, bounds in after.items() if bounds != before[path]]
    assert sorted(set(changed), key=str) == [(1, 100), (1, 10000), (1, 180), (None, 1440)]
    counts = [changed.count(bounds) for bounds in ((1, 100), (1, 10000), (1, 180), (None, 1440))]
    assert counts == [23, 1, 1, 10]
    assert after["/files"] == (1, 10000)
    assert after["/chat/completions"] == (None, None)


def test_objects_in_queries_have_a_style(v2: Laid) -> None:
    """As the prose writes them: name[key]=value."""
    described = {
        (path[1], parameter["name"]): (parameter.get("style"), parameter.get("explode"))
        for path, operation in operations(v2.after)
        for parameter in operation.get("parameters", [])
        if parameter["name"] in {"effective_at", "metadata"}
    }
    assert set(described.values()) == {("deepObject", True)}
    assert {
        ("/organization/audit_logs", "effective_at"),
        ("/chat/completions", "metadata"),
    } < described.keys()


def test_faults_lead_into_the_errata_and_into_the_document(v1: Laid) -> None:
    """The errata's own values have the errata's places, all else those of the published file."""
    schema = ("components", "schemas", "CreateMessageRequest", "properties", "metadata")
    brought = v1.result.fault((*schema, "maxProperties"), "m")
    kept = v1.result.fault((*schema, "nullable"), "m")
    assert (brought.file, kept.file) == ("errata.yaml", "openai-v1.yaml")
    lines = (PUBLISHED / "openai-v1.yaml").read_text().splitlines()
    assert lines[kept.line - 1].strip() == "nullable: true"
    lines = overlay_path("pack:errata/openai-v1").read_text().splitlines()
    assert lines[brought.line - 1].strip() == "maxProperties: 16"
