"""The follower as a process of its own: ``python -m gateway.audit.follow DIRECTORY``, started by the gateway.

It imports little and has the lowest priority, so that the data plane's core and memory stay its own.

Standard input: one line of JSON with ``index``, which may hold a password and so is no argument,
``retention`` in seconds, and ``clock``, the offset of the parent's :class:`Clock`. Then its parent keeps the
other end open. When that closes, however the parent came to its end, what the ledger has is taken, for
``LAST_SECONDS`` at most, and the process ends; signals that a terminal or a service manager sends to all
processes of the gateway are left to the parent.

Standard output: a :class:`Report` as a line of JSON, once a second.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.clock import Clock, ClockAhead
from gateway.audit.faults import AuditError
from gateway.audit.follower import Follower
from gateway.audit.index import open_index

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORT_SECONDS: Final = 1.0
LAST_SECONDS: Final = 5.0
PRUNE_FIRST_SECONDS: Final = 60.0
PRUNE_SECONDS: Final = 3600.0
_MAX_TOLD: Final = 20
"""How many sentences one report has at most; of a ledger full of damage the first ones do."""


class Report(NamedTuple):
    """How the follower does.

    ``lag`` and ``size``: how far the index is behind, in seconds and bytes of the ledger; None while it
    cannot be told. ``records`` and ``faults``: what was taken and passed over since the start. ``indexed``:
    the last record of each stream that the index has. ``told``: sentences for the log.
    """

    lag: float | None
    size: int | None
    records: int
    faults: int
    indexed: Mapping[str, int]
    told: list[str]


class _Following:
    def __init__(self, directory: Path, where: str, retention: float, clock: Clock) -> None:
        self._directory = directory
        self._where = where
        self._retention = retention
        self._clock = clock
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._told: list[str] = []
        self._index = open_index(where, directory)
        self._follower = Follower(directory, self._index, told=self._tell)

    def run(self) -> None:
        """Follow until the input ends."""
        threading.Thread(target=self._tend, name="tend", daemon=True).start()
        threading.Thread(target=self._prune, name="prune", daemon=True).start()
        self._follower.run(self._stop)
        with suppress(AuditError):
            self._follower.catch_up()
        with suppress(BrokenPipeError):
            self._report()
        self._index.close()
        self._ended.set()

    def _tend(self) -> None:
        """Report until the input ends, and see to it that the process does, too."""
        try:
            while not select.select([0], [], [], REPORT_SECONDS)[0]:
                self._report()
        except BrokenPipeError:
            pass
        finally:
            self._stop.set()
        if not self._ended.wait(LAST_SECONDS):
            os._exit(1)

    def _report(self) -> None:
        follower = self._follower
        lag = None
        with suppress(AuditError):  # the follower itself tells of it
            lag = follower.lag()
        told, self._told = self._told[:_MAX_TOLD], []
        report = Report(
            None if lag is None else round(lag.seconds, 3),
            None if lag is None else lag.size,
            follower.records,
            follower.faults,
            follower.indexed,
            told,
        )
        send(report)

    def _prune(self) -> None:
        """Forget what is older than the retention; by a connection of its own, beside the follower's."""
        wait = PRUNE_FIRST_SECONDS
        while not self._stop.wait(wait):
            wait = PRUNE_SECONDS
            try:
                before = self._clock.now() - self._retention
                index = open_index(self._where, self._directory)
                try:
                    index.prune(int(before * 1000))
                finally:
                    index.close()
            except ClockAhead:  # the parent tells of it
                continue
            except AuditError as error:
                self._tell(str(error))
                wait = PRUNE_FIRST_SECONDS

    def _tell(self, sentence: str) -> None:
        self._told.append(sentence)


def send(report: Report) -> None:
    """Write a report; BrokenPipeError when nobody reads any more."""
    os.write(1, json.dumps(report._asdict()).encode("ascii") + b"\n")


def main() -> None:
    """Follow the directory that the process was started with."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(19)
    settings = json.loads(sys.stdin.readline())
    try:
        clock = Clock(settings["clock"])
        following = _Following(Path(sys.argv[1]), settings["index"], settings["retention"], clock)
    except AuditError as error:
        send(Report(None, None, 0, 0, {}, [str(error)]))
        sys.exit(1)
    following.run()


if __name__ == "__main__":
    main()
