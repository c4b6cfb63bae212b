"""Outcomes for the tests of logs and metrics: two plain ones, and any that the types allow."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from gateway.core.codes import CODES
from gateway.core.types import Decision, Layer, Outcome, Phase, Violation

_VIOLATION = Violation(
    pointer="/metadata/secret key",
    param="metadata.secret key",
    code="string_above_max_length",
    message="Invalid 'metadata.secret key': string too long.",
    safe_pointer="/metadata/*",
    safe_param="metadata.*",
    layer=Layer.LIMIT,
    limit=512,
    actual=513,
)
_ALLOWED = Outcome(
    request_id="01890a5d-ac96-774b-bcce-b302099a8057",
    time=1700000000.1239,
    duration_ms=12.3456,
    client_ip="127.0.0.1",
    revision="abcdef",
    phase=Phase.RELAY,
    decision=Decision.ALLOW,
    status=200,
    method="POST",
    path="/v1/threads/thread_1/messages",
    operation="createMessage",
    contract="assistants-v1",
    thread_id="thread_1",
    user_agent="OpenAI/Python 1.14.3",
    upstream="main",
    upstream_status=200,
    upstream_attempts=1,
    upstream_outcome="complete",
    upstream_ms=10.5,
    overhead_us=80.25,
    bytes_in=200,
    bytes_out=700,
)
_REFUSED = Outcome(
    request_id="01890a5d-ac96-774b-bcce-b302099a8058",
    time=1700000001.0,
    duration_ms=0.5,
    client_ip="::1",
    revision="abcdef",
    phase=Phase.SCHEMA,
    decision=Decision.REJECT,
    status=400,
    code="string_above_max_length",
    operation="createMessage",
    violations=(_VIOLATION,),
)

_texts = st.text(st.characters(), max_size=300)
_maybe = st.none() | _texts
# The schema's own, from documents, which hold no lone surrogates.
_names = st.none() | st.text(st.characters(codec="utf-8"), max_size=300)
_times = st.none() | st.floats(0, 1e7)
_violations = st.builds(
    Violation,
    pointer=_maybe,
    param=_maybe,
    code=st.sampled_from(sorted(CODES)) | _texts,
    message=st.just("PRIVATE"),
    safe_pointer=_maybe,
    safe_param=_names | st.from_regex(r"[a-z]{1,3}\[[0-9]{1,3}\]", fullmatch=True),
    layer=st.sampled_from(Layer),
)
_outcomes = st.builds(
    Outcome,
    request_id=st.uuids().map(str),
    time=st.floats(0, 4e9),
    duration_ms=st.floats(0, 1e7),
    client_ip=_texts,
    revision=_texts,
    phase=st.sampled_from(Phase),
    decision=st.sampled_from(Decision),
    status=st.integers(100, 599),
    code=st.none() | st.sampled_from(sorted(CODES)),
    method=_maybe,
    path=_maybe,
    operation=st.sampled_from([None, "createMessage", "-", "unlisted"]) | _texts,
    contract=_maybe,
    thread_id=_maybe,
    app=_maybe,
    client_request_id=_maybe,
    upstream_request_id=_maybe,
    trace_id=_maybe,
    user_agent=_maybe,
    sdk_retry=_maybe,
    violations=st.lists(_violations, max_size=3).map(tuple),
    upstream=st.none() | st.just("main") | _texts,
    upstream_status=st.none() | st.integers(100, 599),
    upstream_attempts=st.integers(0, 3),
    upstream_outcome=st.sampled_from([None, "complete", "reset"]) | _texts,
    upstream_ms=_times,
    overhead_us=_times,
    bytes_in=st.integers(0),
    bytes_out=st.integers(0),
    bytes_decoded=st.none() | st.integers(0),
    rendered=st.none() | st.builds(list),
)


@pytest.fixture(scope="session")
def allowed() -> Outcome:
    """Give an exchange that went well."""
    return _ALLOWED


@pytest.fixture(scope="session")
def refused() -> Outcome:
    """Give one that was refused for a metadata value that is too long, under a key that must not be told."""
    return _REFUSED


@pytest.fixture(scope="session")
def outcomes() -> st.SearchStrategy[Outcome]:
    """Give any outcome, strings of clients as bad as can be."""
    return _outcomes
