"""What was sent against what the gateway logged and recorded: for each request one line, and one record."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from gateway.audit.segments import segments, streams
from gateway.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FAULTS: Final = 20
"""How many faults are kept to be told; the others are only counted."""


def _lines(directory: Path) -> Iterator[bytes]:
    for _, folder in streams(directory):
        for segment in segments(folder):
            with segment.path.open("rb") as file:
                yield from file


class Ledger:
    """Every request that is sent is announced here before; every line of the log is told to it.

    ``sent`` counts requests, ``lines`` the log's lines of requests, ``records`` those of the audit trail;
    ``faults`` is what did not fit, in words.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.lines = 0
        self.fault_count = 0
        self.faults: list[str] = []
        self._expected: dict[str, tuple[str, frozenset[int]]] = {}
        self._nameless: Counter[int] = Counter()
        self._logged: dict[str, int] = {}
        self.records = 0

    def announce(self, name: str, *statuses: int) -> str:
        """Give the id for a request whose line will have one of ``statuses``; ``name`` is for faults."""
        self.sent += 1
        request_id = f"soak-{self.sent}"
        self._expected[request_id] = name, frozenset(statuses)
        return request_id

    def announce_nameless(self, status: int) -> None:
        """Expect the line of a request whose head is never read, so that no id of it is known."""
        self.sent += 1
        self._nameless[status] += 1

    def take(self, line: bytes) -> None:
        """Take a line of the log; those of other events than requests must not be above ``info``."""
        event = json.loads(line)
        if event["event"] != "request":
            if event["level"] not in {"debug", "info"}:
                self.fault(f"logged: {line.decode(errors='replace').strip()}")
            return
        self.lines += 1
        self._logged[event["request_id"]] = event["status"]
        request_id, status = event.get("client_request_id"), event["status"]
        if request_id is None:
            self._nameless[status] -= 1
            return
        name, statuses = self._expected.pop(request_id, ("", frozenset()))
        if status not in statuses:
            known = f"{name}: logged as {status}, not {sorted(statuses)}" if name else "a second line"
            self.fault(f"{known}: {line.decode(errors='replace').strip()}")

    def fault(self, text: str) -> None:
        """Note what is not as it should be."""
        self.fault_count += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(text)

    @property
    def missing(self) -> int:
        """How many lines are still to come."""
        return self.sent - self.lines

    def compare(self, directory: Path) -> None:
        """Note where the audit trail in ``directory`` does not tell what the log does.

        Each line has one record: of the request, or of the connection where its head never was whole.
        """
        if found := verify(directory).faults:
            self.fault(f"the ledger is not intact: {found[0]}")
        without = dict(self._logged)
        connections = 0
        for record in map(json.loads, _lines(directory)):
            self.records += 1
            if record["kind"] == "request":
                if without.pop(record["id"], None) != record["status"]:
                    self.fault(f"a record that no line tells of, or a second one: {record}")
            elif record["kind"] == "connection":
                connections += record["count"]
        if connections != len(without):
            self.fault(f"{len(without)} lines have no record, {connections} connections are recorded")

    def close(self) -> None:
        """Note what never came, at the end."""
        for name, _ in list(self._expected.values())[:MAX_FAULTS]:
            self.fault(f"{name}: no line")
        for status, count in self._nameless.items():
            if count:
                self.fault(
                    f"heads refused with {status}: {abs(count)} lines too {'few' if count > 0 else 'many'}"
                )
