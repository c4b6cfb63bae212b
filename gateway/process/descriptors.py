"""File descriptors: as many as the system gives, and how many of them clients may have."""

from __future__ import annotations

import resource
from typing import Final

RESERVE: Final = 256
"""Kept back from clients: for the admin listener's connections, files, and what libraries open."""


def most_connections(upstream_connections: int) -> int:
    """Raise the process's limit as far as it goes, and give how many clients may be connected at a time.

    ``upstream_connections`` is how many the pools may have together. Without this bound, clients that only
    hold connections open would take the descriptors that their neighbours' requests go upstream by. At least
    half of the limit is for clients.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # some systems say infinity and mean less
            hard = soft
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    return max(hard - upstream_connections - RESERVE, hard // 2)
