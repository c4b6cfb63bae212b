"""``gateway demo``: gateway, admin listener and an embedded upstream on loopback, nothing to configure."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import app

if TYPE_CHECKING:
    from gateway.process.gateway import Gateway

_CONFIG = """\
listen: {{port: {port}}}
admin: {{port: {admin_port}}}
upstreams:
  main: {{urls: ["http://127.0.0.1:{upstream_port}"]}}
contracts:
  assistants-v1: {{openapi: "pack:assistants-v1", upstream: main}}
audit: {{directory: audit}}
"""

_WORDS = """
The gateway listens on    {gateway}/v1   (any OpenAI SDK: base_url, and any api_key)
Its admin listener on     {admin}   (/healthz /readyz /metrics /api/audit)
The upstream behind it    http://127.0.0.1:{upstream_port}/v1

Accepted, and answered by the upstream:
  curl -s {gateway}/v1/threads/{thread}/messages -H 'content-type: application/json' \\
    -d '{{"role": "user", "content": "Hello"}}'
Refused by the gateway, with every violation:
  curl -s {gateway}/v1/threads/{thread}/messages -H 'content-type: application/json' \\
    -d '{{"role": "system", "content": "", "colour": "red"}}'
What the audit trail has of them a second later, the newest first:
  curl -s '{admin}/api/audit?operation=createMessage&limit=2'

Ctrl-C ends it.
"""


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gateway's port; 0: any free one.")] = 8080,
    admin_port: Annotated[int, typer.Option(min=0, max=65535, help="The admin listener's port.")] = 9901,
    no_traffic: Annotated[bool, typer.Option("--no-traffic", help="Send no sample requests.")] = False,
) -> None:
    """Run everything on loopback, with a little sample traffic to look at."""
    from gateway.process.serve import run

    run(_demo(port, admin_port, traffic=not no_traffic))


async def _demo(port: int, admin_port: int, *, traffic: bool) -> None:
    from gateway.embedded.app import serve as serve_upstream
    from gateway.process.serve import serve
    from gateway.wiring import compile_plan

    runner, upstream_port = await serve_upstream("127.0.0.1", 0)
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
            path = Path(folder, "gateway.yaml")
            path.write_text(  # noqa: ASYNC240 - nothing is served yet
                _CONFIG.format(port=port, admin_port=admin_port, upstream_port=upstream_port),
                encoding="utf-8",
            )
            plan = compile_plan(path, os.environ)

            async def started(gateway: Gateway) -> None:
                await _introduce(gateway, upstream_port, traffic=traffic)

            await serve(plan, log_format="console", started=started)
    finally:
        await runner.cleanup()


async def _introduce(gateway: Gateway, upstream_port: int, *, traffic: bool) -> None:
    """Send the sample traffic, then say where everything is."""
    from gateway.embedded.traffic import create_thread, sample

    if traffic:
        for line in await sample(gateway.address):
            print(line, flush=True)
    thread = await create_thread(f"http://127.0.0.1:{upstream_port}")
    print(
        _WORDS.format(
            gateway=gateway.address, admin=gateway.admin_address, upstream_port=upstream_port, thread=thread
        ),
        flush=True,
    )
