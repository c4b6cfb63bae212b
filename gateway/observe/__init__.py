"""Logs and metrics, fed by settled outcomes."""

from __future__ import annotations

import sys

# structlog imports rich for the tracebacks of its development console, 6 MiB that a serving process would
# carry for nothing: here it finds none, and whoever wants rich afterwards finds it as ever.
if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # how an import is made to fail
    try:
        import structlog as _structlog  # noqa: F401 - so that it is imported now
    finally:
        del sys.modules["rich"]
