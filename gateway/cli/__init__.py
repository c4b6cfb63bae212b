"""The command line, one file for each verb.

Exit statuses: 0 done; 1 the answer is no, or it could not be done; 2 bad configuration or usage.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from gateway.errors import ConfigError, GatewayError

_MAX_FRAMES: Final = 10_000
"""Python's own limit of 1,000 is too low: JSON may nest 200 levels, and a circular schema takes several
frames for each."""


def main() -> None:
    """Run the command that the process was started with; faults are printed without a traceback."""
    from gateway.cli.app import app

    sys.setrecursionlimit(_MAX_FRAMES)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where it can still be told that nobody reads
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("GATEWAY_DEBUG"):
            raise
        kind = type(error).__name__
        print(f"gateway: internal error ({kind}); GATEWAY_DEBUG=1 shows where.", file=sys.stderr)
        sys.exit(1)
