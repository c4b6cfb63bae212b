"""Thousands of wrong answers: each client gets one answer, its own, or sees that there is none."""

from __future__ import annotations

from gateway.core.types import Decision
from tests.support.hostile import Clients, Hostile
from tests.support.plane import Plane, request
from tests.support.recorder import Recorder


def make(token: bytes, old: bool) -> bytes:
    return request(b"POST /v1/messages HTTP/1.%d" % (not old), b"X-Token: " + token)


async def test_hostile_answers() -> None:
    """Of 2,000 answers, half of them mutated or followed by others, none reaches another client."""
    hostile = Hostile(1, wrong=0.5)
    async with Recorder(hostile) as upstream, Plane(upstream.url, size=6, patience=60) as plane:
        clients = Clients(plane.port, hostile, make)
        await clients.ask(2000, at_once=8)
        await plane.outcomes.wait_for(2000)
        assert clients.ids <= set(plane.ids)
        assert len(plane.outcomes) == 2000
        assert clients.seen["own"] > 1000, clients.seen
        assert clients.seen["502"] > 300
        assert clients.seen["broken"] > 20
        faults = {outcome.upstream_outcome for outcome in plane.outcomes}
        assert faults == {"complete", "protocol", "truncated", "reset"}
        assert sum(outcome.decision is Decision.ALLOW for outcome in plane.outcomes) > 1000
