"""A gateway before the embedded upstream, a recording relay between them, and both SDKs before it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.program import Program, port_of, write_config
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVER = Path(__file__).with_name("driver.py")
KEY = "sk-canary-key-of-the-caller"


class Stage(NamedTuple):
    """What runs: SDK → ``gateway`` → ``relay`` → embedded upstream."""

    gateway: Program
    relay: Relay

    @property
    def base_url(self) -> str:
        """What an SDK is given."""
        return f"{self.gateway.address}/v1"


class Raised(NamedTuple):
    """An ``openai.APIStatusError`` as an application sees it; ``type`` is the class's name."""

    type: str
    bad_request: bool
    status: int
    code: str | None
    param: str | None
    message: str
    body: Any
    request_id: str | None
    headers: dict[str, str]


class Sdk:
    """An official SDK in a process of its own, driven by ``driver.py``."""

    def __init__(self, python: Path, base_url: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore::DeprecationWarning", DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.version = str(self._ask({"base_url": base_url, "api_key": KEY})["returned"])

    def call(self, call: str, *positional: Any, **arguments: Any) -> Any:
        """Call a method below ``client.beta.threads`` and give what it returns, as JSON values."""
        return self._ask({"call": call, "positional": positional, "arguments": arguments})["returned"]

    def fail(self, call: str, *positional: Any, **arguments: Any) -> Raised:
        """Call a method that has to raise an APIStatusError, and give that."""
        return Raised(**self._ask({"call": call, "positional": positional, "arguments": arguments})["raised"])

    def message(self, **more: Any) -> dict[str, Any]:
        """Give arguments of ``messages.create``; ``file_ids`` the way that this version takes them."""
        arguments = {"role": "user", "content": "Hello"} | more
        if self.version != "1.14.3" and "file_ids" in arguments:
            arguments["extra_body"] = {"file_ids": arguments.pop("file_ids")}
        return arguments

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, wanted: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the SDK's process ended; its standard error says why"
        return json.loads(line)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run the embedded upstream, the relay and the gateway; end them, and look for tracebacks."""
    with Program("upstream", "--port", "0") as upstream:
        line = upstream.wait_line(lambda line: line.startswith("upstream: "))
        with Relay(port_of(line.removeprefix("upstream: ").strip())) as relay:
            path = write_config(tmp_path_factory.mktemp("sdk") / "gateway.yaml", relay.port)
            with Program("serve", "-c", str(path)) as gateway:
                gateway.started()
                yield Stage(gateway, relay)


@pytest.fixture(scope="session", params=["current", "1.14.3"])
def sdk(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Sdk]:
    """Give each of the two SDKs in turn, before the same gateway."""
    python = Path(sys.executable)
    if request.param != "current":
        python = Path(sys.prefix, f"sdk-{request.param}", "bin", "python")
        if not python.exists():
            pytest.fail(f"There is no environment with openai {request.param}; `make unit` makes it.")
    sdk = Sdk(python, stage.base_url)
    try:
        assert (sdk.version == "1.14.3") == (request.param == "1.14.3")
        yield sdk
    finally:
        sdk.close()
