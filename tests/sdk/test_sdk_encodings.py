"""The official SDK sends what an application compressed, and has the message that it meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from openai.types.beta import Thread
from openai.types.beta.threads import Message

from tests.sdk.conftest import KEY
from tests.support.encoders import CODINGS, ENCODERS

if TYPE_CHECKING:
    from gateway.core.encodings import Coding
    from tests.sdk.conftest import Stage

BODY = '{"role": "user", "content": "Grüße 👋"}'.encode()


@pytest.mark.parametrize("coding", CODINGS)
def test_a_compressed_message(stage: Stage, coding: Coding) -> None:
    """It is stored as it was before it was compressed, and a broken one raises what says so."""
    headers = {"content-type": "application/json", "content-encoding": coding}
    with openai.OpenAI(api_key=KEY, base_url=stage.base_url, max_retries=0) as client:
        thread = client.post("/threads", cast_to=Thread, body={})
        path = f"/threads/{thread.id}/messages"
        mark = len(stage.relay.raw)
        coded = ENCODERS[coding](BODY)
        message = client.post(path, cast_to=Message, content=coded, options={"headers": headers})
        assert message.content[0].text.value == "Grüße 👋"
        with pytest.raises(openai.BadRequestError) as caught:
            client.post(path, cast_to=Message, content=coded[:-1], options={"headers": headers})
    assert (caught.value.code, caught.value.type) == ("bad_request", "invalid_request_error")
    assert f"its {coding} coding" in caught.value.message
    [arrived] = stage.relay.requests_since(mark)
    assert (arrived.body, arrived.header("content-encoding")) == (BODY, None)
