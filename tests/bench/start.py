"""How long a large contract takes: ``python -m tests.bench.start FILE [OVERLAY …] [--rounds N]``.

Measures, on loopback and with files of its own: CPU of ``gateway check``; the time from the start of
``gateway serve`` to its first accepted connection, with an empty cache and with what that start left there;
the time of the first refusal after that; and memory. Medians of N rounds (5), one after the other.

Exit 0 with figures; 1 when a command failed; 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.faults import BenchError
from tests.bench.machine import free_ports, memory

_CONFIG = """\
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{host: 127.0.0.1, port: {admin}}}
upstreams: {{main: {{urls: [http://127.0.0.1:9]}}}}
contracts:
  measured:
    openapi: {document}
    overlays: [{overlays}]
    prefix: /v1
    upstream: main
"""
START_SECONDS = 60.0


def _write(home: Path, document: Path, overlays: list[str]) -> tuple[Path, int]:
    port, admin = free_ports(2)
    file = home / "gateway.yaml"
    text = _CONFIG.format(port=port, admin=admin, document=document.resolve(), overlays=", ".join(overlays))
    file.write_text(text, encoding="utf-8")
    return file, port


def _check(file: Path, environ: dict[str, str]) -> float:
    """Give the CPU seconds of one ``gateway check``."""
    before = os.times()
    command = [sys.executable, "-m", "gateway", "check", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    after = os.times()
    if done.returncode:
        raise BenchError(f"check exits with {done.returncode}:\n{done.stdout}{done.stderr}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def _serve(file: Path, port: int, environ: dict[str, str]) -> tuple[float, float, float]:
    """Give seconds to the first accepted connection, seconds to a first answer then, and MiB of memory."""
    command = [sys.executable, "-m", "gateway", "serve", "-c", str(file)]
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
        try:
            while not _connects(port):
                if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                    output.seek(0)
                    raise BenchError(f"serve does not listen:\n{output.read().decode(errors='replace')}")
                time.sleep(0.005)
            ready = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", "/v1/nowhere", b"{}", {"content-type": "application/json"})
            connection.getresponse().read()
            answered = time.monotonic()
            connection.close()
            return ready - began, answered - ready, memory(process.pid).rss / 1024
        finally:
            process.terminate()
            process.wait(30)


def _connects(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def main(arguments: list[str]) -> int:
    """Measure, print, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description="Start of a contract.")
    parser.add_argument("document", type=Path)
    parser.add_argument("overlays", nargs="*", help="paths, or pack:errata/NAME")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    overlays = [one if one.startswith("pack:") else str(Path(one).resolve()) for one in options.overlays]
    checks, first, later = [], [], []
    try:
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
                file, port = _write(Path(folder), options.document, overlays)
                environ = dict(os.environ) | {"GATEWAY_CACHE": str(Path(folder) / "cache")}
                checks.append(_check(file, environ))
                first.append(_serve(file, port, environ))
                later.append(_serve(file, port, environ))
    except (BenchError, OSError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    lines = [f"gateway check: {median(checks):.2f} s CPU"]
    for name, found in (("first", first), ("later", later)):
        ready, answer, mib = (median(column) for column in zip(*found, strict=True))
        lines.append(f"serve, {name}: ready after {ready:.2f} s, {mib:.1f} MiB, answer {answer:.3f} s")
    sys.stdout.write("\n".join(lines) + f"\n(medians of {options.rounds} rounds)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
