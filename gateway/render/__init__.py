"""Refusals as responses: the OpenAI dialect and RFC 9457 problem details.

``accept`` chooses the dialect, ``openai`` and ``problem`` write the bodies, ``response`` puts status and
header fields to them.
"""

from gateway.render.accept import Dialect, choose_dialect
from gateway.render.response import Rendered, render

__all__ = ["Dialect", "Rendered", "choose_dialect", "render"]
