"""Raw requests on real sockets: the stated answer, nothing upstream, one Outcome, the next one served."""

from __future__ import annotations

import pytest

from gateway.core.types import Decision
from tests.sockets.cases import REFUSED, SERVED, Case
from tests.support.plane import BODY, GET, POST, Plane, request
from tests.support.raw import exchange, parse_responses
from tests.support.recorder import Recorder


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_refused(case: Case) -> None:
    """A refused request gets its code, leaves no byte upstream and one Outcome; the next one is served."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(case.raw)
        assert (answer.status, answer.code, answer.closed) == (case.status, case.code, case.closed)
        assert answer.response.header("x-should-retry") == "false"
        assert answer.response.header("x-request-id") == plane.outcomes[0].request_id
        assert [request.method for request in upstream.requests] == ([] if case.closed else ["GET"])
        assert upstream.raw.startswith(b"" if case.closed else b"GET /v1/messages HTTP/1.1\r\n")
        assert len(plane.outcomes) == (1 if case.closed else 2)
        outcome = plane.outcomes[0]
        assert (outcome.status, outcome.code) == (case.status, case.code)
        assert (outcome.decision, outcome.upstream_attempts) == (Decision.REJECT, 0)
        await plane.served()


@pytest.mark.parametrize("case", SERVED, ids=lambda case: case.name)
async def test_served(case: Case) -> None:
    """An odd but right request goes upstream once, with the very body that came."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(case.raw)
        assert (answer.status, answer.code, answer.closed) == (200, None, case.closed)
        first = upstream.requests[0]
        assert first.body in (BODY, b"")
        assert not first.chunked
        assert first.body == (BODY if BODY[4:] in case.raw else b"")
        outcome = plane.outcomes[0]
        assert (outcome.status, outcome.code, outcome.decision) == (200, None, Decision.ALLOW)
        assert (outcome.upstream_attempts, outcome.bytes_in) == (1, len(first.body))
        assert (len(plane.outcomes), len(upstream.requests)) == ((1, 1) if case.closed else (2, 2))
        await plane.served()


def test_the_table_is_long() -> None:
    """The table holds what it is meant to."""
    assert len({case.name for case in [*REFUSED, *SERVED]}) == len(REFUSED) + len(SERVED) > 250


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that come together are answered one after the other, refused ones among them too."""
    scripts = [[b"HTTP/1.1 20%d OK\r\nContent-Length: 1\r\n\r\nx" % n] for n in range(3)]
    wrong = POST.replace(BODY, b'{"text": 1234567}')
    async with Recorder(scripts) as upstream, Plane(upstream.url) as plane:
        answers = await _statuses(plane, POST + wrong + GET + wrong + POST, 5)
        assert answers == [200, 400, 201, 400, 202]
        assert [request.method for request in upstream.requests] == ["POST", "GET", "POST"]
        assert [outcome.status for outcome in plane.outcomes] == answers


async def test_a_doubtful_request_ends_the_pipeline() -> None:
    """What follows a request whose end is in doubt is never taken for a request."""
    doubtful = POST.replace(b"Content-Length", b"Content-Length : 3\r\nX")
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, POST + doubtful + POST, 3) == [200, 400]
        assert len(upstream.requests) == 1
        assert len(plane.outcomes) == 2


async def test_many_pipelined_requests() -> None:
    """More than the listener keeps of pipelined requests is taken off the socket bit by bit."""
    raw = request(body=b'{"text": "%b"}' % (b"x" * 4000))
    count = 64
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, raw * count, count) == [200] * count
        assert len(upstream.requests) == len(plane.outcomes) == count


async def _statuses(plane: Plane, raw: bytes, count: int) -> list[int]:
    content = await exchange(plane.port, raw, responses=count)
    return [item.status for item in parse_responses(content)]
