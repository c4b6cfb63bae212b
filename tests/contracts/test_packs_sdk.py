"""The packs take what the official SDK sends: bodies made from its own type definitions, member by member."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from openai.types.beta import (
    assistant_create_params,
    assistant_update_params,
    thread_create_params,
    thread_update_params,
)
from openai.types.beta import thread_create_and_run_params as thread_run_params
from openai.types.beta.threads import (
    message_create_params,
    message_update_params,
    run_create_params,
    run_submit_tool_outputs_params,
    run_update_params,
)
from openai.types.chat import completion_create_params, completion_update_params
from openai.types.conversations import (
    conversation_create_params,
    conversation_update_params,
    item_create_params,
)
from openai.types.responses import (
    input_token_count_params,
    response_compact_params,
    response_create_params,
)

from tests.support.examples import read_pack
from tests.support.sdk_samples import bodies

if TYPE_CHECKING:
    from gateway.core.types import Operation


class Sent(NamedTuple):
    """What the SDK sends to an operation; ``apart`` are the parameters that are no part of the body."""

    pack: str
    operation: str
    params: Any
    apart: frozenset[str] = frozenset()


_STEERED: Final = frozenset(("thread_id", "include"))
SENT: Final = (
    Sent("assistants-v2", "createAssistant", assistant_create_params.AssistantCreateParams),
    Sent("assistants-v2", "modifyAssistant", assistant_update_params.AssistantUpdateParams),
    Sent("assistants-v2", "createThread", thread_create_params.ThreadCreateParams),
    Sent("assistants-v2", "modifyThread", thread_update_params.ThreadUpdateParams),
    Sent("assistants-v2", "createThreadAndRun", thread_run_params.ThreadCreateAndRunParamsStreaming),
    Sent("assistants-v2", "createMessage", message_create_params.MessageCreateParams),
    Sent("assistants-v2", "modifyMessage", message_update_params.MessageUpdateParams, _STEERED),
    Sent("assistants-v2", "createRun", run_create_params.RunCreateParamsStreaming, _STEERED),
    Sent("assistants-v2", "modifyRun", run_update_params.RunUpdateParams, _STEERED),
    Sent(
        "assistants-v2",
        "submitToolOuputsToRun",
        run_submit_tool_outputs_params.RunSubmitToolOutputsParamsStreaming,
        _STEERED,
    ),
    Sent("conversations", "createConversation", conversation_create_params.ConversationCreateParams),
    Sent("conversations", "updateConversation", conversation_update_params.ConversationUpdateParams),
    Sent("conversations", "createConversationItems", item_create_params.ItemCreateParams, _STEERED),
    Sent("responses", "createResponse", response_create_params.ResponseCreateParamsStreaming),
    Sent("responses", "Getinputtokencounts", input_token_count_params.InputTokenCountParams),
    Sent("responses", "Compactconversation", response_compact_params.ResponseCompactParams),
    Sent(
        "chat-completions", "createChatCompletion", completion_create_params.CompletionCreateParamsStreaming
    ),
    Sent("chat-completions", "updateChatCompletion", completion_update_params.CompletionUpdateParams),
)

STRICTER: Final = {
    ("createThreadAndRun", "missing_required_parameter", "/tool_choice/function"),
    ("createRun", "missing_required_parameter", "/tool_choice/function"),
}
"""Where the packs hold to the reference's prose ("must be set"), and the SDK's types do not tell it."""


@cache
def operations(pack: str) -> dict[str, Operation]:
    """Read a pack's operations by name."""
    return {operation.name: operation for operation in read_pack(f"pack:{pack}")}


@pytest.mark.parametrize("sent", SENT, ids=lambda sent: sent.operation)
def test_what_the_sdk_can_send_is_taken(sent: Sent) -> None:
    """Every member of every type, with every value that tells kinds apart, is accepted."""
    taken = operations(sent.pack)[sent.operation].body
    assert taken is not None
    validator = taken.media_types["application/json"].validator
    refused = {
        (sent.operation, one.code, one.pointer)
        for body in bodies(sent.params, apart=sent.apart)
        if not validator.fast(body)
        for one in validator.full(body).violations
    }
    assert refused == {one for one in STRICTER if one[0] == sent.operation}


def test_every_body_is_sent_by_the_sdk() -> None:
    """No operation that takes a body is left out."""
    packs = ("assistants-v2", "conversations", "responses", "chat-completions")
    with_body = {
        (pack, name) for pack in packs for name, one in operations(pack).items() if one.body is not None
    }
    assert {(sent.pack, sent.operation) for sent in SENT} == with_body
