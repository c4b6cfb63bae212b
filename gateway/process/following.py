"""The follower's process, as its parent sees it: started, heard, started again when it ends, ended at last.

A thread does all of that, so that nothing depends on which event loop runs. The follower ends with this
process, however this ends: it sees its standard input close.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gateway
from gateway.audit.clock import Clock
from gateway.observe.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.model import Audit

RESTART_SECONDS: Final = 1.0
"""How long after its end a follower is started again; each time twice as long, until one lasts a minute."""
MAX_RESTART_SECONDS: Final = 60.0
STEADY_SECONDS: Final = 60.0
CLOSE_SECONDS: Final = 7.0
"""How long it may take to end; it gives itself somewhat less."""
_SILENT_SECONDS: Final = 5.0
"""A report that is older than this says nothing of the present."""

_log = get_logger()


class FollowerProcess:
    """Keeps a follower running.

    ``indexed`` is the number of the last record of each stream that the index has, as far as it is known.
    """

    def __init__(self, settings: Audit) -> None:
        """Make it ready to be started for the section ``audit`` of a configuration."""
        self._settings = settings
        self._clock = Clock()
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="audit-follower", daemon=True)
        self._known = 0.0, time.monotonic()
        self.indexed: Mapping[str, int] = {}

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    @property
    def lag(self) -> float:
        """Give the seconds by which the index is behind; as long as nothing is heard, at least so many."""
        lag, moment = self._known
        silent = time.monotonic() - moment
        return lag if silent < _SILENT_SECONDS else lag + silent

    def close(self) -> None:
        """Let it take what the ledger has by now, for a moment, and end it."""
        with self._starting:
            self._closing.set()
            process = self._process
            if process is not None:
                _end(process)
        if self._thread.ident is None:
            return
        self._thread.join(CLOSE_SECONDS)
        if process is not None and self._thread.is_alive():
            process.kill()

    # the thread

    def _run(self) -> None:
        delay = RESTART_SECONDS
        while not self._closing.is_set():
            begun = time.monotonic()
            status = self._follow()
            if self._closing.is_set():
                return
            if time.monotonic() - begun > STEADY_SECONDS:
                delay = RESTART_SECONDS
            _log.error("audit_follower_ended", status=status, again_s=delay)
            self._closing.wait(delay)
            delay = min(2 * delay, MAX_RESTART_SECONDS)

    def _follow(self) -> int | str:
        """Run one follower to its end; give its exit status, or why it could not be started."""
        with self._starting:
            if self._closing.is_set():
                return 0
            try:
                process = self._process = subprocess.Popen(  # noqa: S603 - this program itself
                    [sys.executable, "-P", "-m", "gateway.audit.follow", str(self._settings.directory)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=os.environ | {"PYTHONPATH": _search_path()},
                )
            except OSError as error:
                return error.strerror or type(error).__name__
        assert process.stdin is not None
        assert process.stdout is not None
        told = {
            "index": self._settings.index.get_secret_value(),
            "retention": self._settings.retention,
            "clock": self._clock.offset,
        }
        with suppress(OSError, ValueError):  # it, or we, ended at once
            process.stdin.write(json.dumps(told).encode("ascii") + b"\n")
            process.stdin.flush()
        with process.stdout:
            for line in process.stdout:
                self._hear(line)
        return process.wait()

    def _hear(self, line: bytes) -> None:
        """Take a report; what is none is told of, and passed over."""
        try:
            report: dict[str, Any] = json.loads(line)
            indexed = {str(name): int(seq) for name, seq in report["indexed"].items()}
            lag = None if report["lag"] is None else float(report["lag"])
            told = [str(sentence) for sentence in report["told"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            _log.warning("audit_index", message="The follower said what is no report.")
            return
        self.indexed = indexed
        if lag is not None:
            self._known = lag, time.monotonic()
        for sentence in told:
            _log.warning("audit_index", message=sentence)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()


def _search_path() -> str:
    """Give where modules are looked for, for a process that must not look into its working directory."""
    found = Path(gateway.__file__).parent.parent
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(found), inherited] if inherited else [str(found)])
