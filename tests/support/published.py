"""OpenAI's own documents, beside a checkout where they are at hand; elsewhere there is nothing to read."""

from __future__ import annotations

from pathlib import Path

PUBLISHED = Path(__file__).parents[3] / "shared" / "openapi"
"""The folder of ``openai-v1.yaml`` and ``openai-v2.yaml``."""
