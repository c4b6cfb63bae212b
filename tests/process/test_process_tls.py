"""HTTPS on both sides: what clients connect to, and what is connected to."""

from __future__ import annotations

import asyncio
import ssl
from http.client import HTTPSConnection
from pathlib import Path

from tests.support.program import GOOD, JSON, MESSAGES, PATIENCE, Program, post, write_config
from tests.support.recorder import Recorder, ok

# For localhost and 127.0.0.1, signed by itself, good for a hundred years; made for these tests alone.
TLS = Path(__file__).parents[1] / "support" / "tls"
ANSWER = b'{"id": "msg_1"}'


def ask(port: int) -> tuple[int, bytes]:
    """Post a message over TLS; the certificate is verified."""
    context = ssl.create_default_context(cafile=TLS / "certificate.pem")
    connection = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
    try:
        connection.request("POST", MESSAGES, GOOD, JSON)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


async def test_tls_on_both_sides(tmp_path: Path) -> None:
    """A gateway before a gateway that serves HTTPS; a third that does not trust it delivers nothing."""
    async with Recorder(default=ok(ANSWER)) as upstream:
        path = write_config(tmp_path / "inner.yaml", upstream.port, "audit: {directory: inner}\n")
        text = path.read_text(encoding="utf-8")
        tls = f"tls: {{certificate: {TLS}/certificate.pem, key: {TLS}/key.pem}}"
        path.write_text(text.replace("listen: {port: 0}", f"listen: {{port: 0, {tls}}}"), encoding="utf-8")
        with Program("serve", "-c", str(path)) as inner:
            inner.started()
            assert inner.address.startswith("https://127.0.0.1:")
            assert await asyncio.to_thread(ask, inner.port) == (200, ANSWER)
            assert upstream.requests[-1].header("x-forwarded-proto") == "https"

            path = write_config(tmp_path / "outer.yaml", inner.address, "audit: {directory: outer}\n")
            text = path.read_text(encoding="utf-8")
            strange = tmp_path / "strange.yaml"
            strange.write_text(text.replace("directory: outer", "directory: strange"), encoding="utf-8")
            path.write_text(
                text.replace('"]}}', f'"], tls: {{ca: {TLS}/certificate.pem}}}}}}', 1), encoding="utf-8"
            )
            with Program("serve", "-c", str(path)) as outer, Program("serve", "-c", str(strange)) as other:
                outer.started()
                assert await asyncio.to_thread(post, outer.port) == (200, {"id": "msg_1"})
                assert upstream.requests[-1].header("via") == "1.1 message-gateway, 1.1 message-gateway"
                assert len(upstream.requests) == 2
                other.started()
                status, answer = await asyncio.to_thread(post, other.port)
                assert (status, answer["error"]["code"]) == (502, "upstream_unreachable")
                assert len(upstream.requests) == 2
            assert inner.stop() == 0
        assert inner.errors == outer.errors == other.errors == []
