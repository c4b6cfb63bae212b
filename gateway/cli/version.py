"""``gateway version``: what runs here."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from importlib.util import find_spec

from gateway.cli.app import app

_PARTS = ("aiohttp", "fastjsonschema", "httptools", "pydantic", "structlog", "prometheus-client", "uvloop")


@app.command()
def version() -> None:
    """Print the version, Python's, and which accelerations are in use."""
    from gateway import __version__, documents

    print(f"message-gateway {__version__}")
    print(f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}")
    print(f"event loop: {'uvloop' if find_spec('uvloop') else 'asyncio (uvloop is not installed)'}")
    print("response reading: llhttp (httptools)")
    print(f"YAML: {'libyaml' if documents.ACCELERATED else 'pure Python (PyYAML has no libyaml)'}")
    for part in _PARTS:
        try:
            print(f"{part} {version_of(part)}")
        except PackageNotFoundError:
            print(f"{part} is not installed")
