"""nginx twice: as the upstream of every peer, and as the peer that only proxies."""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING

from tests.bench.bodies import ECHO_PATH, LONG_BYTES, LONG_PATH
from tests.bench.faults import BenchError

if TYPE_CHECKING:
    from pathlib import Path

_COMMON = """\
worker_processes 1;
daemon off;
pid {home}/{name}.pid;
error_log {home}/{name}.err warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 100000000;
  client_body_buffer_size 128k;
  client_body_temp_path {home}/{name}-body;
  proxy_temp_path {home}/{name}-proxy;
  fastcgi_temp_path {home}/{name}-fastcgi;
  uwsgi_temp_path {home}/{name}-uwsgi;
  scgi_temp_path {home}/{name}-scgi;
{servers}
}}
"""

# `return` alone answers before it has the body. `mirror` reads the whole body first; `empty_gif` then refuses
# the POST with 405 without touching a file, which becomes the 200 of a named location.
_UPSTREAM = """\
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ mirror /sink; empty_gif; error_page 405 =200 @message; }}
    location = {echo} {{
      mirror /sink; client_body_in_single_buffer on; empty_gif; error_page 405 =200 @echo;
    }}
    location = {long} {{ alias {file}; sendfile on; sendfile_max_chunk 256k; }}
    location = /sink {{ internal; return 204; }}
    location @message {{ add_header x-request-id req_0123456789abcdef01234567; return 200 '{message}'; }}
    location @echo {{ return 200 $request_body; }}
    location = /status {{ stub_status; }}
  }}"""

_MESSAGE = (
    '{"id":"msg_abc123abc123abc123abc123","object":"thread.message","created_at":1699017614,'
    '"thread_id":"thread_abc123abc123abc123abc123","role":"user","content":[{"type":"text","text":'
    '{"value":"How does AI work? Explain it in simple terms.","annotations":[]}}],"file_ids":[],'
    '"assistant_id":null,"run_id":null,"metadata":{}}'
)

_PROXY = """\
  upstream main {{
    server 127.0.0.1:{upstream};
    keepalive 64;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://main;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}"""


def write_upstream(home: Path, port: int) -> Path:
    """Write the configuration of the upstream into ``home`` and give its path."""
    file = home / "long.json"
    with file.open("wb") as long:
        long.truncate(LONG_BYTES)  # holes: nothing is written to the disk
    home.chmod(0o711)  # where root starts the bench, nginx's worker is nobody
    servers = _UPSTREAM.format(port=port, echo=ECHO_PATH, message=_MESSAGE, long=LONG_PATH, file=file)
    return _write(home, "upstream", servers)


def write_proxy(home: Path, port: int, upstream: int) -> Path:
    """Write the configuration of the plain proxy into ``home`` and give its path.

    One worker, HTTP/1.1 with keep-alive to the upstream, no access log, request and response buffering as
    they are by default; bodies up to 128 KiB stay in memory (16 KiB by default, more would go to a file).
    """
    return _write(home, "nginx", _PROXY.format(port=port, upstream=upstream))


def _write(home: Path, name: str, servers: str) -> Path:
    path = home / f"{name}.conf"
    path.write_text(_COMMON.format(home=home, name=name, servers=servers), encoding="utf-8")
    return path


class Count:
    """Counts the requests that the upstream took, by its stub_status page."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._asked = 0

    def read(self) -> int:
        """Give the number of requests so far, those of this class not counted.

        :raises BenchError: when the page cannot be read
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/status")
            text = connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"the upstream's count cannot be read: {error}") from error
        finally:
            connection.close()
        self._asked += 1
        numbers = re.search(r"^\s*\d+\s+\d+\s+(\d+)", text, re.MULTILINE)
        if not numbers:
            raise BenchError(f"the upstream's count is not one: {text!r}")
        return int(numbers[1]) - self._asked
