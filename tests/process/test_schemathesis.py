"""schemathesis against the running gateway, from each shipped pack: the good passes, the rest is refused."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from gateway.contracts import pack_files
from tests.support import schemathesis_hooks
from tests.support.program import Program
from tests.support.recorder import Recorder, ok

CHECKS = (
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
CONFIG = """\
listen: {{port: 0}}
admin: {{port: 0}}
upstreams:
  main:
    urls: [http://127.0.0.1:{port}]
contracts:
  pack:
    openapi: pack:{pack}
    prefix: /v1
    upstream: main
    max_bytes: 64MiB
"""
SETTINGS = f"""\
hooks = "{Path(schemathesis_hooks.__file__).as_posix()}"
[checks.negative_data_rejection]
expected-statuses = ["400", "404", "405", "413", "414", "415", "431"]
"""
"""Every refusal that can be given to a request for what it is."""
ALL = "coverage,fuzzing"
PHASES = {"conversations": "fuzzing", "responses": "fuzzing"} if "SCHEMATHESIS_ALL" not in os.environ else {}
"""Where the coverage phase takes minutes: it makes arrays that are too long, one for each place."""
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "10")
"""How many requests schemathesis makes up for each operation, beside those of its coverage phase."""

UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
"""The environment without what has coverage measured: that would take longer, and runs no line of ours."""


@pytest.mark.parametrize("pack", sorted(pack_files()))
async def test_a_pack(tmp_path: Path, pack: str) -> None:
    """Every request made from the document is let through, every one that breaks it is refused with a 4xx."""
    path = tmp_path / "gateway.yaml"
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    async with Recorder(default=ok(b"{}")) as upstream:
        path.write_text(CONFIG.format(port=upstream.port, pack=pack), encoding="utf-8")
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            arguments = ["--url", f"{gateway.address}/v1", "--checks", ",".join(CHECKS), "--seed", "1"]
            arguments += ["--phases", PHASES.get(pack, ALL), "--max-examples", EXAMPLES, "--no-color"]
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
                *("run", str(pack_files()[pack]), *arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=tmp_path,
                env=UNMEASURED,
            )
            printed = (await process.communicate())[0].decode()
        assert process.returncode == 0, printed
        found = re.search(r"Selected: (\d+)/\1\s+Tested: \1\s", printed)
        assert found is not None, printed
        assert len(upstream.requests) >= int(found[1]), "no good request of some operation came through"
