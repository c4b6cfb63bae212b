"""OpenAI's own document with its errata takes what the official SDK sends, method by method.

Nothing is listening here: a transport hands the very bytes of each request to the deciding core, with the
document's 288 operations. Where the document is not at hand nothing is tested.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

import httpx2
import openai
import pytest

from gateway.core.decide import Rules, decide
from gateway.core.route import RouteTable
from gateway.core.types import Permit
from tests.support.examples import read_pack
from tests.support.published import PUBLISHED
from tests.support.sdk_arguments import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCUMENT = PUBLISHED / "openai-v2.yaml"
FLOWS: Final = frozenset(
    (
        *("create_and_poll", "create_and_run_poll", "create_and_run_stream", "create_and_stream", "connect"),
        *("for_result", "is_beta", "parse", "poll", "prepare", "prepare_directory", "stream"),
        *("submit_tool_outputs_and_poll", "submit_tool_outputs_stream", "unwrap", "upload"),
        *("upload_and_poll", "upload_file_chunked", "verify_signature"),
    )
)
"""Methods that make several requests, or none; what they send other methods send, too."""
NEWER: Final = "beta.agents."
"""Whole resources that the document does not know."""
ABSENT: Final = frozenset(("unknown_route", "method_not_allowed"))
"""What is answered where the document has no such operation: the SDK is newer."""

REFUSED: Final = {
    # What the SDK has and the document, which is older, has not.
    ("admin.organization.usage.costs", "line_items"): "unknown_parameter",
    ("audio.voices.create", ""): "missing_required_parameter",
    ("audio.voices.create", "model"): "missing_required_parameter",
    ("audio.voices.create", "script_hint"): "missing_required_parameter",
    ("audio.voices.create", "type"): "unknown_parameter",
    # What needs company, or none, though the signature does not tell.
    ("skills.create", ""): "missing_required_parameter",
    ("skills.versions.create", ""): "missing_required_parameter",
    ("skills.versions.create", "default"): "missing_required_parameter",
    ("vector_stores.file_batches.create", ""): "missing_required_parameter",
    ("vector_stores.file_batches.create", "attributes"): "missing_required_parameter",
    ("vector_stores.file_batches.create", "chunking_strategy"): "missing_required_parameter",
    # Samples that are bad ones there: an hour, no key, 0.5, and "a".
    ("beta.chatkit.sessions.create", "expires_after"): "integer_above_max_value",
    ("beta.realtime.sessions.create", "client_secret"): "missing_required_parameter",
    ("beta.realtime.sessions.create", "temperature"): "decimal_below_min_value",
    ("beta.realtime.transcription_sessions.create", "include"): "invalid_value",
}
"""What is refused: of a method, with an argument ("": with none but the required ones)."""


class Judge(httpx2.BaseTransport):
    """Judges each request and lets it fail; ``last`` is the last verdict, ``operations`` are all names."""

    def __init__(self) -> None:
        operations = read_pack(str(DOCUMENT), prefix="/v1", overlays=["pack:errata/openai-v2"])
        self.operations = {operation.name for operation in operations}
        self._rules = Rules(RouteTable(operations), max_depth=32)
        self.last: Any = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [name + b": " + value for name, value in request.headers.raw]
        self.last = decide(self._rules, b"\r\n".join([*lines, b"", b""]), request.read())
        raise httpx2.ConnectError("there is no upstream")


def methods(resource: Any, path: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give every method of every resource below a client or resource, by its path."""
    for name, member in inspect.getmembers_static(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        if inspect.isfunction(member):
            if path and name not in FLOWS:
                yield path + name, getattr(resource, name)
        elif type(member).__name__ in {"cached_property", "property"}:
            inner = getattr(resource, name)
            if type(inner).__module__.startswith("openai.resources"):
                yield from methods(inner, f"{path}{name}.")


if DOCUMENT.exists():

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_every_method_of_the_sdk() -> None:
        """With what it requires, and with each further argument: permitted, but for what is listed."""
        judge = Judge()
        refused: dict[tuple[str, str], str] = {}
        reached: set[str] = set()
        with openai.OpenAI(
            api_key="k",
            admin_api_key="k",
            base_url="http://gateway.test/v1",
            max_retries=0,
            http_client=httpx2.Client(transport=judge),
        ) as client:
            for path, method in methods(client):
                if path.startswith(NEWER):
                    continue
                for name, given in arguments(method):
                    with pytest.raises(openai.APIConnectionError):
                        method(**given)
                    verdict = judge.last
                    if isinstance(verdict, Permit):
                        reached.add(verdict.operation.name)
                    elif verdict.code not in ABSENT:
                        refused[path, name] = verdict.code
        assert refused == REFUSED
        # The SDK cancels at /evals/{eval_id}/runs/{run_id}/cancel, and so does the example in the document.
        assert judge.operations - reached == {"cancelEvalRun"}
