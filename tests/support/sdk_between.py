"""The official SDK before a gateway with every pack, with a relay before it and a raw upstream behind it.

    async with Between(folder, documents) as between:
        answer = await between.passes("responses.create", {"input": "Hello"}, {"id": "resp_1"})
        error = await between.refused("responses.create", {"input": 5})

The relay has every byte that the SDK sent, the upstream every byte that it got.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import ExitStack
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

import openai
import pytest
from openai import AsyncOpenAI

from tests.support.program import Program
from tests.support.recorder import Connection, Recorder, Script, ok
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from tests.support.framing import Request

KEY = "sk-canary-key"

_CONFIG = """\
listen: {port: 0}
admin: {port: 0}
upstreams: {main: {urls: ["URL"]}}
contracts:
  assistants-v1: {openapi: "pack:assistants-v1", upstream: main}
  assistants-v2: {openapi: "pack:assistants-v2", upstream: main, when: {openai-beta: assistants=v2}}
  second: {openapi: "pack:assistants-v2", upstream: main, prefix: /second}
  conversations: {openapi: "pack:conversations", upstream: main}
  responses: {openapi: "pack:responses", upstream: main}
  chat-completions: {openapi: "pack:chat-completions", upstream: main}
"""


class Between:
    """The gateway and what stands around it; an async context manager.

    ``answers`` are the upstream's scripts, used up in turn; without one it answers ``{}``. ``documents`` are
    further contracts by name, with 3 MiB for a body.
    """

    def __init__(self, folder: Path, documents: Mapping[str, Path] | None = None) -> None:
        self.answers: deque[Script] = deque()
        self.upstream = Recorder(self._script)
        self.relay: Relay
        self.gateway: Program
        self._path = folder / "gateway.yaml"
        self._documents = documents or {}
        self._running = ExitStack()

    async def __aenter__(self) -> Self:
        await self.upstream.__aenter__()
        more = "".join(
            f'  {name}: {{openapi: "{path}", upstream: main, max_bytes: 3MiB}}\n'
            for name, path in self._documents.items()
        )
        self._path.write_text(_CONFIG.replace("URL", self.upstream.url) + more, encoding="utf-8")
        self.gateway = self._running.enter_context(Program("serve", "-c", str(self._path)))
        self.gateway.started()
        self.relay = self._running.enter_context(Relay(self.gateway.port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.__exit__(kind, error, trace)
        await self.upstream.__aexit__(kind, error, trace)

    def client(self, prefix: str = "/v1", *, relayed: bool = True) -> AsyncOpenAI:
        """Give a client that tries once; an async context manager."""
        port = self.relay.port if relayed else self.gateway.port
        base_url = f"http://127.0.0.1:{port}{prefix}"
        return AsyncOpenAI(api_key=KEY, admin_api_key=KEY, base_url=base_url, max_retries=0)

    async def passes(
        self, call: str, arguments: Mapping[str, Any], answer: Script | object, *positional: Any
    ) -> Any:
        """Make a call that has to pass, and give what it returns.

        ``answer`` is the upstream's: a script, or a JSON value. The upstream has to get target, body and
        the headers that tell of the body exactly as the SDK sent them.
        """
        self.answers.clear()  # what a test that failed left behind
        self.answers.append(answer if isinstance(answer, list) else ok(json.dumps(answer).encode()))
        mark, before = len(self.relay.raw), len(self.upstream.requests)
        async with self.client() as client:
            returned = await self.method(client, call)(*positional, **arguments)
        self.same(mark, before)
        return returned

    def same(self, mark: int, before: int) -> Request:
        """Check that the one request since then arrived as it was sent, and give it."""
        [sent] = self.relay.requests_since(mark)
        [got] = self.upstream.requests[before:]
        assert (got.method, got.target, got.body) == (sent.method, sent.target, sent.body)
        for name in ("content-type", "content-length", "authorization", "openai-beta", "accept"):
            assert got.header(name) == sent.header(name), name
        return got

    async def refused(
        self, call: str, arguments: Mapping[str, Any], *positional: Any, prefix: str = "/v1"
    ) -> openai.APIStatusError:
        """Make a call that has to raise an APIStatusError; give that. The upstream must not hear of it."""
        heard, connections = len(self.upstream.raw), len(self.upstream.connections)
        # not relayed, since a relay has no patience with those who are refused while they still send
        async with self.client(prefix, relayed=False) as client:
            with pytest.raises(openai.APIStatusError) as caught:
                await self.method(client, call)(*positional, **arguments)
        assert len(self.upstream.raw) == heard
        assert len(self.upstream.connections) == connections
        return caught.value

    @staticmethod
    def method(client: AsyncOpenAI, call: str) -> Any:
        """Give a method by its path below the client."""
        return reduce(getattr, call.split("."), client)

    def _script(self, _number: int, _connection: Connection) -> Script:
        return self.answers.popleft() if self.answers else ok(b"{}")
