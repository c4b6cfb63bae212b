"""What is done to the audit trail while the gateway runs: heads to the log each minute, pruning each hour."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from gateway.audit.clock import Clock, ClockAhead
from gateway.audit.content.reader import prune_content
from gateway.audit.faults import AuditError
from gateway.audit.heads import current_heads
from gateway.audit.prune import prune
from gateway.observe.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.audit.chain import Link
    from gateway.audit.records import Marks
    from gateway.config.model import Audit

HEAD_SECONDS: Final = 60.0
PRUNE_MINUTES: Final = 60

_log = get_logger()


class Upkeep:
    """A thread of its own. It may be ended with the process at any time: the next one goes on."""

    def __init__(
        self,
        settings: Audit,
        marks: Marks,
        commit: Callable[[list[bytes]], None],
        heads: Callable[[], Mapping[str, Link]],
        indexed: Callable[[], Mapping[str, int]],
        clock: Clock | None = None,
    ) -> None:
        """``heads`` gives the last record of each stream that this process writes.

        ``commit`` has records of the supervisor's stream on disk; ``indexed`` gives the number of the last
        record of each stream that the index has. Nothing is pruned while ``clock``, which starts here unless
        it is given, cannot be believed.
        """
        self._settings = settings
        self._marks = marks
        self._commit = commit
        self._heads = heads
        self._indexed = indexed
        self._clock = clock or Clock()
        self._doubted = False
        self._idle: Mapping[str, Link] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-upkeep", daemon=True)

    def start(self) -> None:
        """Begin; the first pruning comes after a minute."""
        self._thread.start()

    def close(self) -> None:
        """Begin nothing any more."""
        self._stop.set()

    def _run(self) -> None:
        minutes = 0
        while not self._stop.wait(HEAD_SECONDS):
            self.turn(prune=minutes % PRUNE_MINUTES == 0)
            minutes += 1

    def turn(self, *, prune: bool) -> None:
        """Do all that is due, each on its own: what fails is told, is due again, and keeps nothing else."""
        for part in (self.tell_heads, *([self.prune_content, self.prune] if prune else [])):
            try:
                part()
            except ClockAhead as error:
                self._doubt(error)
            except AuditError as error:
                _log.error("audit_upkeep_failed", fault=str(error))
            except Exception as error:  # noqa: BLE001 - a bug in one part must not end the others
                _log.exception("audit_upkeep_failed", fault=f"internal error ({type(error).__name__})")

    def _before(self, retention: float) -> float:
        """Give the time before which all is older than ``retention``; both are in seconds."""
        now = self._clock.now()
        self._doubted = False
        return now - retention

    def _doubt(self, error: ClockAhead) -> None:
        """Tell once, and not each hour, that the clock cannot be believed."""
        if not self._doubted:
            self._doubted = True
            _log.error("audit_upkeep_failed", fault=str(error))

    def tell_heads(self) -> None:
        """Log the head of each stream, of those that nobody writes any more, too.

        :raises AuditError: when the ledger cannot be read
        """
        heads = self._heads()
        if self._idle is None:
            found = current_heads(self._settings.directory)
            self._idle = {name: head for name, head in found.items() if name not in heads}
        log_heads({**self._idle, **heads})

    def prune_content(self) -> None:
        """Remove content that is older than its retention.

        :raises AuditError: when it cannot be
        """
        settings = self._settings
        content = prune_content(settings.directory, self._before(settings.content_retention))
        if content.files:
            _log.info("audit_content_pruned", segments=content.files, bytes=content.size)

    def prune(self) -> None:
        """Remove records that are older than their retention; see :mod:`gateway.audit.prune`.

        :raises AuditError: when they cannot be
        """
        settings = self._settings
        before = self._before(settings.retention)
        positions = self._indexed()
        for one in prune(settings.directory, self._commit, self._marks, before=before, positions=positions):
            _log.info(
                "audit_pruned",
                stream=one.stream,
                first=one.first,
                last=one.last.seq,
                segments=len(one.files),
                bytes=one.size,
            )


def log_heads(heads: Mapping[str, Link]) -> None:
    """Log the last record of each stream, as ``verify --head`` wants to know it."""
    for name, head in sorted(heads.items()):
        _log.info("audit_head", stream=name, seq=head.seq, hash=head.hash.decode("ascii"))
